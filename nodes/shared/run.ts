/** The loop every operation shares: one item after the other, with the node's error settings. */
import type { IExecuteFunctions, INodeExecutionData, INodeProperties } from 'n8n-workflow';
import { toErrorItem, toNodeError } from './errors';

/** An operation of a node on one input item. */
export type Operation = (context: IExecuteFunctions, itemIndex: number) => Promise<INodeExecutionData[]>;

/**
 * Runs an operation for every input item. A failed item ends the run, or becomes an item of the error output where the
 * node is set to continue.
 * @param fields of the node, where items that ask for the very same are to be answered once, with the first of them: the
 *   newest backup of each group is the same for every database that the node before has dumped
 */
export async function runForEachItem(
	context: IExecuteFunctions,
	operation: Operation,
	fields?: readonly INodeProperties[],
): Promise<INodeExecutionData[][]> {
	const results: INodeExecutionData[] = [];
	const asked = new Set<string>();
	for (let itemIndex = 0; itemIndex < context.getInputData().length; itemIndex++) {
		try {
			if (fields) {
				const question = questionOf(context, fields, itemIndex);
				if (asked.has(question)) continue;
				asked.add(question);
			}
			results.push(...(await operation(context, itemIndex)));
		} catch (error) {
			if (!context.continueOnFail()) throw toNodeError(context.getNode(), error, itemIndex);
			results.push(toErrorItem(error, itemIndex));
		}
	}
	return [results];
}

/** Everything that the fields say for an item, as one text. */
function questionOf(context: IExecuteFunctions, fields: readonly INodeProperties[], itemIndex: number): string {
	const names = new Set(fields.map(({ name }) => name));
	return JSON.stringify([...names].map((name) => context.getNodeParameter(name, itemIndex, null)));
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

/** "a, b" as a list without empty entries. What is a list already keeps the commas in its entries. */
export function splitList(value: unknown): string[] {
	const parts: unknown[] = Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : [];
	return parts
		.filter((part) => typeof part === 'string')
		.map((part) => part.trim())
		.filter((part) => part !== '');
}
