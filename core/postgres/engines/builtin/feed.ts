/** Moves what a server says into the ring that the worker reads, no faster than it reads. */
import type { Duplex } from 'node:stream';
import { endRing, type RingMemory, waitForSpace, writeRing } from './ring.ts';

/**
 * Takes over the reading side of a socket until it ends.
 * @param pass what to write for the bytes that came
 */
export function feedRing(socket: Duplex, ring: RingMemory, pass: (bytes: Buffer) => Buffer): void {
	let ended = false;
	let writing = false;
	// A socket can close while a rest of its bytes still waits for space.
	const onEnd = () => {
		ended = true;
		if (!writing) endRing(ring);
	};
	socket.on('end', onEnd).on('close', onEnd);
	socket.on('data', (chunk: Buffer) => {
		const bytes = pass(chunk);
		const written = writeRing(ring, bytes);
		if (written < bytes.length) void writeRest(bytes.subarray(written));
	});

	async function writeRest(rest: Buffer): Promise<void> {
		writing = true;
		socket.pause();
		while (rest.length > 0) {
			// Never resolves when the worker is gone; then nobody needs what is left.
			await waitForSpace(ring);
			rest = rest.subarray(writeRing(ring, rest));
		}
		writing = false;
		if (ended) endRing(ring);
		else socket.resume();
	}
}
