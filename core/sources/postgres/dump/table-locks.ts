/**
 * The tables of a dump, held still before its snapshot is taken. A TRUNCATE leaves a table empty for every snapshot that was
 * taken before it ended, whatever it was filled with afterwards in the same transaction. So the locks come first, as pg_dump
 * itself cannot do it: it finds its tables by the snapshot.
 */
import type { Client } from 'pg';
import type { TableFacts } from './contents';
import type { DumpFilter } from './engines/engine';
import { type DumpedTable, listTables } from './facts';

/** One statement for many tables, but none that grows without limit. */
const TABLES_PER_STATEMENT = 1000;
/** A table of fewer rows may well be a queue that is emptied all the time. */
const WORTH_A_WARNING = 100;

export interface HeldTables {
	/** Of the snapshot, all of them locked. */
	tables: DumpedTable[];
	/** About how many rows the statistics gave those that had many, by OID, before the snapshot. */
	rowsBefore: ReadonlyMap<string, number>;
}

/** @returns the tables whose rows a dump holds, as they are now: outside of a transaction, for nothing may have a snapshot yet */
export async function tablesToHold(client: Client, filter: DumpFilter): Promise<DumpedTable[]> {
	return (await listTables(client, filter)).filter(({ withRows }) => withRows);
}

/**
 * Locks tables in ACCESS SHARE mode in the open transaction; that takes no snapshot.
 * @throws what `pg` throws: 42P01 for a table that is gone, 42501, 55P03
 */
export async function lockTables(client: Client, tables: readonly DumpedTable[]): Promise<void> {
	for (let at = 0; at < tables.length; at += TABLES_PER_STATEMENT) {
		const relations = tables.slice(at, at + TABLES_PER_STATEMENT).map(({ relation }) => relation);
		await client.query(`LOCK TABLE ${relations.join(', ')} IN ACCESS SHARE MODE`);
	}
}

/**
 * The tables of the snapshot that the transaction has by now. Those that were made meanwhile are locked as well.
 * @param locked before the snapshot
 * @throws as {@link lockTables}
 */
export async function holdTables(
	client: Client,
	filter: DumpFilter,
	locked: readonly DumpedTable[],
): Promise<HeldTables> {
	const tables = await listTables(client, filter);
	const known = new Set(locked.map(({ oid }) => oid));
	await lockTables(
		client,
		tables.filter(({ oid, withRows }) => withRows && !known.has(oid)),
	);
	const many = locked.filter(({ live }) => live >= WORTH_A_WARNING);
	return { tables, rowsBefore: new Map(many.map(({ oid, live }) => [oid, live])) };
}

/**
 * @param counted of these tables, in the same order
 * @returns a warning for each table that is empty in the dump and was not, a moment before
 */
export function emptied({ tables, rowsBefore }: HeldTables, counted: readonly TableFacts[]): string[] {
	return tables.flatMap(({ oid, schema, name }, at) => {
		const before = rowsBefore.get(oid);
		if (before === undefined || counted[at]!.rows !== 0) return [];
		return [`${schema}.${name} is empty in this dump, though it held about ${before} rows just before it began`];
	});
}
