/** What a dump must hold: counted in the very snapshot the dump is made from, so that a restore can be compared with it. */
import type { Client } from 'pg';
import { queryOf } from '../connection/query';
import { type Query } from '../connection/query';
import { hashStatements, hashTable, prepareHashing } from './content-hash';
import type { DatabaseFacts, TableFacts } from './contents';
import { readProperties } from './database-properties';
import type { DumpFilter } from './engines/engine';
import { translatePattern } from '../connection/patterns';
import { MONEY_LOCALE } from './session-settings';

/**
 * Tables whose rows pg_dump writes: ordinary ones and partitions, not those of the system or of extensions. Of a
 * standby, pg_dump leaves out the rows of unlogged tables, which do not exist there.
 */
const TABLES = `
	SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name,
		c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery() AS without_rows,
		pg_catalog.pg_stat_get_live_tuples(c.oid)::text AS live,
		pg_catalog.format('ONLY %I.%I', n.nspname, c.relname) AS relation
	FROM pg_catalog.pg_class c
	JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind = 'r' AND c.relpersistence <> 't'
		AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
		AND NOT EXISTS (
			SELECT FROM pg_catalog.pg_depend d
			WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
	ORDER BY n.nspname, c.relname`;

/**
 * Roles that own something here, or that something here is granted to or applies to. What the bootstrap superuser (always
 * 10) owns is not recorded as a dependency.
 */
const ROLES = `
	SELECT r.rolname AS name, pg_catalog.bool_or(used.how = 'o') AS owns FROM pg_catalog.pg_roles r JOIN (
		SELECT d.refobjid AS oid, d.deptype AS how FROM pg_catalog.pg_shdepend d
		JOIN pg_catalog.pg_database b ON b.oid = d.dbid AND b.datname = pg_catalog.current_database()
		WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.deptype IN ('o', 'a', 'r')
		UNION SELECT 10, 'o' WHERE EXISTS (
			SELECT 1 FROM (
				SELECT 'pg_class'::pg_catalog.regclass AS class, oid, relowner AS owner, relnamespace AS schema
				FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
				UNION ALL SELECT 'pg_proc'::pg_catalog.regclass, oid, proowner, pronamespace FROM pg_catalog.pg_proc
				UNION ALL SELECT 'pg_type'::pg_catalog.regclass, t.oid, t.typowner, t.typnamespace FROM pg_catalog.pg_type t
				LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
				WHERE t.typtype IN ('d', 'e', 'r') OR t.typtype = 'b' AND t.typcategory <> 'A' OR c.relkind = 'c'
				UNION ALL SELECT 'pg_operator'::pg_catalog.regclass, oid, oprowner, oprnamespace FROM pg_catalog.pg_operator
				UNION ALL SELECT 'pg_collation'::pg_catalog.regclass, oid, collowner, collnamespace FROM pg_catalog.pg_collation
				UNION ALL SELECT 'pg_namespace'::pg_catalog.regclass, oid, nspowner, oid FROM pg_catalog.pg_namespace
				WHERE nspname <> 'public'
			) AS things JOIN pg_catalog.pg_namespace n ON n.oid = things.schema
			WHERE things.owner = 10 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (
				SELECT FROM pg_catalog.pg_depend d WHERE d.classid = things.class AND d.objid = things.oid AND d.deptype = 'e')
			UNION ALL SELECT 1 FROM pg_catalog.pg_largeobject_metadata WHERE lomowner = 10)
	) AS used ON used.oid = r.oid
	GROUP BY r.rolname ORDER BY r.rolname`;

/** Who sorts, since there is a choice: 15; under its present name since 17. */
function localeColumns(serverVersionNumber: number): string {
	if (serverVersionNumber < 150000) return 'NULL AS provider, NULL AS locale';
	return `d.datlocprovider AS provider, d.${serverVersionNumber < 170000 ? 'daticulocale' : 'datlocale'} AS locale`;
}

const LOCALE_PROVIDERS: Record<string, DatabaseFacts['localeProvider']> = { c: 'libc', i: 'icu', b: 'builtin' };

/** The first server with pg_control_system(): 9.6. */
const CONTROL_DATA_SINCE = 90600;

/** Which server this is, for its whole life; null where it cannot or may not be asked. */
export async function systemIdentifier(client: Client, serverVersionNumber: number): Promise<string | null> {
	if (serverVersionNumber < CONTROL_DATA_SINCE) return null;
	const { rows } = await client.query<{ id: string | null }>(`
		SELECT CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
			THEN (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) END AS id`);
	return rows[0]!.id;
}

/** A table that a dump with this filter would hold. */
export interface DumpedTable {
	oid: string;
	schema: string;
	name: string;
	withRows: boolean;
	/** About how many rows it had a moment ago, by the server's statistics; 0 where they say nothing. */
	live: number;
	/** It alone, quoted by the server: `ONLY public."Order"`. */
	relation: string;
}

interface TableRow {
	oid: string;
	schema: string;
	name: string;
	without_rows: boolean;
	live: string;
	relation: string;
}

/** The tables that a dump with this filter holds, as pg_dump itself chooses them. */
export async function listTables(client: Client, filter: DumpFilter): Promise<DumpedTable[]> {
	const { rows } = await client.query<TableRow>(TABLES);
	const [schemas, excludeSchemas] = await Promise.all([
		matchSchemas(client, filter.schemas),
		matchSchemas(client, filter.excludeSchemas),
	]);
	const [tables, excludeTables, excludeData] = await Promise.all([
		matchTables(client, filter.tables),
		matchTables(client, filter.excludeTables),
		matchTables(client, filter.excludeTableData),
	]);
	return rows
		.filter((row) => {
			// As in pg_dump: what is said about schemas has no effect when tables are named.
			if (filter.tables?.length) return tables.has(row.oid);
			return (!filter.schemas?.length || schemas.has(row.schema)) && !excludeSchemas.has(row.schema);
		})
		.filter((row) => !excludeTables.has(row.oid))
		.map((row) => ({
			oid: row.oid,
			schema: row.schema,
			name: row.name,
			withRows: !filter.schemaOnly && !row.without_rows && !excludeData.has(row.oid),
			live: Number(row.live),
			relation: row.relation,
		}));
}

async function matchSchemas(client: Client, patterns: string[] = []): Promise<Set<string>> {
	const found = new Set<string>();
	for (const pattern of patterns) {
		const { rows } = await client.query<{ nspname: string }>(
			'SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname::text COLLATE "C" ~ $1',
			[translatePattern(pattern).name],
		);
		for (const row of rows) found.add(row.nspname);
	}
	return found;
}

async function matchTables(client: Client, patterns: string[] = []): Promise<Set<string>> {
	const found = new Set<string>();
	for (const pattern of patterns) {
		const { schema, name } = translatePattern(pattern);
		// Without a schema, a pattern means what the search path shows, as in pg_dump.
		const { rows } = await client.query<{ oid: string }>(
			`SELECT c.oid::int8 AS oid FROM pg_catalog.pg_class c
			 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			 WHERE c.relname::text COLLATE "C" ~ $1
				AND CASE WHEN $2::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
					ELSE n.nspname::text COLLATE "C" ~ $2 END`,
			[name, schema],
		);
		for (const row of rows) found.add(row.oid);
	}
	return found;
}

/**
 * Counts everything, and hashes it when asked to. Takes about as long as reading every table once.
 * @param tables as {@link listTables} gives them in the same snapshot
 */
export async function gatherFacts(
	client: Client,
	filter: DumpFilter,
	tables: readonly DumpedTable[],
	options: { serverVersionNumber: number; contentHash?: boolean },
): Promise<DatabaseFacts> {
	const { serverVersionNumber } = options;
	const { rows } = await client.query<Record<string, string | null>>(`
		SELECT d.datname AS database, pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
			d.datcollate AS collation, d.datctype AS ctype,
			pg_catalog.pg_database_size(d.oid)::text AS bytes,
			pg_catalog.current_setting('TimeZone') AS time_zone,
			pg_catalog.current_setting('server_version') AS version, ${localeColumns(serverVersionNumber)}
		FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`);
	const database = rows[0]!;
	const extensions = await client.query<{ name: string; version: string }>(
		'SELECT extname AS name, extversion AS version FROM pg_catalog.pg_extension ORDER BY extname',
	);
	const roles = await client.query<{ name: string; owns: boolean }>(ROLES);
	const counted = await countTables(client, tables, options.contentHash === true);
	// pg_dump leaves large objects out as soon as schemas or tables are chosen.
	const withLargeObjects = !filter.schemaOnly && !filter.schemas?.length && !filter.tables?.length;
	const largeObjects = withLargeObjects
		? (await client.query<{ n: string }>('SELECT count(*)::text AS n FROM pg_catalog.pg_largeobject_metadata')).rows[0]!
		: null;
	return {
		format: 1,
		database: database.database!,
		systemIdentifier: await systemIdentifier(client, serverVersionNumber),
		serverVersion: database.version!,
		serverVersionNumber,
		encoding: database.encoding!,
		collation: database.collation!,
		characterType: database.ctype!,
		...(database.provider && { localeProvider: LOCALE_PROVIDERS[database.provider] }),
		...(database.locale && { locale: database.locale }),
		timeZone: database.time_zone!,
		moneyLocale: MONEY_LOCALE,
		properties: await readProperties(queryOf(client), database.database!),
		databaseBytes: Number(database.bytes),
		extensions: extensions.rows,
		roles: roles.rows.map(({ name }) => name),
		owners: roles.rows.filter(({ owns }) => owns).map(({ name }) => name),
		tables: counted,
		largeObjects: largeObjects && Number(largeObjects.n),
	};
}

/** Each waits for whoever has its table for himself. */
async function sizesOf(query: Query, tables: readonly DumpedTable[]): Promise<Map<string, number>> {
	const rows = await query<{ oid: string; bytes: string | null }>(
		`SELECT oid::int8 AS oid, pg_catalog.pg_total_relation_size(oid)::text AS bytes FROM pg_catalog.unnest($1::oid[]) AS oid`,
		[tables.map(({ oid }) => oid)],
	);
	return new Map(rows.map(({ oid, bytes }) => [oid, Number(bytes)]));
}

/** The tables of which others are parts, however deep, by the oid of the part. */
async function rootsOf(query: Query): Promise<Map<string, [schema: string, name: string]>> {
	const rows = await query<{ oid: string; parent: string; schema: string; name: string }>(`
		SELECT i.inhrelid::int8 AS oid, i.inhparent::int8 AS parent, n.nspname AS schema, c.relname AS name
		FROM pg_catalog.pg_inherits i
		JOIN pg_catalog.pg_class c ON c.oid = i.inhparent AND c.relkind IN ('r', 'p')
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		ORDER BY i.inhseqno DESC`);
	const above = new Map(rows.map((row) => [row.oid, row]));
	const roots = new Map<string, [string, string]>();
	for (const { oid, parent } of rows) {
		let top = above.get(oid)!;
		for (let next = above.get(parent); next; next = above.get(next.parent)) top = next;
		roots.set(oid, [top.schema, top.name]);
	}
	return roots;
}

async function countTables(
	client: Client,
	tables: readonly DumpedTable[],
	contentHash: boolean,
): Promise<TableFacts[]> {
	const query = queryOf(client);
	let statements = new Map<string, string>();
	if (contentHash) {
		await prepareHashing(query);
		const oids = tables.filter(({ withRows }) => withRows).map(({ oid }) => oid);
		statements = await hashStatements(query, oids);
	}
	const sizes = await sizesOf(query, tables);
	const roots = await rootsOf(query);
	const facts: TableFacts[] = [];
	for (const { oid, withRows, relation, ...named } of tables) {
		const root = roots.get(oid);
		const table = { schema: named.schema, name: named.name, ...(root && { partitionOf: root }) };
		const bytes = sizes.get(oid) ?? 0;
		const count = `SELECT count(*)::text AS rows FROM ${relation}`;
		const statement = statements.get(oid);
		if (!withRows) facts.push({ ...table, rows: null, bytes });
		else if (statement === undefined) {
			const [counted] = await query<{ rows: string }>(count);
			facts.push({ ...table, rows: Number(counted!.rows), bytes });
		} else {
			const { rows, hash } = await hashTable(query, statement, count);
			facts.push({ ...table, rows, bytes, ...(hash !== null && { hash }) });
		}
	}
	return facts;
}
