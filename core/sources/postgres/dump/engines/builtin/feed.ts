/** Moves what a server says into the ring that the worker reads, no faster than it reads. */
import type { Duplex } from 'node:stream';
import { endRing, type RingMemory, waitForSpace, writeRing } from './ring.ts';

export interface Feed {
	/** Takes bytes whose memory is used again at once. @returns whether there is space for more */
	readonly onRead: (bytes: Buffer) => boolean;
	/** Takes over the reading side of a socket until it ends. Its bytes may come as events or through `onRead`. */
	follow(socket: Duplex): void;
}

/** @param pass what to write for the bytes that came */
export function createFeed(ring: RingMemory, pass: (bytes: Buffer) => Buffer): Feed {
	let socket: Duplex | undefined;
	let ended = false;
	let writing = false;
	// A socket can close while a rest of its bytes still waits for space.
	const onEnd = () => {
		ended = true;
		if (!writing) endRing(ring);
	};
	const onRead = (chunk: Buffer) => {
		const bytes = pass(chunk);
		const written = writeRing(ring, bytes);
		if (written === bytes.length) return true;
		void writeRest(Buffer.from(bytes.subarray(written)));
		return false;
	};
	return {
		onRead,
		follow(from) {
			socket = from;
			socket.on('end', onEnd).on('close', onEnd);
			socket.on('data', (chunk: Buffer) => {
				if (!onRead(chunk)) from.pause();
			});
		},
	};

	async function writeRest(rest: Buffer): Promise<void> {
		writing = true;
		while (rest.length > 0) {
			// Never resolves when the worker is gone; then nobody needs what is left.
			await waitForSpace(ring);
			rest = rest.subarray(writeRing(ring, rest));
		}
		writing = false;
		if (ended) endRing(ring);
		else socket?.resume();
	}
}
