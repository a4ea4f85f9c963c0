/**
 * What restores that were killed left on a server: databases under a name for a while. What is being restored has a mark in the
 * comment of its database, so that another restore can tell whose it is, and drop it when that one has ended.
 */
import type { Client } from 'pg';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { z } from 'zod';
import { hostName, thisHost } from '../../../base/process-identity';
import { sizeText } from '../../../base/size-text';
import { isDead } from '../../../records/locks/holder';
import { type Query, queryOf } from '../connection/query';
import { sqlStateOf } from '../connection/sql-state';
import { isTemporaryNameOf, TEMPORARY_ENDING } from './target';

/** What stands before the mark, for people who read the comment. */
const SENTENCE = 'n8n-backup restores into this database. ';
const MAX_MARK_LENGTH = 2000;
const DAY_MS = 24 * 3_600_000;

const markSchema = z.object({
	/** The name that the database gets when it is whole. */
	into: z.string(),
	/** Of this restore. */
	id: z.string(),
	host: z.string(),
	pid: z.number().int().positive(),
	/** ISO 8601, by the server's clock. */
	since: z.string().datetime(),
});
type Mark = z.infer<typeof markSchema>;

/** Marks a database that was just made. @param id of this restore, which {@link isDead} knows for as long as it is at work */
export async function markRestoring(
	query: Query,
	database: string,
	{ into, id }: { into: string; id: string },
): Promise<void> {
	const [server] = await query<{ now: Date }>('SELECT pg_catalog.now() AS now');
	const mark: Mark = { into, id, host: thisHost(), pid: process.pid, since: server!.now.toISOString() };
	await comment(query, database, escapeLiteral(SENTENCE + JSON.stringify(mark)));
}

/** Takes the mark from a database that is whole, or that somebody is to look at. */
export async function unmark(query: Query, database: string): Promise<void> {
	await comment(query, database, 'NULL');
}

async function comment(query: Query, database: string, literal: string): Promise<void> {
	await query(`COMMENT ON DATABASE ${escapeIdentifier(database)} IS ${literal}`);
}

interface Leftover {
	name: string;
	/** For people, its name with its size where that may be asked. */
	text: string;
	/** Statement that drops it. */
	drop: string;
	mark: Mark | null;
	/** Milliseconds since `mark.since`, by the server's clock. */
	ageMs: number;
	hasSessions: boolean;
	isOurs: boolean;
}

/**
 * Drops what restores into a database of this name left, as far as nobody can be at work in it.
 * @returns for people: what was dropped, and what is there besides, with the statement that drops it
 * @throws what `pg` throws
 */
export async function dropLeftovers(client: Client, into: string): Promise<string[]> {
	const query = queryOf(client);
	const said: string[] = [];
	for (const left of await findLeftovers(query)) {
		if (left.mark ? left.mark.into !== into : !isTemporaryNameOf(left.name, into)) continue;
		said.push((await dropIfNobodys(client, left)) ?? describe(left));
	}
	return said;
}

/** What restores left on this server, each as a sentence. @throws what `query` throws */
export async function describeLeftovers(query: Query): Promise<string[]> {
	return (await findLeftovers(query)).filter((left) => !isAtWork(left)).map(describe);
}

async function findLeftovers(query: Query): Promise<Leftover[]> {
	const rows = await query<{ name: string; comment: string | null; now: Date; sessions: boolean; ours: boolean }>(
		`SELECT d.datname AS name, pg_catalog.now() AS now, pg_catalog.pg_has_role(d.datdba, 'USAGE') AS ours,
			pg_catalog.left(pg_catalog.shobj_description(d.oid, 'pg_database'), ${MAX_MARK_LENGTH}) AS comment,
			EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid) AS sessions
		 FROM pg_catalog.pg_database d WHERE d.datname::text ~ $1 AND d.datname <> pg_catalog.current_database() ORDER BY 1`,
		[TEMPORARY_ENDING],
	);
	const found: Leftover[] = [];
	for (const { name, comment: text, now, sessions, ours } of rows) {
		const mark = parseMark(text);
		found.push({
			...{ name, mark, hasSessions: sessions, isOurs: ours },
			text: name + (await size(query, name)),
			drop: `DROP DATABASE ${escapeIdentifier(name)};`,
			ageMs: mark ? now.getTime() - Date.parse(mark.since) : 0,
		});
	}
	return found;
}

/** Whoever owns a database writes its comment. */
function parseMark(text: string | null): Mark | null {
	if (!text?.startsWith(SENTENCE)) return null;
	try {
		return markSchema.parse(JSON.parse(text.slice(SENTENCE.length)));
	} catch {
		// Cut off, or written by somebody else.
		return null;
	}
}

/** Only who may connect to a database may ask for its size; and it can be gone by now. */
async function size(query: Query, name: string): Promise<string> {
	try {
		const [row] = await query<{ bytes: string }>('SELECT pg_catalog.pg_database_size($1::name)::text AS bytes', [name]);
		return ` (${sizeText(Number(row!.bytes))})`;
	} catch (error) {
		if (sqlStateOf(error) === null) throw error;
		return '';
	}
}

/** A restore of this host that goes on. */
function isAtWork({ mark }: Leftover): boolean {
	return mark !== null && mark.host === thisHost() && !isDead(mark);
}

/** @returns what was done; null where it may be somebody's */
async function dropIfNobodys(client: Client, left: Leftover): Promise<string | null> {
	const { name, text, mark, isOurs } = left;
	if (mark === null || !isOurs) return null;
	const isGone = isDead(mark);
	if (!isGone && (left.ageMs < DAY_MS || left.hasSessions)) return null;
	try {
		// What a process that is gone has begun may go on for a while. Otherwise, who has come since is refused by the server.
		await client.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(name)}${isGone ? ' WITH (FORCE)' : ''}`);
		return `removed ${text}: a restore into ${mark.into}, begun ${since(mark)}, had left it when it was killed`;
	} catch (error) {
		if (sqlStateOf(error) === null) throw error;
		return `${text}, left by a restore that was killed, cannot be dropped: ${(error as Error).message}`;
	}
}

function describe(left: Leftover): string {
	const { name, text, mark, drop } = left;
	if (mark) {
		const { into, pid, host } = mark;
		const whose = `a restore into ${into}, begun ${since(mark)} by process ${pid} on ${hostName(host)}`;
		if (isAtWork(left)) return `${text} belongs to ${whose}, which is at work`;
		return `${text} belongs to ${whose}. If that is not at work any more, drop it: ${drop}`;
	}
	return name.includes('_replaced_')
		? `${text} looks like what a restore had replaced. If nobody needs what is in it, drop it: ${drop}`
		: `${text} looks like what a restore had left. Look at what is in it, then drop it: ${drop}`;
}

/** "2026-11-28 02:00:00 UTC" */
function since({ since: time }: Mark): string {
	return `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
