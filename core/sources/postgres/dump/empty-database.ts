/** A database without tables is most often not the one that was meant: n8n's credential names `postgres` by default. */
import { isBackupError } from '../../../base/errors';
import { sizeText } from '../../../base/size-text';
import { queryOf } from '../connection/query';
import { type Query } from '../connection/query';
import { connect, disconnect } from '../connection/connection';
import type { DatabaseTarget } from '../connection/target';

/** How many other databases are named. */
const MAX_NAMED = 10;

/** Sizes need the right to connect, or to read statistics. */
const OTHERS = `
	SELECT name, bytes::text FROM (
		SELECT d.datname AS name,
			CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
				THEN pg_catalog.pg_database_size(d.oid) END AS bytes
		FROM pg_catalog.pg_database d
		WHERE d.datallowconn AND NOT d.datistemplate AND d.datname <> pg_catalog.current_database()
			AND NOT d.datname = ANY ($1::text[])
	) others ORDER BY others.bytes DESC NULLS LAST, name`;

/**
 * What to say of a database that has no tables.
 * @param query of a connection to it
 * @param alongside databases that are backed up in the same run
 * @returns null where all other databases of the server are backed up too: then nothing was forgotten
 */
export async function emptyWarning(
	query: Query,
	database: string,
	alongside: readonly string[] = [],
): Promise<string | null> {
	const others = await query<{ name: string; bytes: string | null }>(OTHERS, [alongside]);
	if (others.length === 0 && alongside.some((name) => name !== database)) return null;
	const named = others
		.slice(0, MAX_NAMED)
		.map(({ name, bytes }) => (bytes === null ? name : `${name} (${sizeText(Number(bytes))})`));
	const more = others.length > MAX_NAMED ? ` and ${others.length - MAX_NAMED} more` : '';
	const where =
		named.length === 0 ? 'and the server no other database' : `but the server also has ${named.join(', ')}${more}`;
	return `the database "${database}" has no tables, ${where}`;
}

/**
 * The same, over a connection of its own. It is asked when the dump is whole: that it cannot be asked is no reason to fail.
 * @throws BackupError 'cancelled'
 */
export async function warnIfEmpty(
	target: DatabaseTarget,
	alongside: readonly string[] | undefined,
	signal: AbortSignal,
): Promise<string | null> {
	try {
		const client = await connect(target, { signal });
		try {
			return await emptyWarning(queryOf(client), target.database, alongside);
		} finally {
			await disconnect(client);
		}
	} catch (error) {
		if (signal.aborted || !isBackupError(error)) throw error;
		return `the database "${target.database}" has no tables`;
	}
}
