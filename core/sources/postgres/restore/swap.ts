/**
 * Puts a restored database into its place, in one transaction: renames are transactional, so that at no moment, killed
 * or not, the name is without a database. What was there is dropped only afterwards.
 */
import type { Client } from 'pg';
import { escapeIdentifier } from 'pg';
import { BackupError } from '../../../base/errors';
import { queryOf } from '../connection/query';
import { type Query } from '../connection/query';
import { keepProperties } from '../dump/database-properties';
import { toBackupError } from '../connection/errors';
import { unmark } from './leftovers';
import { dropDatabase, temporaryDatabase, withClient } from './target';
import { sqlStateOf } from '../connection/sql-state';
import type { DatabaseTarget } from '../connection/target';

/** How often sessions that hold up the rename are ended. The server itself waits five seconds for them. */
const TERMINATE_EVERY_MS = 100;
/** Another run renames or drops the same database: it is done in a moment, or stuck. */
const LOCK_TIMEOUT = '60s';
/** Nobody cancels a swap: broken off during its COMMIT, nobody could say whether it took place. It ends by itself. */
const NEVER = new AbortController().signal;

/**
 * Gives a restored database its name, and what else it shall have from its first moment on. Nobody may have that name yet.
 * @param finish in the same transaction
 * @throws BackupError 'already-exists', those of the connection
 */
export async function moveIntoPlace(
	server: DatabaseTarget,
	restored: string,
	name: string,
	finish: (query: Query) => Promise<void>,
): Promise<void> {
	await withClient(server, NEVER, async (client) => {
		await renameAlone(client, server, name, [restored], async (query) => {
			await rename(query, restored, name);
			await unmark(query, name);
			await finish(query);
		});
	});
}

/**
 * Puts a restored database in the place of another one, which is dropped. Owner, connection limit, settings, rights and
 * comment of the old one are kept. Until the moment of the swap the old one can be used; then its sessions are ended.
 * @returns warnings
 * @throws BackupError; then the old one is in its place
 */
export async function swapDatabases(server: DatabaseTarget, restored: string, name: string): Promise<string[]> {
	const aside = temporaryDatabase(name, 'replaced');
	const warnings = await withClient(server, NEVER, async (client) => {
		let kept: string[] = [];
		await renameAlone(client, server, name, [name, restored], async (query) => {
			await rename(query, name, aside);
			await rename(query, restored, name);
			await unmark(query, name);
			kept = (await keepProperties(query, aside, name)).map((text) => `of the replaced database: ${text}`);
		});
		return kept;
	});
	try {
		await dropDatabase(server, aside);
	} catch (error) {
		const { message } = toBackupError(error, server);
		warnings.push(`the database that was replaced could not be dropped and is still there as ${aside}: ${message}`);
	}
	return warnings;
}

/**
 * Renames within a transaction while the sessions of these databases are being ended. A rename locks its database, so that
 * nobody can come back; who was there before is ended from a second connection, for as long as it takes.
 * @param name that one of them is to get
 */
async function renameAlone(
	client: Client,
	server: DatabaseTarget,
	name: string,
	databases: readonly string[],
	work: (query: Query) => Promise<void>,
): Promise<void> {
	await withClient(server, NEVER, async (terminator) => {
		const terminate = async () => await endSessions(terminator, databases);
		await terminate();
		let ending: Promise<void> = Promise.resolve();
		const timer = setInterval(() => {
			// One that may not be ended makes the rename fail, which says so better.
			ending = ending.then(terminate).catch(() => undefined);
		}, TERMINATE_EVERY_MS);
		const query = queryOf(client);
		await query('BEGIN');
		try {
			await query(`SELECT pg_catalog.set_config('lock_timeout', $1, true)`, [LOCK_TIMEOUT]);
			await query(`SELECT pg_catalog.set_config('statement_timeout', '0', true)`);
			await work(query);
			await query('COMMIT');
		} catch (error) {
			// Without a connection the server rolls back by itself; the first error is the one that counts.
			await query('ROLLBACK').catch(() => undefined);
			throw refusal(error, name) ?? error;
		} finally {
			clearInterval(timer);
			await ending;
		}
	});
}

/** Ends the sessions that we may end: one by one, because a single one that we may not would spare the others. */
async function endSessions(client: Client, databases: readonly string[]): Promise<void> {
	const { rows } = await client.query<{ pid: number }>(
		'SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname = ANY ($1) AND pid <> pg_catalog.pg_backend_pid()',
		[databases],
	);
	for (const { pid } of rows) {
		try {
			await client.query('SELECT pg_catalog.pg_terminate_backend($1)', [pid]);
		} catch (error) {
			if (sqlStateOf(error) !== '42501') throw error;
		}
	}
}

/** What a rename may meet, as errors of ours. */
function refusal(error: unknown, name: string): BackupError | null {
	switch (sqlStateOf(error)) {
		case '55006':
			return new BackupError('locked', `the database ${name} is in use by sessions that this user may not end`, {
				hint: 'Stop the programs that use it, or restore as a superuser or a member of pg_signal_backend.',
				cause: error,
			});
		case '42P04':
			return new BackupError('already-exists', `somebody else made a database ${name} during the restore`, {
				hint: 'Look at what it is, or restore under another name.',
				cause: error,
			});
		default:
			return null;
	}
}

async function rename(query: Query, from: string, to: string): Promise<void> {
	await query(`ALTER DATABASE ${escapeIdentifier(from)} RENAME TO ${escapeIdentifier(to)}`);
}
