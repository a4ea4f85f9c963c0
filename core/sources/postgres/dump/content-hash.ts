/**
 * One hash per table over all its rows, whatever their order: equal in the dump's snapshot and in the restored database,
 * and different as soon as one value is. Each row's text is hashed with SHA-256; the first two 64-bit halves of these are
 * added up. Values are written with fixed settings and as UTF-8, columns in the order of their names, so that the result
 * depends neither on a server's configuration nor on its version (13 to 18) nor on the encoding of the database.
 */
import { BackupError } from '../../../base/errors';
import type { Query } from '../connection/query';
import { sqlStateOf } from '../connection/sql-state';

/** Of how a hash is made. A hash with another prefix is never compared with ours. */
const SCHEME = '1:';
/** The first server with sha256() is 11; from 12 on floats are written in their shortest form. */
const SINCE = 120000;

/** Everything that has a say in how a value becomes text. */
const SETTINGS: Record<string, string> = {
	DateStyle: 'ISO, YMD',
	IntervalStyle: 'postgres',
	TimeZone: 'UTC',
	extra_float_digits: '3',
	bytea_output: 'hex',
	lc_monetary: 'C',
	// Names of tables, types and functions in values are written with their schema.
	search_path: 'pg_catalog',
};

/** Generated columns are not in a dump: the server makes them again. */
const STATEMENTS = `
	SELECT c.oid::int8 AS oid, pg_catalog.format(
		'SELECT count(*)::text AS rows, coalesce(sum((''x'' || substr(h, 1, 16))::bit(64)::bigint), 0)::text AS a, '
		'coalesce(sum((''x'' || substr(h, 17, 16))::bit(64)::bigint), 0)::text AS b FROM ('
		'SELECT encode(sha256(convert_to(ROW(%s)::text, %L)), ''hex'') AS h FROM ONLY %I.%I OFFSET 0) AS hashed',
		(SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attname::text COLLATE "C")
			FROM pg_catalog.pg_attribute a
			WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
		CASE pg_catalog.getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END,
		n.nspname, c.relname) AS statement
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE c.oid = ANY ($1::pg_catalog.oid[])`;

export interface HashedTable {
	rows: number;
	/** null where a row's text cannot be made: longer than the server allows, or without a form in UTF-8. */
	hash: string | null;
}

/** Whether a hash was made the way this version makes it. */
export function isComparable(hash: string | undefined): hash is string {
	return hash?.startsWith(SCHEME) === true;
}

/** The hash of the rows of several tables with the same columns, in whichever of them they lie. */
export function addHashes(hashes: readonly string[]): string {
	const halves = hashes.map((hash) => hash.slice(SCHEME.length).split(':').map(BigInt));
	const sum = (half: 0 | 1) => halves.reduce((total, pair) => total + pair[half]!, 0n);
	return `${SCHEME}${sum(0)}:${sum(1)}`;
}

/**
 * Sets what hashing needs until the transaction ends. What is looked up by search path must be looked up before.
 * @throws BackupError 'unsupported' for a server older than 12
 */
export async function prepareHashing(query: Query): Promise<void> {
	const [server] = await query<{ version: string; text: string }>(
		`SELECT pg_catalog.current_setting('server_version_num') AS version,
			pg_catalog.current_setting('server_version') AS text`,
	);
	if (Number(server!.version) < SINCE) {
		throw new BackupError('unsupported', `content hashes need PostgreSQL 12, the server is ${server!.text}`, {
			hint: 'Turn the content hash off: row counts are compared anyway.',
		});
	}
	for (const [name, value] of Object.entries(SETTINGS)) {
		await query('SELECT pg_catalog.set_config($1, $2, true)', [name, value]);
	}
}

/** The statements that count and hash these tables, by their oid. */
export async function hashStatements(query: Query, oids: readonly string[]): Promise<Map<string, string>> {
	const rows = await query<{ oid: string; statement: string }>(STATEMENTS, [oids]);
	return new Map(rows.map(({ oid, statement }) => [String(oid), statement]));
}

/**
 * Counts and hashes one table, inside of a transaction that goes on whatever happens.
 * @param statement of {@link hashStatements}
 * @param count the statement that only counts, for a table that cannot be hashed
 */
export async function hashTable(query: Query, statement: string, count: string): Promise<HashedTable> {
	await query('SAVEPOINT hashing');
	try {
		const [found] = await query<{ rows: string; a: string; b: string }>(statement);
		return { rows: Number(found!.rows), hash: `${SCHEME}${found!.a}:${found!.b}` };
	} catch (error) {
		// 22: no such character in UTF-8; 54 and XX: a text of more than a gigabyte.
		if (!/^(?:22|54|XX)/.test(sqlStateOf(error) ?? '')) throw error;
		await query('ROLLBACK TO SAVEPOINT hashing');
		const [counted] = await query<{ rows: string }>(count);
		return { rows: Number(counted!.rows), hash: null };
	} finally {
		// A transaction that a lost connection took along has no savepoint to release, and says so itself.
		await query('RELEASE SAVEPOINT hashing').catch(() => undefined);
	}
}
