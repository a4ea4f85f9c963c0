/** The log of one timeline out of the server's files, from one place up to another. */
import { Readable } from 'node:stream';
import type { Client } from 'pg';
import { BackupError } from '../../../../base/errors';
import { toBackupError } from '../../connection/errors';
import type { DatabaseTarget } from '../../connection/target';
import { explainLog, START_OVER } from '../errors';
import { formatLsn, historyName, parseHistory, segmentName, segmentStart } from '../lsn';
import type { LogReading, LogRequest } from '../transport/transport';
import { slotLiteral } from '../wal/slot-name';
import { askIdentity } from './identity';
import { type Piece, PIECE_BYTES, readFile } from './read-files';
import { batched, readAhead } from './read-whole';

const BUFFER_BYTES = 1024 * 1024;
/** More than a cluster with a thousand promotions has. */
const MAX_HISTORY_BYTES = 1024 * 1024;

/** Where the log of a timeline ends, where it has ended. */
type Next = LogReading['next'];

/** Begins to read when somebody wants the first byte. @param maySlot whether the role may move the slot on */
export function readLogFiles(
	client: Client,
	target: DatabaseTarget,
	request: LogRequest,
	maySlot: boolean,
): LogReading {
	const ends: { next: Next } = { next: null };
	async function* bytes(): AsyncGenerator<Buffer> {
		try {
			if (maySlot) await moveSlot(client, request);
			const found = await findEnd(client, request);
			const until = found.end ?? request.until!;
			yield* piecesUntil(client, request, until, found.next);
			ends.next = found.isReached ? found.next : null;
		} catch (error) {
			throw explainLog(toBackupError(error, target), target);
		}
	}
	const stream = Readable.from(bytes(), { objectMode: false, highWaterMark: BUFFER_BYTES });
	// It may fail before somebody reads: a reader finds it broken.
	stream.on('error', () => undefined);
	return Object.defineProperty(stream, 'next', { get: () => ends.next }) as LogReading;
}

/** The history file of a timeline; empty where the server has none. @throws what `pg` throws */
export async function readHistory(client: Client, timeline: number): Promise<string> {
	const bytes = await readFile(client, `pg_wal/${historyName(timeline)}`, MAX_HISTORY_BYTES);
	return bytes?.toString('utf8') ?? '';
}

/** The server may remove what is stored. A slot goes forwards only; one that is moved to where it is counts as used. */
async function moveSlot(client: Client, { slot, stored }: LogRequest): Promise<void> {
	const to = formatLsn(stored);
	await client.query(
		`SELECT pg_catalog.pg_replication_slot_advance(slot_name, '${to}') FROM pg_catalog.pg_replication_slots
		WHERE slot_name = '${slotLiteral(slot)}' AND restart_lsn <= '${to}'`,
	);
}

/** @throws BackupError 'broken-log' where what is asked for is no part of this server's history */
async function findEnd(
	client: Client,
	{ timeline, from, until }: LogRequest,
): Promise<{ end: bigint | null; next: Next; isReached: boolean }> {
	const { timeline: newest } = await askIdentity(client);
	if (timeline === newest && until !== null) return { end: null, next: null, isReached: false };
	const history = parseHistory(await readHistory(client, newest));
	const at = history.findIndex((each) => each.timeline === timeline);
	const own = history[at];
	if (own === undefined || own.end < from) {
		throw new BackupError(
			'broken-log',
			`requested starting point ${formatLsn(from)} on timeline ${timeline} is not in this server's history`,
			{ hint: START_OVER },
		);
	}
	const isReached = until === null || until >= own.end;
	const next = { timeline: history[at + 1]?.timeline ?? newest, start: own.end };
	return { end: isReached ? own.end : until, next, isReached };
}

/** @param next the timeline that followed: its first file begins with what the last one of this one had in it */
async function* piecesUntil(client: Client, request: LogRequest, until: bigint, next: Next): AsyncGenerator<Buffer> {
	const { rows } = await client.query<{ setting: string }>(
		"SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_segment_size'",
	);
	const segmentBytes = Number(rows[0]!.setting);
	for await (const { batch, found } of readAhead(client, batched(pieces(request, until, next, segmentBytes)))) {
		for (const [n, { path, length }] of batch.entries()) {
			const bytes = found[n];
			if (bytes?.length === length) yield bytes;
			else throw removed(path);
		}
	}
}

function* pieces({ timeline, from }: LogRequest, until: bigint, next: Next, segmentBytes: number): Generator<Piece> {
	for (let at = from; at < until; ) {
		const start = segmentStart(at, segmentBytes);
		const isShared = next !== null && start === segmentStart(next.start, segmentBytes);
		const name = segmentName(isShared ? next.timeline : timeline, at, segmentBytes);
		const offset = Number(at - start);
		const length = Math.min(PIECE_BYTES, segmentBytes - offset, Number(until - at));
		yield { path: `pg_wal/${name}`, offset, length };
		at += BigInt(length);
	}
}

function removed(path: string): BackupError {
	const name = path.replace('pg_wal/', '');
	return new BackupError('broken-log', `requested WAL segment ${name} has already been removed`, { hint: START_OVER });
}
