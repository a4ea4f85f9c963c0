/**
 * The moment a dump shows. One connection opens a read-only transaction, locks the tables, exports its snapshot for pg_dump
 * and counts the tables in it; it has to live until the dump has ended.
 */
import type { Client } from 'pg';
import { BackupError, isBackupError } from '../../../base/errors';
import { queryOf } from '../connection/query';
import { connect, disconnect } from '../connection/connection';
import type { DatabaseFacts } from './contents';
import { hiddenMappings } from './rights';
import type { DumpFilter } from './engines/engine';
import { changingError, toBackupError } from '../connection/errors';
import { gatherFacts, systemIdentifier } from './facts';
import { type GlobalsChoice, readGlobals } from './globals';
import { passwordWarning } from '../connection/password-exposure';
import { sqlStateOf } from '../connection/sql-state';
import { emptied, holdTables, lockTables, tablesToHold } from './table-locks';
import type { DatabaseTarget } from '../connection/target';

export interface Snapshot {
	/** For `pg_dump --snapshot`. */
	readonly id: string;
	/** E.g. 180003. */
	readonly serverVersionNumber: number;
	/** Which server it is, for its whole life; null where it may not be asked. */
	readonly systemIdentifier: string | null;
	/** Settles early with the reason when the snapshot dies; never resolves otherwise. */
	readonly lost: Promise<never>;
	/**
	 * Counts in the snapshot.
	 * @returns warnings too: of tables that were emptied just before it, of what pg_dump leaves out without a word, and of a
	 * password that others can read
	 */
	facts(options?: { contentHash?: boolean }): Promise<{ contents: DatabaseFacts; warnings: string[] }>;
	/** The roles of the server in the snapshot, as SQL: see {@link readGlobals}. */
	globals(choice: GlobalsChoice): Promise<string>;
	/**
	 * Ends the snapshot after proving that it lived until now.
	 * @returns how long it held back vacuum: milliseconds, and transactions that came after it
	 * @throws BackupError 'connection-lost'
	 */
	end(): Promise<{ heldMs: number; heldTransactions: number }>;
	/** Gives the connection back, whatever state it is in. */
	close(): Promise<void>;
}

export interface SnapshotOptions {
	signal: AbortSignal;
	lockTimeoutMs: number;
	/** Of the dump: its tables are locked. */
	filter: DumpFilter;
}

/**
 * Opens a snapshot of a database.
 * @throws BackupError of the connection; 'lock-timeout', 'access-denied'; 'source-changing' when a table was dropped meanwhile
 */
export async function openSnapshot(
	target: DatabaseTarget,
	{ signal, lockTimeoutMs, filter }: SnapshotOptions,
): Promise<Snapshot> {
	const client = await connect(target, { signal });
	const lost = new Promise<never>((_, reject) => {
		// What the server says before it ends a session; a statement that waits for its answer hears of it first.
		let last: unknown;
		client.connection.on('errorMessage', (error: unknown) => (last = error));
		client.once('error', (error) => reject(snapshotLost(error, target)));
		client.once('end', () => reject(snapshotLost(last, target)));
	});
	lost.catch(() => undefined); // whoever needs it waits for it; an expected end must not be an unhandled rejection
	try {
		// Row security could hide rows from the count.
		await client.query(
			`SELECT pg_catalog.set_config(name, value, false) FROM (VALUES ('row_security', 'off'), ('lock_timeout', $1::text))
			AS wanted (name, value) WHERE name IN (SELECT s.name FROM pg_catalog.pg_settings s)`,
			[String(lockTimeoutMs)],
		);
		const tables = await tablesToHold(client, filter);
		await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
		const startedAt = performance.now();
		await lockTables(client, tables);
		// The first one of the transaction: all that follows sees no other.
		const { rows } = await client.query<{ id: string; version: string }>(
			"SELECT pg_catalog.pg_export_snapshot() AS id, pg_catalog.current_setting('server_version_num') AS version",
		);
		const serverVersionNumber = Number(rows[0]!.version);
		const held = await holdTables(client, filter, tables);
		return {
			id: rows[0]!.id,
			serverVersionNumber,
			systemIdentifier: await systemIdentifier(client, serverVersionNumber),
			lost,
			facts: async ({ contentHash } = {}) => {
				const options = { serverVersionNumber, contentHash };
				const contents = await withErrors(gatherFacts(client, filter, held.tables, options));
				const hidden = await withErrors(hiddenMappings(queryOf(client), filter));
				const exposed = passwordWarning(client);
				const warnings = [...emptied(held, contents.tables), ...hidden, ...(exposed === null ? [] : [exposed])];
				return { contents, warnings };
			},
			globals: async (choice) => await withErrors(readGlobals(queryOf(client), serverVersionNumber, choice)),
			async end() {
				const transactions = await withErrors(heldTransactions(client));
				const heldMs = performance.now() - startedAt;
				await withErrors(client.query('COMMIT'));
				return { heldMs, heldTransactions: transactions };
			},
			async close() {
				await disconnect(client);
			},
		};
	} catch (error) {
		await disconnect(client);
		throw isGone(error) ? changingError(error, target) : toBackupError(error, target);
	}

	async function withErrors<T>(work: Promise<T>): Promise<T> {
		try {
			return await Promise.race([work, lost]);
		} catch (error) {
			throw toBackupError(error, target);
		}
	}
}

async function heldTransactions(client: Client): Promise<number> {
	const { rows } = await client.query<{ age: number | null }>(
		'SELECT pg_catalog.age(backend_xmin) AS age FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()',
	);
	return rows[0]?.age ?? 0;
}

/** A table or schema was dropped before it could be locked, or two wait for each other. */
function isGone(error: unknown): boolean {
	return ['42P01', '3F000', '40P01'].includes(sqlStateOf(error) ?? '');
}

/** @param cause what the server said last, which need not be why */
function snapshotLost(cause: unknown, target: DatabaseTarget): BackupError {
	if (isBackupError(cause)) return cause;
	const said = sqlStateOf(cause) === null ? null : toBackupError(cause, target);
	const isEnd = said?.code === 'connection-lost';
	return new BackupError(
		'connection-lost',
		`the connection that held the dump’s snapshot was lost${isEnd ? `: ${said.message}` : ''}`,
		{
			hint:
				(isEnd ? said.hint : undefined) ??
				'Look into the server’s log: it was restarted, or something ended the connection. Then run the backup again.',
			cause,
		},
	);
}
