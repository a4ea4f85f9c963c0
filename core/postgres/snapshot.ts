/**
 * The moment a dump shows. One connection opens a read-only transaction, exports its snapshot for pg_dump and counts
 * the tables in it; it has to live until the dump has ended.
 */
import type { Client } from 'pg';
import { BackupError, isBackupError } from '../errors';
import { queryOf } from './compare';
import { connect, disconnect } from './connection';
import type { DatabaseFacts } from './contents';
import type { DumpFilter } from './engines/engine';
import { toBackupError } from './errors';
import { gatherFacts } from './facts';
import { type GlobalsChoice, readGlobals } from './globals';
import type { DatabaseTarget } from './target';

export interface Snapshot {
	/** For `pg_dump --snapshot`. */
	readonly id: string;
	/** E.g. 180003. */
	readonly serverVersionNumber: number;
	/** Settles early with the reason when the snapshot dies; never resolves otherwise. */
	readonly lost: Promise<never>;
	/** Counts in the snapshot. */
	facts(filter: DumpFilter, options?: { contentHash?: boolean }): Promise<DatabaseFacts>;
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

/**
 * Opens a snapshot of a database.
 * @throws BackupError of the connection; 'lock-timeout' is set for all that follows in it
 */
export async function openSnapshot(
	target: DatabaseTarget,
	options: { signal: AbortSignal; lockTimeoutMs: number },
): Promise<Snapshot> {
	const client = await connect(target, { signal: options.signal });
	const lost = new Promise<never>((_, reject) => {
		client.once('error', (error) => reject(snapshotLost(error)));
		client.once('end', () => reject(snapshotLost()));
	});
	lost.catch(() => undefined); // whoever needs it waits for it; an expected end must not be an unhandled rejection
	try {
		await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
		const startedAt = performance.now();
		// Without these, a server's defaults could end the snapshot, or row security could hide rows from the count.
		await client.query(`SELECT pg_catalog.set_config(name, value, true) FROM (VALUES
			('statement_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), ('row_security', 'off'))
			AS wanted (name, value) WHERE name IN (SELECT s.name FROM pg_catalog.pg_settings s)`);
		await client.query("SELECT pg_catalog.set_config('lock_timeout', $1, true)", [String(options.lockTimeoutMs)]);
		const { rows } = await client.query<{ id: string; version: string }>(
			"SELECT pg_catalog.pg_export_snapshot() AS id, pg_catalog.current_setting('server_version_num') AS version",
		);
		const serverVersionNumber = Number(rows[0]!.version);
		return {
			id: rows[0]!.id,
			serverVersionNumber,
			lost,
			facts: async (filter, { contentHash } = {}) =>
				await withErrors(gatherFacts(client, filter, { serverVersionNumber, contentHash })),
			globals: async (choice) => await withErrors(readGlobals(queryOf(client), serverVersionNumber, choice)),
			async end() {
				const held = await withErrors(heldTransactions(client));
				const heldMs = performance.now() - startedAt;
				await withErrors(client.query('COMMIT'));
				return { heldMs, heldTransactions: held };
			},
			async close() {
				await disconnect(client);
			},
		};
	} catch (error) {
		await disconnect(client);
		throw toBackupError(error, target);
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

function snapshotLost(cause?: unknown): BackupError {
	if (isBackupError(cause)) return cause;
	return new BackupError('connection-lost', 'the connection that held the dump’s snapshot was lost', {
		hint: 'Look into the server’s log: it was restarted, or something ended the connection. Then run the backup again.',
		cause,
	});
}
