/** Puts stored log back into the files that a server replays: pieces at their places, and zeros where nothing is stored. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { abortError, BackupError } from '../../../../base/errors';
import { formatLsn, parseLsn, segmentName, segmentStart } from '../lsn';
import type { LogContents, LogPiece } from '../wal/contents';
import { LogVerifier } from '../wal/verifier';
import { type OwnLog, OwnLogCheck } from './own-log';
import type { FolderWriter } from './writing/folder-writer';
import type { Deed } from './writing/messages';

/** A backup of log, as the restore of a cluster reads it. */
export interface StoredLog {
	/** Its group and label, for messages. */
	readonly name: string;
	readonly contents: LogContents;
	/** Opens one of its parts by the name in its contents. */
	open(part: string): Promise<Readable>;
}

/** What lies in the folder of the log after all pieces. */
export interface WrittenLog {
	/** Behind the last byte. */
	end: bigint;
	bytes: number;
	/** Of the last transaction in it; null where there is none. */
	lastCommit: Date | null;
	restorePoints: string[];
}

/**
 * Writes log that follows a base backup. What that has brought itself is compared, and stays.
 * @param own what the base backup has brought
 * @param logs in the order in which they were made
 * @throws BackupError 'broken-log' where something is missing between two of them, or they are not of this base backup's history; 'damaged',
 * 'cancelled'; errors of the file system as they are
 */
export async function writeLog(
	own: OwnLog,
	logs: AsyncIterable<StoredLog>,
	{ writer, signal, onBytes }: { writer: FolderWriter; signal: AbortSignal; onBytes: (bytes: number) => void },
): Promise<WrittenLog> {
	const written: WrittenLog = { end: own.end, bytes: 0, lastCommit: null, restorePoints: [] };
	const check = new OwnLogCheck(own);
	for await (const log of logs) {
		if (signal.aborted) throw abortError(signal);
		for (const name of log.contents.histories) {
			const file = path.join(own.folder, name.toUpperCase().replace('.HISTORY', '.history'));
			await fs.writeFile(file, await all(await log.open(name)), { mode: 0o600 });
		}
		for (const piece of log.contents.pieces) {
			const [start, end] = [parseLsn(piece.start), parseLsn(piece.end)];
			if (start > written.end) throw gap(log, written.end, start);
			const verifier = new LogVerifier({ ...log.contents, timeline: piece.timeline });
			let at = start;
			for await (const bytes of (await log.open(piece.name)) as AsyncIterable<Buffer>) {
				if (signal.aborted) throw abortError(signal);
				const { length } = bytes;
				verifier.add(bytes, at);
				const known = await check.compare(log.name, piece.timeline, at, bytes);
				await writer.write(deedsFor(own.folder, piece, log.contents, at, { from: known, length }), bytes);
				at += BigInt(length);
				written.bytes += length;
				onBytes(length);
			}
			if (at !== end) throw new BackupError('incomplete', `${log.name} ends at ${formatLsn(at)}, not at ${piece.end}`);
			const { lastCommit, restorePoints } = verifier.finish();
			written.end = end;
			written.lastCommit = lastCommit ?? written.lastCommit;
			written.restorePoints.push(...restorePoints.map(({ name }) => name));
		}
	}
	return written;
}

/** Bytes of the log at their places in the files of a timeline. @param at place of the first byte, also where it is not written */
function deedsFor(
	folder: string,
	{ timeline }: LogPiece,
	{ segmentBytes: size }: LogContents,
	at: bigint,
	{ from: first, length }: { from: number; length: number },
): Deed[] {
	const deeds: Deed[] = [];
	for (let from = first; from < length; ) {
		const place = at + BigInt(from);
		const within = Number(place - segmentStart(place, size));
		const to = Math.min(from + size - within, length);
		const file = path.join(folder, segmentName(timeline, place, size));
		deeds.push({ kind: 'log', path: file, size, at: within, from, to });
		from = to;
	}
	return deeds;
}

function gap({ name }: StoredLog, end: bigint, start: bigint): BackupError {
	return new BackupError(
		'broken-log',
		`${name} begins at ${formatLsn(start)}, and nothing is stored behind ${formatLsn(end)}`,
		{
			hint: 'It can be restored up to there: give an earlier time, or take a later base backup.',
			details: { end: formatLsn(end), start: formatLsn(start) },
		},
	);
}

async function all(body: Readable): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
	return Buffer.concat(chunks);
}
