/** The items of which a report is made. */
import type { IExecuteFunctions, INodeExecutionData, NodeTypeAndVersion } from 'n8n-workflow';
import { messageOf } from '../../core/base/errors';
import type { NodeKind, ReportItem } from '../../core/report/items';

/** By the names of our types. */
const KINDS: Readonly<Record<string, NodeKind>> = {
	applyRetention: 'retention',
	archiveBucket: 'dump',
	archiveConfig: 'dump',
	archiveFiles: 'dump',
	copyBackup: 'copy',
	postgresBaseBackup: 'dump',
	postgresDump: 'dump',
	restoreBackup: 'restore',
	verifyBackup: 'verify',
};

/** What came in, on all inputs. */
export function itemsThatComeIn(context: IExecuteFunctions): ReportItem[] {
	const count = Number(context.getNodeParameter('numberInputs', 0, 1));
	return Array.from({ length: count }, (_, input) => context.getInputData(input)).flatMap((items) =>
		items.map(({ json }) => ({ json })),
	);
}

/** What every node of this package before this one gave in this run: on each output, and in each round of a loop. */
export function itemsOfNodesBefore(context: IExecuteFunctions): ReportItem[] {
	const { name, type } = context.getNode();
	const ours = type.slice(0, type.lastIndexOf('.') + 1);
	return context
		.getParentNodes(name, { includeNodeParameters: true })
		.filter((node) => !node.disabled && node.type.startsWith(ours))
		.flatMap((node) => {
			const kind = kindOf(node, ours);
			return kind === 'other' ? [] : itemsOf(context, node.name).map(({ json }) => ({ json, from: kind }));
		});
}

function kindOf({ type, parameters }: NodeTypeAndVersion, ours: string): NodeKind | undefined | 'other' {
	const kind = type.slice(ours.length);
	if (!Object.hasOwn(KINDS, kind)) return 'other';
	// A check has findings; where it has none, it could not begin.
	if (kind.startsWith('postgres') && parameters?.operation === 'check') return undefined;
	if (kind === 'archiveConfig' && parameters?.operation === 'discover') return undefined;
	return kind === 'applyRetention' && parameters?.operation === 'prune' ? 'prune' : KINDS[kind];
}

function itemsOf(context: IExecuteFunctions, node: string): INodeExecutionData[] {
	const { $, $node } = context.getWorkflowDataProxy(0) as unknown as RunData;
	const items: INodeExecutionData[] = [];
	for (let run = 0; run <= $node[node]!.runIndex; run++) {
		items.push(...$(node).all(0, run), ...errorOutput(() => $(node).all(1, run)));
	}
	return items;
}

/** What n8n gives expressions, as far as it is used here. */
interface RunData {
	$: (node: string) => { all: (output: number, run: number) => INodeExecutionData[] };
	/** -1 for a node that did not run. */
	$node: Readonly<Record<string, { runIndex: number }>>;
}

/** n8n tells in no other way whether a node has a second output. */
function errorOutput(read: () => INodeExecutionData[]): INodeExecutionData[] {
	try {
		return read();
	} catch (error) {
		if (/has no branch with index/.test(messageOf(error))) return [];
		throw error;
	}
}
