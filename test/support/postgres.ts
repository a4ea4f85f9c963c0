/** Real PostgreSQL servers of several majors for the tests, from npm packages: one of one's own, or one shared by the run. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Client, type DatabaseError } from 'pg';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import type { RunningServer, ServerOptions } from '../../scripts/lib/postgres.mjs';
import { endShared, keepOwn, keepShared } from './kept';

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
	/** Its name; default: 'postgres'. */
	superuser?: string;
	/** PEM texts; `required` refuses connections without TLS. */
	tls?: ServerOptions['tls'];
	/** What initdb is told besides: checksums, the size of files of the log. */
	initdb?: ServerOptions['initdb'];
	/** Lets other servers replicate it, which asks for a line of its own in pg_hba.conf. */
	replication?: boolean;
	/** Lines of postgresql.conf. */
	settings?: ServerOptions['settings'];
	/** A cluster that was restored to this folder, and its superuser's password: it starts in there, as it was configured. */
	restored?: { folder: string; password: string };
}

const KEEPER = 'keep-postgres.mjs';
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
	const { told, stop, kill } = await keepOwn<RunningServer>(KEEPER, String(major), serverOptions(major, options));
	return Object.assign(describe(major, told, options.tls?.required ? 'encrypt' : 'off'), { stop, kill });
}

/**
 * The server of that major which all test files of this run share; started when first asked for, ended with the run.
 * Its roles and settings are common ground: create databases freely, change nothing that others could see.
 */
export async function sharedPostgres(major: Major): Promise<PostgresServer> {
	return describe(
		major,
		await keepShared<RunningServer>(KEEPER, `postgres-${major}`, async () => serverOptions(major, {})),
	);
}

/** Ends the shared servers of this run and waits for it. */
export async function stopSharedPostgres(): Promise<void> {
	await Promise.all(MAJORS.map((major) => endShared(`postgres-${major}`)));
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
	const client = await connectTo(target);
	try {
		const result: unknown = await client.query(text, values);
		const last = Array.isArray(result) ? result.at(-1) : result;
		return (last as { rows: Row[] }).rows;
	} finally {
		await client.end();
	}
}

/**
 * Runs many queries, one after the other over one connection: to connect takes longer than most queries of a test.
 * @returns the only row of each, by the query's name
 */
export async function sqlEach<Row extends object>(
	target: DatabaseTarget,
	queries: ReadonlyMap<string, string>,
): Promise<Map<string, Row>> {
	const client = await connectTo(target);
	try {
		const rows = new Map<string, Row>();
		for (const [name, text] of queries) rows.set(name, (await client.query<Row>(text)).rows[0]!);
		return rows;
	} finally {
		await client.end();
	}
}

/** Runs a file of `databases/`. Roles belong to the server: two that make the same one at the same moment are in each other's way. */
async function fill(target: DatabaseTarget, text: string): Promise<void> {
	for (let attempt = 1; ; attempt++) {
		try {
			await sql(target, text);
			return;
		} catch (error) {
			if ((error as DatabaseError).constraint !== 'pg_authid_rolname_index' || attempt === 5) throw error;
		}
	}
}

/** A connection of its own; close it with `end`. */
export async function connectTo(target: DatabaseTarget): Promise<Client> {
	const client = new Client({
		host: target.host,
		port: target.port,
		database: target.database,
		user: target.user,
		password: target.password,
		ssl: target.tls === 'off' ? false : { rejectUnauthorized: false },
	});
	await client.connect();
	return client;
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
		initdb: options.initdb,
		superuser: options.superuser,
		replication: options.replication,
		settings: { ...FAST, ...options.settings },
		...(options.restored && {
			...{ dataDir: options.restored.folder, password: options.restored.password, restored: true },
		}),
	};
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
			if (load) await fill(target(name), fs.readFileSync(path.join(__dirname, 'databases', `${load}.sql`), 'utf8'));
			return target(name);
		},
	};
}
