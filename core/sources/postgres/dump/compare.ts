/** Whether a restored database is what was dumped: every table of `contents`, by its exact number of rows and its hash. */
import { addHashes, hashStatements, hashTable, isComparable, prepareHashing } from './content-hash';
import type { DatabaseFacts, TableFacts } from './contents';
import { isEverything, type Only, selects } from '../replay/only';
import type { Query } from '../connection/query';
import type { Comparison, Difference } from '../../source';

interface FoundTable {
	oid: string;
	schema: string;
	name: string;
	/** Of its partitions; null for a table that is no partition. */
	root: string | null;
	count: string;
}

const FOUND_TABLES = `
	SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name,
		CASE WHEN c.relispartition THEN pg_catalog.pg_partition_root(c.oid)::pg_catalog.regclass::text END AS root,
		pg_catalog.format('SELECT count(*)::text AS rows FROM ONLY %I.%I', n.nspname, c.relname) AS count
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** In place of a table’s name. */
const LARGE_OBJECTS = 'large objects';
/** In one transaction each, so that no server runs out of locks: with its indexes and its TOAST a table needs several. */
const TABLES_PER_TRANSACTION = 20;

/**
 * Compares a database with what its dump must hold. Reads every table once, in transactions that change nothing. Partitions
 * differ only when all of a table's partitions together do: which of them takes a row may depend on the server. Tables that the
 * backup does not know are none of its business.
 * @param options.only what was restored, when that was not everything; large objects are not compared then
 * @throws what the query throws
 */
export async function compareContents(
	query: Query,
	contents: DatabaseFacts,
	options: { only?: Only } = {},
): Promise<Comparison> {
	const expected = contents.tables.filter((table) => selects(options.only, table));
	const figures = { tables: 0, rows: 0, hashed: 0 };
	const differences: Difference[] = [];
	let largeObjects: number | null = null;
	const found = new Map<string, FoundTable>();
	await reading(query, async () => {
		for (const table of await query<FoundTable>(FOUND_TABLES)) found.set(key(table), table);
		if (contents.largeObjects === null || !isEverything(options.only)) return;
		const [counted] = await query<{ n: string }>('SELECT count(*)::text AS n FROM pg_catalog.pg_largeobject_metadata');
		largeObjects = Number(counted!.n);
	});
	const looks = expected.map((table): Look => ({ table, found: found.get(key(table)), rows: null, hash: null }));
	for (let at = 0; at < looks.length; at += TABLES_PER_TRANSACTION) {
		await reading(query, async () => await lookAt(query, looks.slice(at, at + TABLES_PER_TRANSACTION)));
	}
	const moved = new Set([...partitionsOf(looks).values()].filter(haveMoved).flat());
	for (const look of looks) {
		const difference = moved.has(look) ? null : differenceOf(look);
		figures.tables++;
		figures.rows += look.rows ?? 0;
		if (look.hash !== null) figures.hashed++;
		if (difference) differences.push(difference);
	}
	if (largeObjects !== null && largeObjects !== contents.largeObjects) {
		const [expected, found] = [String(contents.largeObjects), String(largeObjects)];
		differences.push({ item: LARGE_OBJECTS, expected, found });
	}
	return {
		ok: differences.length === 0,
		says: verdict(figures, differences),
		// Absent where the backup holds none.
		figures: largeObjects === null ? figures : { ...figures, largeObjects },
		differences,
	};
}

function verdict(
	{ tables, rows, hashed }: { tables: number; rows: number; hashed: number },
	differences: readonly Difference[],
): string {
	const objects = differences.filter(({ item }) => item === LARGE_OBJECTS).length;
	const different = differences.length - objects;
	if (different > 0) return `${different} of ${tables} tables differ from what was dumped`;
	if (objects > 0) return 'the large objects differ from what was dumped';
	const contents = hashed > 0 ? `, the content of ${hashed} compared` : '';
	return `${tables} ${tables === 1 ? 'table' : 'tables'} with ${rowsText(rows)} as they were dumped${contents}`;
}

/** What was found of a table; null where nothing had to be looked for. */
interface Look {
	readonly table: TableFacts;
	readonly found: FoundTable | undefined;
	rows: number | null;
	hash: string | null;
}

async function reading(query: Query, work: () => Promise<void>): Promise<void> {
	await query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
	try {
		// A limit of the server must not look like a damaged backup, nor row level security like missing rows.
		for (const [name, value] of [
			['statement_timeout', '0'],
			['row_security', 'off'],
			// So that names of roots have a schema.
			['search_path', 'pg_catalog'],
		]) {
			await query('SELECT pg_catalog.set_config($1, $2, true)', [name, value]);
		}
		await work();
	} finally {
		// Over a broken connection there is nothing to end, and the first error is the one that counts.
		await query('ROLLBACK').catch(() => undefined);
	}
}

async function lookAt(query: Query, looks: Look[]): Promise<void> {
	const hashable = looks.filter(({ table, found }) => found && isComparable(table.hash));
	let statements = new Map<string, string>();
	if (hashable.length > 0) {
		await prepareHashing(query);
		statements = await hashStatements(
			query,
			hashable.map(({ found }) => String(found!.oid)),
		);
	}
	for (const look of looks) {
		const { table, found } = look;
		if (!found || table.rows === null) continue; // missing, or the dump has its definition only
		const statement = statements.get(String(found.oid));
		if (statement !== undefined) Object.assign(look, await hashTable(query, statement, found.count));
		else look.rows = Number((await query<{ rows: string }>(found.count))[0]!.rows);
	}
}

function differenceOf({ table: { schema, name, ...expected }, found, rows, hash }: Look): Difference | null {
	const item = `${schema}.${name}`;
	if (!found) {
		return { item, expected: expected.rows === null ? 'the table' : rowsText(expected.rows), found: 'no such table' };
	}
	if (expected.rows === null || rows === null) return null;
	if (rows !== expected.rows) return { item, expected: rowsText(expected.rows), found: rowsText(rows) };
	if (hash === null || hash === expected.hash) return null;
	return { item, expected: `${rowsText(rows)} as they were`, found: 'as many, but with other values' };
}

/** By the table that they are the partitions of. */
function partitionsOf(looks: readonly Look[]): Map<string, Look[]> {
	const partitions = new Map<string, Look[]>();
	for (const look of looks) {
		const root = look.found?.root;
		if (root) partitions.set(root, [...(partitions.get(root) ?? []), look]);
	}
	return partitions;
}

/** Whether the rows of all partitions together are what they were, in whichever of them they lie. */
function haveMoved(looks: readonly Look[]): boolean {
	if (looks.some(({ table, rows }) => table.rows === null || rows === null)) return false;
	const total = (numbers: number[]) => numbers.reduce((sum, each) => sum + each, 0);
	if (total(looks.map(({ table }) => table.rows!)) !== total(looks.map(({ rows }) => rows!))) return false;
	const hashed = looks.filter(({ hash }) => hash !== null);
	if (hashed.length === 0) return true;
	if (hashed.length < looks.length) return false;
	return addHashes(looks.map(({ table }) => table.hash!)) === addHashes(looks.map(({ hash }) => hash!));
}

function rowsText(rows: number): string {
	return rows === 1 ? '1 row' : `${rows} rows`;
}

function key({ schema, name }: { schema: string; name: string }): string {
	return JSON.stringify([schema, name]);
}
