/** Real PostgreSQL servers of several majors for the tests, from npm packages: one of one's own, or one shared by the run. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import type { DatabaseTarget } from '../../core/postgres/target';
import { startServer, type RunningServer, type ServerOptions } from '../../scripts/lib/postgres.mjs';

export type Major = 13 | 15 | 17 | 18;
export const MAJORS: readonly Major[] = [13, 15, 17, 18];

export interface CreateOptions {
	/** A database to copy. */
	template?: string;
	/** "UTF8" by default. */
	encoding?: string;
	/** Name of a file in `databases/` to run in the new database, without ".sql". */
	load?: string;
}

export interface PostgresServer {
	readonly major: Major;
	readonly host: string;
	readonly port: number;
	readonly superuser: string;
	readonly password: string;
	/** A database of this server, as its superuser. */
	target(database?: string): DatabaseTarget;
	/** A new database, as the superuser; its name is unique in the run when none is given. */
	createDatabase(name?: string, options?: CreateOptions): Promise<DatabaseTarget>;
}

export interface OwnServer extends PostgresServer {
	/** Fast shutdown: sessions are ended, then the server. */
	stop(): Promise<void>;
	/** SIGKILL to all its processes. */
	kill(): Promise<void>;
}

export interface StartOptions {
	/** How clients prove their password. Default: 'scram'. */
	hba?: 'scram' | 'md5' | 'trust';
	/** PEM texts; `required` refuses connections without TLS. */
	tls?: ServerOptions['tls'];
	/** Lines of postgresql.conf. */
	settings?: ServerOptions['settings'];
}

const projectRoot = path.resolve(__dirname, '../..');
/** Nothing in a test has to survive a power cut. */
const FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '32MB' };

/** Starts a server for one test file, which must stop it. Takes about a second. */
export async function startPostgres(major: Major, options: StartOptions = {}): Promise<OwnServer> {
	const server = await startServer(serverOptions(major, options));
	return Object.assign(describe(major, server), { stop: server.stop, kill: server.kill });
}

/**
 * The server of that major which all test files of this run share; started when first asked for, ended with the run.
 * Its roles and settings are common ground: create databases freely, change nothing that others could see.
 */
export async function sharedPostgres(major: Major): Promise<PostgresServer> {
	const folder = path.join(runFolder(), `postgres-${major}`);
	fs.mkdirSync(path.dirname(folder), { recursive: true, mode: 0o700 });
	if (claims(folder)) {
		const keeper = path.join(__dirname, 'keep-postgres.mjs');
		const args = [keeper, String(runPid()), folder, JSON.stringify(serverOptions(major, {}))];
		spawn(process.execPath, args, { detached: true, stdio: 'ignore', cwd: '/' }).unref();
	}
	const state = await published(path.join(folder, 'state.json'));
	return describe(major, state.server);
}

/** Ends the shared servers of this run and waits for it. They end by themselves too, a moment after the run. */
export async function stopSharedPostgres(): Promise<void> {
	const folders = MAJORS.map((major) => path.join(runFolder(), `postgres-${major}`)).filter((each) =>
		fs.existsSync(each),
	);
	for (const folder of folders)
		process.kill((await published(path.join(folder, 'state.json'), true)).keeper, 'SIGTERM');
	while (folders.some((folder) => fs.existsSync(folder))) await delay(20);
}

/**
 * Runs statements as the target's user over a connection of their own. Several statements in one text are one
 * transaction; with values there may be only one.
 * @returns the rows of the (last) statement
 */
export async function sql<Row extends object = Record<string, unknown>>(
	target: DatabaseTarget,
	text: string,
	values?: unknown[],
): Promise<Row[]> {
	const client = new Client({
		host: target.host,
		port: target.port,
		database: target.database,
		user: target.user,
		password: target.password,
		ssl: target.tls === 'off' ? false : { rejectUnauthorized: false },
	});
	await client.connect();
	try {
		const result: unknown = await client.query(text, values);
		const last = Array.isArray(result) ? result.at(-1) : result;
		return (last as { rows: Row[] }).rows;
	} finally {
		await client.end();
	}
}

/** Quotes a name for SQL. */
export function quoteName(name: string): string {
	return `"${name.replaceAll('"', '""')}"`;
}

function serverOptions(major: Major, options: StartOptions): ServerOptions {
	return {
		packageDir: path.join(projectRoot, 'node_modules', `pg${major}`),
		auth: options.hba ?? 'scram',
		tls: options.tls,
		settings: { ...FAST, ...options.settings },
	};
}

function describe(
	major: Major,
	server: Pick<RunningServer, 'host' | 'port' | 'superuser' | 'password'>,
): PostgresServer {
	const { host, port, superuser, password } = server;
	const target = (database = 'postgres'): DatabaseTarget => ({
		host,
		port,
		database,
		user: superuser,
		password,
		tls: 'off',
	});
	return {
		major,
		host,
		port,
		superuser,
		password,
		target,
		async createDatabase(name = `test_${randomBytes(6).toString('hex')}`, { template, encoding, load } = {}) {
			const source = template ?? (encoding ? 'template0' : 'template1');
			const how = encoding ? ` ENCODING '${encoding}'` : '';
			await sql(target(), `CREATE DATABASE ${quoteName(name)} TEMPLATE ${quoteName(source)}${how}`);
			if (load) await sql(target(name), fs.readFileSync(path.join(__dirname, 'databases', `${load}.sql`), 'utf8'));
			return target(name);
		},
	};
}

/** jest runs test files in child processes of its own, or in itself when there is only one. */
function runPid(): number {
	return process.send === undefined ? process.pid : process.ppid;
}

function runFolder(): string {
	return path.join(os.tmpdir(), `n8n-nodes-backup-test-${runPid()}`);
}

/** Whether we are the first to ask for this folder. */
function claims(folder: string): boolean {
	try {
		fs.mkdirSync(folder, { mode: 0o700 });
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
		throw error;
	}
}

interface KeeperState {
	keeper: number;
	server: RunningServer;
}

async function published(file: string, evenFailed = false): Promise<KeeperState> {
	const deadline = Date.now() + 120_000;
	while (!fs.existsSync(file)) {
		if (Date.now() > deadline) throw new Error(`no server was started: ${file} is missing`);
		await delay(20);
	}
	const state = JSON.parse(fs.readFileSync(file, 'utf8')) as KeeperState & { error?: string };
	if (state.error && !evenFailed) throw new Error(state.error);
	return state;
}
