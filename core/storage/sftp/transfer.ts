/** Bytes to and from a file on an SFTP server, with many requests on their way at once: a round trip each would take minutes. */
import { untilAborted } from '../../base/deadline';
import type { WriteOptions } from '../storage';
import type { SftpFiles } from './files';

/**
 * Every server takes 32 KiB in one request (draft-ietf-secsh-filexfer-02, 3), and a packet of a channel has as much. With a kibibyte left for what stands
 * around the bytes, a request is one packet and not two: writing takes 30 % less time (bench/README.md).
 */
const PIECE_BYTES = 31 * 1024;
/** Requests on their way at once: nearly 2 MiB, so that a round trip of 20 ms still lets 100 MB/s pass. */
const ON_THE_WAY = 64;
/** What may be on its way when a disk becomes full. */
export const MOST_ON_THE_WAY_BYTES = PIECE_BYTES * ON_THE_WAY;

/**
 * Writes all bytes to an open file, and has the server put them on its disk where it can.
 * @returns how many there were
 * @throws the first failure: of the bytes, of the server, or of the signal
 */
export async function writeAll(
	files: SftpFiles,
	handle: Buffer,
	bytes: AsyncIterable<Uint8Array>,
	{ signal, onProgress, onMoved }: WriteOptions,
): Promise<number> {
	const waiting = new Set<Promise<void>>();
	const failures: unknown[] = [];
	let [size, safe] = [0, 0];
	const assertWell = () => {
		if (failures.length > 0) throw failures[0];
	};
	for await (const chunk of bytes) {
		for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
			// A copy: the producer may use its buffer again.
			const piece = Buffer.from(chunk.subarray(at, at + PIECE_BYTES));
			const writing: Promise<void> = files
				.write(handle, piece, size)
				.then(
					() => void (safe += piece.length),
					(error: unknown) => void failures.push(error),
				)
				.finally(() => waiting.delete(writing));
			waiting.add(writing);
			size += piece.length;
			if (waiting.size >= ON_THE_WAY) await untilAborted(async () => await Promise.race(waiting), signal);
			assertWell();
			onMoved?.();
		}
		onProgress?.(safe);
	}
	await untilAborted(async () => await Promise.all(waiting), signal);
	assertWell();
	await untilAborted(async () => await files.sync(handle), signal);
	return size;
}

/** A range of a file in order, with many requests on their way. A short answer is asked for again from where it ended. */
export async function* readRange(
	files: SftpFiles,
	handle: Buffer,
	start: number,
	length: number,
): AsyncGenerator<Buffer> {
	const end = start + length;
	const waiting: Array<Promise<Buffer>> = [];
	let next = start;
	const ask = () => {
		const size = Math.min(PIECE_BYTES, end - next);
		const reading = readFully(files, handle, next, size);
		// Whoever comes to its turn hears of a failure; one that nobody comes to is of no interest.
		reading.catch(() => undefined);
		waiting.push(reading);
		next += size;
	};
	while (next < end || waiting.length > 0) {
		while (next < end && waiting.length < ON_THE_WAY) ask();
		yield await waiting.shift()!;
	}
}

/** @returns fewer bytes only at the end of the file */
async function readFully(files: SftpFiles, handle: Buffer, at: number, size: number): Promise<Buffer> {
	const parts: Buffer[] = [];
	for (let got = 0; got < size; ) {
		const part = await files.read(handle, at + got, size - got);
		if (part.length === 0) break;
		parts.push(part);
		got += part.length;
	}
	return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}
