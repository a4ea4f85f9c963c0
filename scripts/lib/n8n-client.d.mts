export interface Login {
	email: string;
	password: string;
}

/** Of a client that is logged in: secrets. */
export interface Session {
	cookie: string;
	apiKey: string;
}

export interface CredentialContent {
	name: string;
	/** "postgres", "backupStorageApi" */
	type: string;
	data: Record<string, unknown>;
}

/** How nodes refer to a credential. */
export interface CredentialReference {
	id: string;
	name: string;
}

export interface WorkflowNode {
	id: string;
	name: string;
	type: string;
	typeVersion: number;
	position: [number, number];
	parameters: Record<string, unknown>;
	credentials?: Record<string, CredentialReference>;
	[setting: string]: unknown;
}

export interface Workflow {
	name: string;
	nodes: WorkflowNode[];
	connections: Record<string, { main: ({ node: string; type: 'main'; index: number }[] | null)[] }>;
	settings?: Record<string, unknown>;
}

export interface Item {
	json: Record<string, unknown>;
	pairedItem?: unknown;
	error?: unknown;
}

export interface ListField {
	/** "n8n-nodes-backup.restoreBackup" */
	node: string;
	/** "searchGroups" */
	method: string;
	/** Values of the node's fields, which the list may depend on. */
	parameters: Record<string, unknown>;
	credentials: Record<string, CredentialReference>;
	/** What was typed to find something in the list. */
	filter?: string;
}

export interface ShownError {
	message: string;
	description?: string | null;
}

/** One run of one node; in a loop, a node has several. */
export interface NodeRun {
	status: string;
	error?: ShownError;
	/** Items by output. */
	output: Item[][];
	hints: { message: string }[];
}

export interface Execution {
	id: string;
	status: 'success' | 'error' | 'canceled' | 'crashed';
	error?: ShownError;
	/** By the node's name. Nodes that did not run are missing. */
	nodes: Record<string, NodeRun[]>;
}

/** What a person does in n8n's editor, done by a program: owner, credentials, workflows, runs. */
export class N8nClient {
	/** @param url "http://127.0.0.1:5678" */
	constructor(url: string, session?: Session);
	/** What another client needs to go on as this one. */
	readonly session: Session;
	/** Makes the first user of a new n8n, with a random password by default, and is that user from then on. */
	setUpOwner(login?: Partial<Login>): Promise<Login>;
	/** The interface of n8n's editor; `path` is below /rest. @throws Error with status and answer */
	rest(method: string, path: string, body?: unknown): Promise<unknown>;
	/** The public interface; `path` is below /api/v1. @throws Error with status and answer */
	api(method: string, path: string, body?: unknown): Promise<unknown>;
	/** Every node type n8n has loaded. */
	nodeTypes(): Promise<{ name: string; version: number | number[]; properties: { name: string }[] }[]>;
	createCredential(credential: CredentialContent): Promise<CredentialReference>;
	/** Presses "Test" of a stored credential, with the content that the form shows. */
	testCredential(
		reference: CredentialReference,
		content: CredentialContent,
	): Promise<{ status: 'OK' | 'Error'; message: string }>;
	/** Opens the list of a field that is chosen "From List". */
	list(field: ListField): Promise<{ name: string; value: string }[]>;
	/** @returns its id */
	createWorkflow(workflow: Workflow): Promise<string>;
	/** Makes schedules, webhooks and error workflows work. */
	publishWorkflow(id: string): Promise<void>;
	/** Ends its schedules and webhooks. Runs that have begun go on. */
	unpublishWorkflow(id: string): Promise<void>;
	/** Whatever this client has published. */
	unpublishAll(): Promise<void>;
	/** Presses "Execute workflow" at a trigger node. @returns the execution's id, while it runs */
	start(workflowId: string, trigger: string): Promise<string>;
	/** Presses "Execute workflow" at a trigger node and waits for the end. */
	execute(workflowId: string, trigger: string, options?: { timeoutMs?: number }): Promise<Execution>;
	/** Presses "Execute workflow" without choosing a trigger, and waits for the end. @throws Error when there is none */
	press(workflowId: string, options?: { timeoutMs?: number }): Promise<Execution>;
	/**
	 * Presses "Execute workflow" at a trigger node, and sees what the editor shows, also of executions that are not saved.
	 * @returns by node, the items of its first output
	 */
	watch(workflowId: string, trigger: string): Promise<{ executionId: string; shown: Record<string, Item[]> }>;
	/** Presses "Stop". */
	cancel(executionId: string): Promise<void>;
	/** The newest executions of a workflow, by any trigger, newest first. */
	executions(workflowId: string): Promise<{ id: string; status: string; mode: string }[]>;
	/** Waits until an execution has ended. @throws Error when that takes longer than `timeoutMs`, by default 2 minutes */
	ended(executionId: string, options?: { timeoutMs?: number }): Promise<Execution>;
}
