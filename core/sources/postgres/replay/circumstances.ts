/**
 * What has to be known of a database, once it has refused a statement, before anybody is blamed. Any session can be asked, in
 * statements that succeed or fail: a division by zero is a no.
 */
import { escapeLiteral } from 'pg';
import { messageOf } from '../../../base/errors';
import type { DatabaseFacts } from '../dump/contents';
import type { ReplaySession } from './session';
import { sqlStateOf } from '../connection/sql-state';

/** Relation, function, type (or another object), schema. */
const UNDEFINED = /^(?:42P01|42883|42704)$/;

/**
 * `search path`: what the statement misses is there, in a schema that is not searched. `later`: the dump makes it later. null:
 * neither, or it cannot be told.
 */
export type Missing = 'search path' | 'later' | null;

/** @param contents of the backup, where they are known */
export async function whyMissing(
	session: ReplaySession,
	error: unknown,
	contents: Pick<DatabaseFacts, 'tables'> | undefined,
): Promise<Missing> {
	if (!UNDEFINED.test(sqlStateOf(error) ?? '')) return null;
	const name = missingName(messageOf(error));
	if (name === null || !/^[\x21-\x7e]+$/.test(name)) return null;
	const isQualified = /[\w"]\.[\w"]/.test(name);
	const isTable = contents?.tables.some(
		(table) => name === (isQualified ? `${table.schema}.${table.name}` : table.name),
	);
	if (isQualified) return isTable ? 'later' : null;
	return isTable || (await holds(session, isSomewhere(name))) ? 'search path' : null;
}

/** `relation "orders"`, `function is_mail(text)`, `operator does not exist: public.hstore -> unknown`, in any language. */
function missingName(message: string): string | null {
	const [, quoted, called, operator] =
		/["„«»]([^"“«»]+)["“«»]|([\w$.]+)\(|: \S+ ([-+*/<>=~!@#%^&|`?]+) \S+$/.exec(message) ?? [];
	return quoted ?? called ?? operator ?? null;
}

function isSomewhere(name: string): string {
	const kinds = {
		class: 'rel',
		proc: 'pro',
		type: 'typ',
		ts_config: 'cfg',
		ts_dict: 'dict',
		collation: 'coll',
		operator: 'opr',
	};
	const places = Object.entries(kinds).map(
		([catalog, prefix]) =>
			`SELECT ${prefix}namespace AS schema FROM pg_catalog.pg_${catalog} WHERE ${prefix}name = ${escapeLiteral(name)}`,
	);
	return `SELECT pg_catalog.count(*) > 0 FROM (${places.join(' UNION ALL ')}) AS places
		WHERE schema <> 'pg_catalog'::pg_catalog.regnamespace`;
}

/** What of a database that rows and definitions may depend on is not as it was where they were dumped, for people. */
export async function differences(session: ReplaySession, contents: DatabaseFacts | undefined): Promise<string[]> {
	if (contents === undefined) return [];
	const { encoding, collation, characterType, timeZone } = contents;
	const database = (condition: string) =>
		`SELECT ${condition} FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`;
	const same: Array<[string, string]> = [
		[`the encoding ${encoding}`, database(`pg_catalog.pg_encoding_to_char(encoding) = ${escapeLiteral(encoding)}`)],
		[
			`the locale ${collation}`,
			database(`datcollate = ${escapeLiteral(collation)} AND datctype = ${escapeLiteral(characterType)}`),
		],
	];
	if (timeZone !== undefined) {
		same.push([
			`the time zone ${timeZone}`,
			`SELECT pg_catalog.current_setting('TimeZone') = ${escapeLiteral(timeZone)}`,
		]);
	}
	const found: string[] = [];
	for (const [what, condition] of same) if (!(await holds(session, condition))) found.push(what);
	return found;
}

/** @param condition a query of one boolean. @throws BackupError when the session is lost */
async function holds(session: ReplaySession, condition: string): Promise<boolean> {
	try {
		await session.execute([Buffer.from(`SELECT 1 / (${condition})::pg_catalog.int4;`)]);
		return true;
	} catch (error) {
		if (sqlStateOf(error) === null) throw error;
		return false;
	}
}
