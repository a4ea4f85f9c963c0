/** n8n's side of a node, as far as ours use it: a typed stand-in for unit tests. Real workflows run in test/e2e. */
import type { ICredentialDataDecryptedObject, IExecuteFunctions, INode, NodeExecutionHint } from 'n8n-workflow';

export interface FakeNode {
	parameters: Record<string, unknown>;
	credentials: Record<string, ICredentialDataDecryptedObject>;
	items?: number;
	continueOnFail?: boolean;
	/** Folders n8n's settings allow; everything when absent. */
	allowedFolder?: string;
	signal?: AbortSignal;
}

export interface FakeContext {
	context: IExecuteFunctions;
	hints: NodeExecutionHint[];
	messages: unknown[];
}

/** The context of one execution of a node. */
export function fakeContext(fake: FakeNode): FakeContext {
	const hints: NodeExecutionHint[] = [];
	const messages: unknown[] = [];
	const node: INode = {
		id: '1',
		name: 'Postgres Dump',
		type: 'postgresDump',
		typeVersion: 1,
		position: [0, 0],
		parameters: {},
	};
	const context = {
		getNode: () => node,
		getInputData: () => Array.from({ length: fake.items ?? 1 }, () => ({ json: {} })),
		getNodeParameter: (name: string, _item: number, fallback?: unknown) => {
			const value = name in fake.parameters ? fake.parameters[name] : fallback;
			if (value === undefined) throw new Error(`the node asked for the unknown parameter ${name}`);
			return value;
		},
		getCredentials: async (type: string) => {
			const found = fake.credentials[type];
			if (!found) throw new Error(`the node asked for the credential ${type}, which was not given`);
			return found;
		},
		continueOnFail: () => fake.continueOnFail === true,
		getExecutionCancelSignal: () => fake.signal,
		addExecutionHints: (...more: NodeExecutionHint[]) => hints.push(...more),
		sendMessageToUI: (message: unknown) => messages.push(message),
		helpers: {
			resolvePath: async (path: string) => path,
			isFilePathBlocked: (path: string) => fake.allowedFolder !== undefined && !path.startsWith(fake.allowedFolder),
		},
	};
	return { context: context as unknown as IExecuteFunctions, hints, messages };
}
