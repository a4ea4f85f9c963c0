/** n8n's side of a node, as far as ours use it: a typed stand-in for unit tests. Real workflows run in test/e2e. */
import { tmpdir } from 'node:os';
import type {
	ICredentialDataDecryptedObject,
	IDataObject,
	IExecuteFunctions,
	ILoadOptionsFunctions,
	INode,
	INodeParameters,
	NodeExecutionHint,
} from 'n8n-workflow';
import type { Actor } from '../../core/records/journal/actor';

// Tests keep backups in temporary folders; an n8n as it comes would not look into them.
process.env.N8N_RESTRICT_FILE_ACCESS_TO = tmpdir();

export interface FakeNode {
	/** Plain values, also of fields that choose from a list ("resource locators"). */
	parameters: Record<string, unknown>;
	credentials: Record<string, ICredentialDataDecryptedObject>;
	items?: number;
	continueOnFail?: boolean;
	/** Folders n8n's settings allow; everything when absent. */
	allowedFolder?: string;
	signal?: AbortSignal;
	/** Of the workflow; UTC when absent. */
	timeZone?: string;
	/** Items that come in, of each input; an empty one when absent. */
	input?: IDataObject[][];
	/** The nodes before this one. */
	before?: NodeBefore[];
	/** What n8n remembers for the node from one run to the next. */
	memory?: IDataObject;
	/** For parameters that differ from one input item to the next: they have the first word. */
	parametersOf?: Array<Record<string, unknown>>;
}

export interface NodeBefore {
	name: string;
	/** Full name of its type. */
	type: string;
	parameters?: INodeParameters;
	disabled?: boolean;
	/** What it gave: its runs, each a list of outputs, each a list of items. None when it did not run. */
	runs: IDataObject[][][];
}

export interface FakeContext {
	context: IExecuteFunctions;
	hints: NodeExecutionHint[];
	messages: unknown[];
}

/** What a run of the fake node leaves in the journal. */
export const ACTOR = {
	via: 'n8n',
	workflow: 'workflow-1',
	execution: 'execution-1',
	node: 'Fake Node',
} satisfies Actor;

/** The context of one execution of a node. */
export function fakeContext(fake: FakeNode): FakeContext {
	const hints: NodeExecutionHint[] = [];
	const messages: unknown[] = [];
	const node: INode = {
		id: '1',
		name: ACTOR.node,
		type: 'n8n-nodes-backup.fakeNode',
		typeVersion: 1,
		position: [0, 0],
		parameters: {},
	};
	const context = {
		getNode: () => node,
		getWorkflow: () => ({ id: ACTOR.workflow, name: 'Back up', active: false }),
		getExecutionId: () => ACTOR.execution,
		getInputData: (index = 0) => {
			const count = fake.items ?? fake.parametersOf?.length ?? 1;
			return fake.input?.[index]?.map((json) => ({ json })) ?? Array.from({ length: count }, () => ({ json: {} }));
		},
		getParentNodes: () => fake.before ?? [],
		getWorkflowDataProxy: () => runData(fake.before ?? []),
		getWorkflowStaticData: () => fake.memory ?? {},
		getNodeParameter: (name: string, item: number, fallback?: unknown) => {
			const parameters = { ...fake.parameters, ...fake.parametersOf?.[item] };
			const value = name in parameters ? parameters[name] : fallback;
			if (value === undefined) throw new Error(`the node asked for the unknown parameter ${name}`);
			return value;
		},
		getCredentials: async (type: string) => {
			const found = fake.credentials[type];
			if (!found) throw new Error(`the node asked for the credential ${type}, which was not given`);
			return found;
		},
		getTimezone: () => fake.timeZone ?? 'UTC',
		continueOnFail: () => fake.continueOnFail === true,
		getExecutionCancelSignal: () => fake.signal,
		addExecutionHints: (...more: NodeExecutionHint[]) => hints.push(...more),
		sendMessageToUI: (message: unknown) => messages.push(message),
		helpers: {
			prepareBinaryData: async (data: Buffer, fileName: string, mimeType: string) => ({
				...{ data: data.toString('base64'), fileName, mimeType },
			}),
			resolvePath: async (path: string) => path,
			isFilePathBlocked: (path: string) => fake.allowedFolder !== undefined && !path.startsWith(fake.allowedFolder),
		},
	};
	return { context: context as unknown as IExecuteFunctions, hints, messages };
}

/** As n8n's own data proxy answers, which tells in no other way what a node has. */
function runData(nodes: readonly NodeBefore[]) {
	const find = (name: string) => nodes.find((node) => node.name === name)!;
	const all = (name: string, output: number, run: number) => {
		const outputs = find(name).runs[run]!;
		if (output >= outputs.length) throw new Error(`Node "${name}" has no branch with index ${output}.`);
		return outputs[output]!.map((json) => ({ json }));
	};
	return {
		$: (name: string) => ({ all: (output: number, run: number) => all(name, output, run) }),
		$node: Object.fromEntries(nodes.map(({ name, runs }) => [name, { runIndex: runs.length - 1 }])),
	};
}

/** The context in which n8n fills a list for an editor of the workflow. */
export function fakeListContext({
	parameters,
	credentials,
}: Pick<FakeNode, 'parameters' | 'credentials'>): ILoadOptionsFunctions {
	const context = {
		getCurrentNodeParameter: (name: string) => parameters[name],
		getCredentials: async (type: string) => credentials[type],
	};
	return context as unknown as ILoadOptionsFunctions;
}
