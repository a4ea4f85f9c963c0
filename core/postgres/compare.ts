/** Whether a restored database is what was dumped: every table of `contents`, by its exact number of rows and its hash. */
import type { Client } from 'pg';
import { hashStatements, hashTable, isComparable, prepareHashing } from './content-hash';
import type { DatabaseFacts, TableFacts } from './contents';
import { isEverything, type Only, selects } from './only';

/** Runs one statement in one session, a server's or an embedded database's, and returns its rows. */
export type Query = <Row extends object>(text: string, values?: unknown[]) => Promise<Row[]>;

export interface Comparison {
	/** Nothing differs. */
	ok: boolean;
	/** Compared. */
	tables: number;
	/** Found in these tables. */
	rows: number;
	/** Tables whose content was compared too. */
	hashed: number;
	/** Found; null where the backup holds none. */
	largeObjects: number | null;
	/** Each table that differs; large objects are under the name "large objects". */
	differences: Difference[];
}

export interface Difference {
	/** For people: `schema.table`. */
	table: string;
	expected: string;
	found: string;
}

interface FoundTable {
	oid: string;
	schema: string;
	name: string;
	count: string;
}

const FOUND_TABLES = `
	SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name,
		pg_catalog.format('SELECT count(*)::text AS rows FROM ONLY %I.%I', n.nspname, c.relname) AS count
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** A client of `pg` as the comparison uses it. */
export function queryOf(client: Client): Query {
	return async <Row extends object>(text: string, values?: unknown[]) => (await client.query<Row>(text, values)).rows;
}

/**
 * Compares a database with what its dump must hold. Reads every table once, in one transaction that changes nothing.
 * Tables that the backup does not know are none of its business.
 * @param options.only what was restored, when that was not everything; large objects are not compared then
 * @throws what the query throws
 */
export async function compareContents(
	query: Query,
	contents: DatabaseFacts,
	options: { only?: Only } = {},
): Promise<Comparison> {
	const expected = contents.tables.filter((table) => selects(options.only, table));
	const result: Comparison = { ok: true, tables: 0, rows: 0, hashed: 0, largeObjects: null, differences: [] };
	await query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
	try {
		// A limit of the server must not look like a damaged backup, nor row level security like missing rows.
		for (const [name, value] of [
			['statement_timeout', '0'],
			['row_security', 'off'],
		]) {
			await query('SELECT pg_catalog.set_config($1, $2, true)', [name, value]);
		}
		const found = new Map((await query<FoundTable>(FOUND_TABLES)).map((table) => [key(table), table]));
		const hashable = expected.filter((table) => isComparable(table.hash) && found.has(key(table)));
		let statements = new Map<string, string>();
		if (hashable.length > 0) {
			await prepareHashing(query);
			statements = await hashStatements(
				query,
				hashable.map((table) => String(found.get(key(table))!.oid)),
			);
		}
		for (const table of expected) {
			const there = found.get(key(table));
			const look = there && statements.get(String(there.oid));
			await compareTable(query, table, there, look, result);
		}
		if (contents.largeObjects !== null && isEverything(options.only)) {
			const [counted] = await query<{ n: string }>(
				'SELECT count(*)::text AS n FROM pg_catalog.pg_largeobject_metadata',
			);
			result.largeObjects = Number(counted!.n);
			if (result.largeObjects !== contents.largeObjects) {
				differ(result, 'large objects', String(contents.largeObjects), String(result.largeObjects));
			}
		}
		return result;
	} finally {
		// Over a broken connection there is nothing to end, and the first error is the one that counts.
		await query('ROLLBACK').catch(() => undefined);
	}
}

async function compareTable(
	query: Query,
	table: TableFacts,
	found: FoundTable | undefined,
	hashStatement: string | undefined,
	result: Comparison,
): Promise<void> {
	const name = `${table.schema}.${table.name}`;
	result.tables++;
	if (!found) {
		differ(result, name, table.rows === null ? 'the table' : rowsText(table.rows), 'no such table');
		return;
	}
	if (table.rows === null) return; // the dump has its definition only
	const { rows, hash } = hashStatement
		? await hashTable(query, hashStatement, found.count)
		: { rows: Number((await query<{ rows: string }>(found.count))[0]!.rows), hash: null };
	result.rows += rows;
	if (rows !== table.rows) differ(result, name, rowsText(table.rows), rowsText(rows));
	else if (hash !== null) {
		result.hashed++;
		if (hash !== table.hash) differ(result, name, `${rowsText(rows)} as they were`, 'as many, but with other values');
	}
}

function differ(result: Comparison, table: string, expected: string, found: string): void {
	result.ok = false;
	result.differences.push({ table, expected, found });
}

function rowsText(rows: number): string {
	return rows === 1 ? '1 row' : `${rows} rows`;
}

function key({ schema, name }: { schema: string; name: string }): string {
	return JSON.stringify([schema, name]);
}
