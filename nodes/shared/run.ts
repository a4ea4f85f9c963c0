/** The loop every operation shares: one item after the other, with the node's error settings. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { toErrorItem, toNodeError } from './errors';

/** An operation of a node on one input item. */
export type Operation = (context: IExecuteFunctions, itemIndex: number) => Promise<INodeExecutionData[]>;

/**
 * Runs an operation for every input item. A failed item ends the run, or becomes an item of the error output where the
 * node is set to continue.
 */
export async function runForEachItem(
	context: IExecuteFunctions,
	operation: Operation,
): Promise<INodeExecutionData[][]> {
	const results: INodeExecutionData[] = [];
	for (let itemIndex = 0; itemIndex < context.getInputData().length; itemIndex++) {
		try {
			results.push(...(await operation(context, itemIndex)));
		} catch (error) {
			if (!context.continueOnFail()) throw toNodeError(context.getNode(), error, itemIndex);
			results.push(toErrorItem(error, itemIndex));
		}
	}
	return [results];
}

/** n8n's signal for a run that somebody stops; one that never fires where n8n gives none. */
export function cancelSignal(context: IExecuteFunctions): AbortSignal {
	return context.getExecutionCancelSignal() ?? new AbortController().signal;
}

/** Sends texts to the browser of who runs the workflow by hand, at most one in five seconds. */
export function progressLine(context: IExecuteFunctions): (text: () => string) => void {
	let lastShown = 0;
	return (text) => {
		if (Date.now() - lastShown < 5000) return;
		lastShown = Date.now();
		context.sendMessageToUI(text());
	};
}

/** The value of a field that is chosen from a list or typed: n8n's "resource locator". */
export function locatorValue(context: IExecuteFunctions, name: string, itemIndex: number): string {
	const value = context.getNodeParameter(name, itemIndex, '', { extractValue: true });
	return typeof value === 'string' ? value.trim() : '';
}

/** "a, b" as a list without empty entries. */
export function splitList(value: unknown): string[] {
	if (typeof value !== 'string') return [];
	return value
		.split(',')
		.map((part) => part.trim())
		.filter((part) => part !== '');
}
