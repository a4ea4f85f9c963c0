/** Lines of a file, read with blocking calls, for worker threads. */
import fs from 'node:fs';
import { Fault } from './fault.ts';

const BUFFER_BYTES = 256 * 1024;
/** Paths of 4,096 bytes, a link's target, and the holes of a file fit in here many times over. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/**
 * Gives the lines of a text file one after the other, without their ends. The file is closed when the last one was given, or when the
 * caller stops.
 * @throws Fault 'damaged' for a line longer than 64 MiB, or a last one without an end
 */
export function* readLines(file: string): Generator<string, void, undefined> {
	const fd = fs.openSync(file, 'r');
	try {
		let buffer = Buffer.allocUnsafe(BUFFER_BYTES);
		let filled = 0;
		for (;;) {
			if (filled === buffer.length) buffer = grown(buffer);
			const read = fs.readSync(fd, buffer, filled, buffer.length - filled, null);
			if (read === 0) break;
			const end = filled + read;
			let start = 0;
			for (let at = buffer.indexOf(10, filled); at !== -1 && at < end; at = buffer.indexOf(10, start)) {
				yield buffer.toString('utf8', start, at);
				start = at + 1;
			}
			buffer.copy(buffer, 0, start, end);
			filled = end - start;
		}
		if (filled > 0) throw new Fault('damaged', 'the last line of the index has no end', 'Use another backup.');
	} finally {
		fs.closeSync(fd);
	}
}

function grown(buffer: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
	if (buffer.length >= MAX_LINE_BYTES) {
		throw new Fault(
			'damaged',
			'a line of the index is too long',
			'No program of ours writes that. Use another backup.',
		);
	}
	const larger = Buffer.allocUnsafe(buffer.length * 2);
	buffer.copy(larger);
	return larger;
}
