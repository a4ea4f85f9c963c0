/** Real PostgreSQL servers of several majors for the tests, from npm packages: one of one's own, or one shared by the run. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import type { RunningServer, ServerOptions } from '../../scripts/lib/postgres.mjs';

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
	/** A cluster that was restored to this folder, and its superuser's password: it starts in there, as it was configured. */
	restored?: { folder: string; password: string };
}

const projectRoot = path.resolve(__dirname, '../..');
/** Nothing in a test has to survive a power cut, and hundreds of small databases would keep autovacuum busy all the time. */
const FAST = {
	fsync: 'off',
	synchronous_commit: 'off',
	full_page_writes: 'off',
	shared_buffers: '32MB',
	autovacuum: 'off',
	checkpoint_timeout: '1h',
};

/** Starts a server for one test file, which should stop it; it ends with the process at the latest. Takes about a second. */
export async function startPostgres(major: Major, options: StartOptions = {}): Promise<OwnServer> {
	const folder = path.join(runFolder(), `own-${major}-${randomBytes(6).toString('hex')}`);
	fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
	startKeeper(folder, process.pid, major, options);
	const { server } = await published(folder);
	return Object.assign(describe(major, server, options.tls?.required ? 'encrypt' : 'off'), {
		stop: () => end(folder, 'SIGTERM'),
		kill: () => end(folder, 'SIGUSR2'),
	});
}

/**
 * The server of that major which all test files of this run share; started when first asked for, ended with the run.
 * Its roles and settings are common ground: create databases freely, change nothing that others could see.
 */
export async function sharedPostgres(major: Major): Promise<PostgresServer> {
	const folder = sharedFolder(major);
	fs.mkdirSync(path.dirname(folder), { recursive: true, mode: 0o700 });
	if (claims(folder)) startKeeper(folder, runPid(), major, {});
	return describe(major, (await published(folder)).server);
}

/** Ends the shared servers of this run and waits for it. Without it they end by themselves, a moment after the run. */
export async function stopSharedPostgres(): Promise<void> {
	await Promise.all(MAJORS.map((major) => end(sharedFolder(major), 'SIGTERM')));
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

/** A process of its own, because a test process that is killed cannot clean up. */
function startKeeper(folder: string, owner: number, major: Major, options: StartOptions): void {
	const serverOptions: ServerOptions = {
		packageDir: path.join(projectRoot, 'node_modules', `pg${major}`),
		auth: options.hba ?? 'scram',
		tls: options.tls,
		settings: { ...FAST, ...options.settings },
		...(options.restored && {
			...{ dataDir: options.restored.folder, password: options.restored.password, restored: true },
		}),
	};
	const args = [path.join(__dirname, 'keep-postgres.mjs'), String(owner), folder, JSON.stringify(serverOptions)];
	spawn(process.execPath, args, { detached: true, stdio: 'ignore', cwd: '/' }).unref();
}

/** Ends a server whose folder still exists, and waits until its keeper has removed it. */
async function end(folder: string, signal: 'SIGTERM' | 'SIGUSR2'): Promise<void> {
	if (!fs.existsSync(folder)) return;
	process.kill((await state(folder)).keeper, signal);
	while (fs.existsSync(folder)) await delay(10);
}

function describe(
	major: Major,
	server: Pick<RunningServer, 'host' | 'port' | 'superuser' | 'password'>,
	tls: DatabaseTarget['tls'] = 'off',
): PostgresServer {
	const { host, port, superuser, password } = server;
	const target = (database = 'postgres'): DatabaseTarget => ({
		host,
		port,
		database,
		user: superuser,
		password,
		tls,
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

/** The process that runs all tests, as global-setup.ts says: jest runs files in processes of their own, or in itself. */
function runPid(): number {
	return Number(process.env.TEST_RUN_PID ?? process.pid);
}

function runFolder(): string {
	return path.join(os.tmpdir(), `n8n-nodes-backup-test-${runPid()}`);
}

function sharedFolder(major: Major): string {
	return path.join(runFolder(), `postgres-${major}`);
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
	error?: string;
}

/** What the keeper says of its server, once it says anything. */
async function state(folder: string): Promise<KeeperState> {
	const file = path.join(folder, 'state.json');
	const deadline = Date.now() + 120_000;
	while (!fs.existsSync(file)) {
		if (Date.now() > deadline) throw new Error(`no server was started: ${file} is missing`);
		await delay(20);
	}
	return JSON.parse(fs.readFileSync(file, 'utf8')) as KeeperState;
}

async function published(folder: string): Promise<KeeperState> {
	const result = await state(folder);
	if (result.error) throw new Error(result.error);
	return result;
}
