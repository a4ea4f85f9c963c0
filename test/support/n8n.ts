/** A real n8n with the packed package in it, for one test file. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { N8nClient, type Execution, type Item, type Login, type Session } from '../../scripts/lib/n8n-client.mjs';
import { readTemplate, type Choices, type TemplateName } from '../../scripts/lib/n8n-template.mjs';
import { installedPackage } from '../../scripts/lib/n8n-package.mjs';
import { startN8n, type RunningN8n } from '../../scripts/lib/n8n.mjs';
import { freePort } from '../../scripts/lib/postgres.mjs';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { endShared, keepShared } from './kept';
import { sharedPostgres } from './postgres';
import { until } from './until';

export type {
	CredentialReference,
	Execution,
	Item,
	NodeRun,
	Workflow,
	WorkflowNode,
} from '../../scripts/lib/n8n-client.mjs';
export type { Choices } from '../../scripts/lib/n8n-template.mjs';

/** Time for `beforeAll`: on a busy machine, building, packing, installing and starting take a minute or two. */
export const N8N_START_MS = 300_000;

/** A running n8n, as one test file uses it. */
export interface TestN8n {
	/** Logged in as the owner. */
	readonly client: N8nClient;
	/** The owner’s, to sign in with in a browser. */
	readonly login: Login;
	/** An empty folder that nodes may read and write. */
	readonly files: string;
	/** Where it is, and what it has logged. */
	readonly server: Pick<RunningN8n, 'url' | 'log'>;
	/** Nothing of the test file runs any more. */
	stop(): Promise<void>;
}

/** One that belongs to one test file. */
export interface OwnN8n extends TestN8n {
	/** What it keeps outside of its database: `.n8n` is in it. */
	readonly folder: string;
	/** What n8n itself keeps its data in. */
	readonly database: DatabaseTarget;
	/** The running server; another one after `restart`. */
	server: RunningN8n;
	/** Starts it again, with all it knows, after `server.kill()` or `server.stop()`. */
	restart(): Promise<void>;
	/** Ends n8n and removes what it kept. */
	stop(): Promise<void>;
}

/**
 * The n8n that all test files of this run share; started when first asked for, which takes half a minute, and ended with the
 * run. Others work in it at the same time: make credentials and workflows freely, and unpublish what was published.
 */
export async function sharedN8n(): Promise<TestN8n> {
	const options = async () => ({ database: await (await sharedPostgres(18)).createDatabase() });
	const told = await keepShared<SharedN8n>('keep-n8n.mjs', SHARED, options, N8N_START_MS);
	const { url, login, session, logFile } = told;
	const client = new N8nClient(url, session);
	const files = fs.mkdtempSync(path.join(told.files, 'test-'));
	return {
		...{ client, login, files },
		server: { url, log: () => fs.readFileSync(logFile, 'utf8') },
		async stop() {
			await client.unpublishAll();
			fs.rmSync(files, { recursive: true, force: true, maxRetries: 5 });
		},
	};
}

/** What keep-n8n.mjs says. */
interface SharedN8n {
	url: string;
	login: Login;
	session: Session;
	files: string;
	logFile: string;
}

const SHARED = 'n8n';

/** Ends the n8n that is shared, and waits for it. */
export async function stopSharedN8n(): Promise<void> {
	await endShared(SHARED);
}

/**
 * Starts an n8n with our nodes and with an own, empty database on the shared PostgreSQL 18.
 * @param options.readsItself its nodes may read what n8n itself keeps
 */
export async function startTestN8n({
	env,
	readsItself = false,
}: { env?: Record<string, string>; readsItself?: boolean } = {}): Promise<OwnN8n> {
	const nodes = await installedPackage();
	const database = await (await sharedPostgres(18)).createDatabase();
	const port = await freePort();
	const home = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'n8n-'));
	const files = path.join(home, 'files');
	fs.mkdirSync(files);
	const remove = () => fs.rmSync(home, { recursive: true, force: true, maxRetries: 5 });
	const folder = path.join(home, 'n8n');
	const own: Record<string, string> = readsItself ? { N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES: 'false' } : {};
	const start = () =>
		startN8n({
			...{ folder, database, nodes, port, env: { ...own, ...env } },
			files: [files, ...(readsItself ? [folder] : [])],
		});
	try {
		const server = await start();
		const client = new N8nClient(server.url);
		const login = await client.setUpOwner();
		const n8n: OwnN8n = {
			client,
			login,
			files,
			folder,
			database,
			server,
			async restart() {
				n8n.server = await start();
			},
			async stop() {
				await n8n.server.stop();
				remove();
			},
		};
		return n8n;
	} catch (error) {
		remove();
		throw error;
	}
}

/**
 * The items that a node gave in its last run.
 * @param output number of the node's output, from 0
 * @throws Error that says which nodes ran and how, when this one did not
 */
export function itemsOf(execution: Execution, node: string, output = 0): Item[] {
	const run = execution.nodes[node]?.at(-1);
	if (!run) throw new Error(`"${node}" did not run.\n${describeExecution(execution)}`);
	return run.output[output] ?? [];
}

/**
 * Imports a template as users do, with the credentials that its table in workflows/README.md names, and sees that n8n
 * would publish it.
 * @returns the workflow's id; it is not published
 * @throws Error that says what n8n still asks for
 */
export async function importTemplate(n8n: TestN8n, name: TemplateName, choices: Choices): Promise<string> {
	const { client } = n8n;
	const template = readTemplate(name, choices);
	const id = await client.createWorkflow(template);
	await client.publishWorkflow(id);
	await client.unpublishWorkflow(id);
	return id;
}

/**
 * Calls a webhook of a workflow that was just published, again and again until n8n serves it: n8n says 404 until it has registered
 * the address, and 503, before any workflow begins, while its own database does not answer in time on a busy machine.
 * @throws Error when it does not serve it within a minute
 */
export async function served(call: () => Promise<Response>): Promise<Response> {
	let answer = await call();
	await until('n8n serves the address', async () => {
		if (answer.status === 404 || answer.status === 503) answer = await call();
		return answer.status !== 404 && answer.status !== 503;
	});
	return answer;
}

/** @throws Error that says which node failed and why, unless all went well */
export function assertSuccess(execution: Execution): Execution {
	if (execution.status !== 'success') throw new Error(describeExecution(execution));
	return execution;
}

/** Everything that n8n recorded of an execution, and its log: what may not hold a secret. */
export async function recordOf(n8n: TestN8n, { id }: Pick<Execution, 'id'>): Promise<string> {
	const execution = await n8n.client.api('GET', `/executions/${id}?includeData=true`);
	return JSON.stringify(execution) + n8n.server.log();
}

/** For messages of failed tests: how each node ended. */
export function describeExecution({ id, status, error, nodes }: Execution): string {
	const lines = Object.entries(nodes).flatMap(([name, runs]) =>
		runs.map((run) => {
			const counts = run.output.map((items) => items.length).join('+');
			return `  ${name}: ${run.status}, ${counts || 'no'} items${run.error ? `, ${run.error.message}` : ''}`;
		}),
	);
	return [`execution ${id}: ${status}${error ? `, ${error.message}` : ''}`, ...lines].join('\n');
}
