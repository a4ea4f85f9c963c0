/** Tables that lost most of their rows since the backup before: somebody may have emptied them. */
import { isBackupError } from '../../../base/errors';
import { hasShrunk, MAX_LOST_PERCENT, shrunkSince } from '../../shrunk';
import type { Shrunk, Source, SourceDetails } from '../../source';
import type { DatabaseFacts } from './contents';

/** The word in manifests. */
const KIND = 'postgres';
/** Tables that had fewer rows, such as queues, come and go. */
const FEW_ROWS = 100;
/** Tables that are named. */
const MAX_NAMED = 20;

/** A table, with all its partitions. */
interface Table {
	name: string;
	rows: number;
}

/** What was lost: in the clear, and with the names of tables. */
export interface LostRows {
	shrunk: Shrunk[];
	named: string[];
}

/** What a dump knows of the one before. */
export type Before = Pick<Parameters<Source['open']>[0], 'previous' | 'readPrevious'>;

/**
 * What is gone since the backup before: tables, as the manifests say, and the rows of tables, where a key opens the contents before.
 * @param now the details of this dump, and what it holds
 * @returns `compared` null where there is nothing to compare with; false where nobody at hand can read how many rows there were
 */
export async function lostSince(
	{ previous, readPrevious }: Before,
	{ details, contents }: { details: SourceDetails; contents: DatabaseFacts },
	maxPercent = MAX_LOST_PERCENT,
): Promise<LostRows & { compared: boolean | null }> {
	if (previous?.source.kind !== KIND) return { shrunk: [], named: [], compared: null };
	const whole = previous.source.details.filtered === false && details.filtered === false;
	const tables = whole ? shrunkSince(previous, details, { kind: KIND, what: ['tables'], maxPercent }) : [];
	const before = await readBefore(readPrevious);
	if (!before) return { shrunk: tables, named: [], compared: false };
	const rows = lostRows(before, contents, { maxPercent, whole, since: previous.label });
	return { shrunk: [...tables, ...rows.shrunk], named: rows.named, compared: true };
}

async function readBefore(readPrevious: Before['readPrevious']): Promise<DatabaseFacts | null> {
	try {
		return ((await readPrevious?.()) ?? null) as DatabaseFacts | null;
	} catch (error) {
		// It is a comparison more. A backup that cannot be read any more is the business of verifications.
		if (isBackupError(error, 'damaged', 'incomplete', 'not-found', 'newer-format')) return null;
		throw error;
	}
}

/**
 * Compares the rows of two dumps of a database, table by table.
 * @param options.whole neither of them leaves out tables: then one that is not there any more has lost all its rows
 * @param options.since label of the dump before, for messages
 */
export function lostRows(
	before: DatabaseFacts,
	now: DatabaseFacts,
	{ maxPercent, whole, since }: { maxPercent: number; whole: boolean; since: string },
): LostRows {
	const rowsNow = rowsOf(now);
	const lost = [...rowsOf(before)].flatMap(([key, { name, rows: from }]) => {
		const found = rowsNow.get(key);
		if (from < FEW_ROWS || (!found && !whole)) return [];
		const to = found?.rows ?? 0;
		return hasShrunk({ from, to }, maxPercent) ? [{ name, from, to, isGone: !found }] : [];
	});
	if (lost.length === 0) return { shrunk: [], named: [] };
	const total = (member: 'from' | 'to') => lost.reduce((sum, each) => sum + each[member], 0);
	const what = `rows of ${lost.length} ${lost.length === 1 ? 'table' : 'tables'}`;
	const named = lost
		.toSorted((a, b) => b.from - b.to - (a.from - a.to))
		.slice(0, MAX_NAMED)
		.map(({ name, from, to, isGone }) => {
			return isGone
				? `${name} is gone; ${since} has ${from} rows of it`
				: `${name} has ${to} rows; ${since} has ${from}`;
		});
	if (lost.length > MAX_NAMED) named.push(`${lost.length - MAX_NAMED} more tables lost most of their rows`);
	return { shrunk: [{ what, from: total('from'), to: total('to') }], named };
}

/**
 * Rows by table. Partitions count as the table they are of, since old ones are dropped as a matter of course. One with a part that
 * is dumped without its rows is left out.
 */
function rowsOf({ tables }: DatabaseFacts): Map<string, Table> {
	const found = new Map<string, Table>();
	const unknown = new Set<string>();
	for (const { schema, name, partitionOf, rows } of tables) {
		const [inSchema, called] = partitionOf ?? [schema, name];
		const key = JSON.stringify([inSchema, called]);
		if (rows === null) unknown.add(key);
		const table = found.get(key) ?? { name: `${inSchema}.${called}`, rows: 0 };
		table.rows += rows ?? 0;
		found.set(key, table);
	}
	for (const key of unknown) found.delete(key);
	return found;
}
