/** What drills that were killed left on a scratch server, told by its name, and removed by the next drill. */
import type { Client } from 'pg';
import { scratchError } from './scratch-errors';
import { sqlStateOf } from '../connection/sql-state';
import type { DatabaseTarget } from '../connection/target';

/** With the server's own time, so that wrong clocks elsewhere make no database look old. */
export const DRILL_PREFIX = 'n8n_backup_drill_';
const NAME = `^${DRILL_PREFIX}[0-9]{14}_[a-z0-9]{8}$`;
/**
 * Drops databases of drills that ended without doing so: of our exact form of name, older than a day, and with no session.
 * A drill at work always has one or is younger; a session that comes in between makes the server refuse.
 */
export async function removeForgotten(
	client: Client,
	server: DatabaseTarget,
	warn: (text: string) => void,
): Promise<void> {
	const { rows } = await client.query<{ name: string; quoted: string }>(
		`SELECT d.datname AS name, pg_catalog.quote_ident(d.datname) AS quoted FROM pg_catalog.pg_database d
		 WHERE d.datname::text ~ $1 AND pg_catalog.pg_has_role(d.datdba, 'USAGE')
			AND pg_catalog.substr(d.datname::text, $2, 14)
				< pg_catalog.to_char((pg_catalog.now() - interval '1 day') AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS')
			AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)`,
		[NAME, DRILL_PREFIX.length + 1],
	);
	for (const { name, quoted } of rows) {
		try {
			await client.query(`DROP DATABASE IF EXISTS ${quoted}`);
			warn(`removed the database of an earlier drill that did not finish: ${name}`);
		} catch (error) {
			if (sqlStateOf(error) === null) throw error;
			warn(`the database ${name} of an earlier drill cannot be dropped: ${scratchError(error, server).message}`);
		}
	}
	await removeForgottenRoles(client);
}

/** The roles of such databases, of the same name, once these are gone. Where it may not be dropped, it harms nobody either. */
async function removeForgottenRoles(client: Client): Promise<void> {
	const { rows } = await client.query<{ quoted: string }>(
		`SELECT pg_catalog.quote_ident(r.rolname) AS quoted FROM pg_catalog.pg_roles r
		 WHERE r.rolname::text ~ $1 AND pg_catalog.substr(r.rolname::text, $2, 14)
				< pg_catalog.to_char((pg_catalog.now() - interval '1 day') AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS')
			AND NOT EXISTS (SELECT FROM pg_catalog.pg_database d WHERE d.datname = r.rolname)`,
		[NAME, DRILL_PREFIX.length + 1],
	);
	for (const { quoted } of rows) {
		await client.query(`DROP ROLE IF EXISTS ${quoted}`).catch((error: unknown) => {
			if (sqlStateOf(error) === null) throw error;
		});
	}
}
