/**
 * Time limits that a server, a database or a role puts on sessions. They are meant for applications: a dump, a restore or a
 * comparison takes as long as it takes, and has limits of its own.
 */
import type { Client } from 'pg';

/** Of which a server knows those of its own version. */
const LIMITS = [
	'statement_timeout',
	'lock_timeout',
	'idle_in_transaction_session_timeout',
	'idle_session_timeout',
	'transaction_timeout',
];

/** Lifts all of them for a session. @throws what `pg` throws */
export async function liftLimits(client: Client): Promise<void> {
	// As one text: a connection for replication takes no values beside a statement.
	await client.query(
		`SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = ANY ('{${LIMITS.join()}}')`,
	);
}

/** The same for libpq, whose session is not ours. @param client of the same server @throws what `pg` throws */
export async function limitlessOptions(client: Client): Promise<string> {
	const { rows } = await client.query<{ name: string }>(
		'SELECT name FROM pg_catalog.pg_settings WHERE name = ANY ($1)',
		[LIMITS],
	);
	return rows.map(({ name }) => `-c ${name}=0`).join(' ');
}
