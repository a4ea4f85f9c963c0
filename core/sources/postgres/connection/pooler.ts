/**
 * Connection poolers that lend one session of the server to several clients in turn. pg_dump, a restore and a drill set
 * parameters of their session; there, they would stay behind for somebody else's application.
 */
import type { Client, QueryResult } from 'pg';
import { BackupError } from '../../../base/errors';
import { sqlStateOf } from './sql-state';
import { type DatabaseTarget, describeTarget } from './target';

/**
 * A busy pooler may happen to give a client the same session again, and the other one another: with four applications at work
 * a test has met that three times in a row. Only a pool in session mode is asked so often.
 */
const ROUNDS = 15;

const WHO = 'SELECT pg_catalog.pg_backend_pid() AS pid';
type Answer = { pid: number };

/**
 * Proves that this client has its session for itself, before anything was set in it. A server tells each client the process
 * that serves it. Who is told another one than answers speaks to something in between; whether that lends sessions, a second
 * client shows: it gets the session of the first, or the first loses it while the second one is at work.
 * @returns the process of the server that serves this client
 * @param open a second client; only opened, and closed by `close`, where there is something in between
 * @throws BackupError 'unsupported'; what `open` and `pg` throw
 */
export async function assertOwnSession(
	client: Client,
	target: DatabaseTarget,
	{ open, close }: { open: () => Promise<Client>; close: (second: Client) => Promise<void> },
): Promise<number> {
	// Public in `pg`, though its types do not say so.
	const { processID } = client as Client & { processID: number | null };
	const answering = await processOf(client);
	if (answering === processID) return answering;
	const second = await open();
	try {
		for (let round = 0, before = answering; round < ROUNDS; round++) {
			const other = await begin(second, target);
			const after = await processOf(client);
			await second.query('ROLLBACK');
			if (other === before || after !== before) throw shared(target);
			before = after;
		}
		return answering;
	} finally {
		await close(second);
	}
}

async function processOf(client: Client): Promise<number> {
	const { rows } = await client.query<Answer>(WHO);
	return rows[0]!.pid;
}

/**
 * Begins a transaction, in the same message asking who answers: each answer takes its time on the way. A pooler that lends
 * sessions for one statement at a time refuses transactions, as a violation of the protocol.
 */
async function begin(client: Client, target: DatabaseTarget): Promise<number> {
	try {
		// `pg` gives one result for each statement, though its types do not say so.
		const results: unknown = await client.query(`BEGIN; ${WHO}`);
		return (results as QueryResult<Answer>[])[1]!.rows[0]!.pid;
	} catch (error) {
		throw sqlStateOf(error) === '08P01' ? shared(target) : error;
	}
}

function shared(target: DatabaseTarget): BackupError {
	return new BackupError(
		'unsupported',
		`${describeTarget(target)}: a connection pooler answers there, and it shares sessions between clients`,
		{
			hint: 'Give the server’s own address and port instead of the pooler’s (often 5432 instead of 6432 or 6543), or a pool in session mode: what a dump or restore sets in its session would reach other clients.',
		},
	);
}
