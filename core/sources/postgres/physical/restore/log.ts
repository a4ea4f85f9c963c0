/** Puts stored log back into the files that a server replays: pieces at their places, and zeros where nothing is stored. */
import fs from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { abortError, BackupError } from '../../../../base/errors';
import { formatLsn, parseLsn, segmentName, segmentStart } from '../lsn';
import type { LogContents, LogPiece } from '../wal/contents';
import { LogVerifier } from '../wal/verifier';

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
 * Writes log that follows a base backup.
 * @param folder of the cluster
 * @param from where the log of the base backup ends: what is written begins there or before
 * @param logs in the order in which they were made
 * @throws BackupError 'broken-log' where something is missing between two of them; 'damaged', 'cancelled'; errors of the file system as
 * they are
 */
export async function writeLog(
	folder: string,
	from: bigint,
	logs: AsyncIterable<StoredLog>,
	{ signal, onBytes }: { signal: AbortSignal; onBytes: (bytes: number) => void },
): Promise<WrittenLog> {
	const written: WrittenLog = { end: from, bytes: 0, lastCommit: null, restorePoints: [] };
	for await (const log of logs) {
		if (signal.aborted) throw abortError(signal);
		for (const name of log.contents.histories) {
			fs.writeFileSync(
				path.join(folder, 'pg_wal', name.toUpperCase().replace('.HISTORY', '.history')),
				await all(await log.open(name)),
				{
					mode: 0o600,
				},
			);
		}
		for (const piece of log.contents.pieces) {
			const [start, end] = [parseLsn(piece.start), parseLsn(piece.end)];
			if (start > written.end) throw gap(log, written.end, start);
			const files = new LogFiles(folder, piece, log.contents);
			const verifier = new LogVerifier({ ...log.contents, timeline: piece.timeline });
			let at = start;
			try {
				for await (const bytes of (await log.open(piece.name)) as AsyncIterable<Buffer>) {
					if (signal.aborted) throw abortError(signal);
					verifier.add(bytes, at);
					files.write(bytes, at);
					at += BigInt(bytes.length);
					written.bytes += bytes.length;
					onBytes(bytes.length);
				}
			} finally {
				files.close();
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

/** The files of one timeline, one of which is open. */
class LogFiles {
	readonly #folder: string;
	readonly #timeline: number;
	readonly #segmentBytes: number;
	#name = '';
	#fd = -1;

	constructor(folder: string, { timeline }: LogPiece, { segmentBytes }: LogContents) {
		this.#folder = path.join(folder, 'pg_wal');
		this.#timeline = timeline;
		this.#segmentBytes = segmentBytes;
	}

	write(bytes: Buffer, at: bigint): void {
		for (let done = 0; done < bytes.length; ) {
			const place = at + BigInt(done);
			const within = Number(place - segmentStart(place, this.#segmentBytes));
			this.#open(segmentName(this.#timeline, place, this.#segmentBytes));
			const count = Math.min(bytes.length - done, this.#segmentBytes - within);
			for (let put = 0; put < count; ) {
				put += fs.writeSync(this.#fd, bytes, done + put, count - put, within + put);
			}
			done += count;
		}
	}

	close(): void {
		if (this.#fd >= 0) fs.closeSync(this.#fd);
		this.#fd = -1;
		this.#name = '';
	}

	/** What the base backup has of a file may be longer than what was written when the piece was: it is replaced, byte by byte. */
	#open(name: string): void {
		if (name === this.#name) return;
		this.close();
		this.#name = name;
		this.#fd = fs.openSync(path.join(this.#folder, name), fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
		fs.ftruncateSync(this.#fd, this.#segmentBytes);
	}
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
