/**
 * The log that a base backup brings with it, compared with what is stored of the same places. A server that was put back to an older
 * state writes other log at the places that it had written before: by its places alone, log of the one would follow a base backup of the other.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../../../base/errors';
import { formatLsn, segmentName, segmentStart } from '../lsn';

/** Where the log of a base backup lies. */
export interface OwnLog {
	/** With the files of the log that is restored. */
	folder: string;
	timeline: number;
	/** Behind its last byte. */
	end: bigint;
	/** Size of a file. */
	segmentBytes: number;
}

/**
 * Reads what a base backup brought of one file.
 * @param start place of the first byte of the file
 * @returns its bytes up to the end of the base backup, or of the file; null where it brought no such file
 */
export async function readOwnLog(
	{ folder, timeline, end, segmentBytes }: OwnLog,
	start: bigint,
): Promise<Buffer | null> {
	const length = Math.min(segmentBytes, Number(end - start));
	try {
		const handle = await fs.open(path.join(folder, segmentName(timeline, start, segmentBytes)));
		try {
			const bytes = Buffer.alloc(length);
			const { bytesRead } = await handle.read(bytes, 0, length, 0);
			return bytes.subarray(0, bytesRead);
		} finally {
			await handle.close();
		}
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
		throw error;
	}
}

/** Compares log with what a base backup brought, file by file as it comes. */
export class OwnLogCheck {
	#start: bigint | null = null;
	#own: Buffer | null = null;

	constructor(private readonly own: OwnLog) {}

	/**
	 * @param name of the backup that holds the bytes, for the message
	 * @param at place of the first byte
	 * @returns how many of the bytes lie before the end of the base backup: it has brought those
	 * @throws BackupError 'broken-log' where they are others
	 */
	async compare(name: string, timeline: number, at: bigint, bytes: Buffer): Promise<number> {
		const { own } = this;
		if (timeline !== own.timeline || at >= own.end) return 0;
		const known = Math.min(bytes.length, Number(own.end - at));
		for (let from = 0; from < known; ) {
			const place = at + BigInt(from);
			const start = segmentStart(place, own.segmentBytes);
			const within = Number(place - start);
			const to = Math.min(from + own.segmentBytes - within, known);
			const brought = (await this.#read(start))?.subarray(within, within + to - from);
			if (brought) assertSameLog(brought, bytes.subarray(from), { name, end: own.end });
			from = to;
		}
		return known;
	}

	/** One file at a time: there can be many, of 16 MB each. */
	async #read(start: bigint): Promise<Buffer | null> {
		if (this.#start !== start) {
			this.#own = await readOwnLog(this.own, start);
			this.#start = start;
		}
		return this.#own;
	}
}

/**
 * Compares the beginning of stored log with what a base backup brought of the same places.
 * @param of the name of the backup that holds the bytes, and where the base backup ends
 * @throws BackupError 'broken-log'
 */
export function assertSameLog(brought: Buffer, bytes: Buffer, { name, end }: { name: string; end: bigint }): void {
	if (brought.equals(bytes.subarray(0, brought.length))) return;
	throw new BackupError(
		'broken-log',
		`${name} is log of another history than the base backup, which ends at ${formatLsn(end)}: the server was put back to an older state between them`,
		{
			hint: 'Restore the base backup alone, or another one. To have log again that belongs to this server: collect it from a new beginning, and make a base backup.',
			details: { end: formatLsn(end) },
		},
	);
}
