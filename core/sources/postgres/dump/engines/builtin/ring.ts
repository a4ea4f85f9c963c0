/**
 * A one-way pipe of bytes in shared memory. The main thread writes and never blocks; the worker reads and blocks, which
 * is what lets C code that knows only blocking sockets run there.
 */
/** A power of two, so that the two counters may wrap around at 2^32. */
const RING_BYTES = 1 << 20;
/** A full ring is filled again when it is half empty: fewer, larger steps. */
const LOW_WATER = RING_BYTES / 2;

/** Indexes into the control words: bytes ever written, bytes ever read, whether no more will be written. */
const WRITTEN = 0;
const READ = 1;
const ENDED = 2;

export interface RingMemory {
	control: Int32Array<SharedArrayBuffer>;
	bytes: Uint8Array<SharedArrayBuffer>;
}

export function createRing(): RingMemory {
	return {
		control: new Int32Array(new SharedArrayBuffer(12)),
		bytes: new Uint8Array(new SharedArrayBuffer(RING_BYTES)),
	};
}

function filled({ control }: RingMemory): number {
	return (Atomics.load(control, WRITTEN) - Atomics.load(control, READ)) >>> 0;
}

/** Writes as much as there is space for. @returns how many bytes that was */
export function writeRing(ring: RingMemory, chunk: Uint8Array): number {
	const { control, bytes } = ring;
	const count = Math.min(chunk.length, RING_BYTES - filled(ring));
	if (count === 0) return 0;
	const written = Atomics.load(control, WRITTEN);
	const position = (written >>> 0) % RING_BYTES;
	const first = Math.min(count, RING_BYTES - position);
	bytes.set(chunk.subarray(0, first), position);
	if (count > first) bytes.set(chunk.subarray(first, count), 0);
	Atomics.store(control, WRITTEN, (written + count) | 0);
	Atomics.notify(control, WRITTEN);
	return count;
}

/** Resolves when the reader has emptied at least half of the ring. */
export async function waitForSpace(ring: RingMemory): Promise<void> {
	for (;;) {
		const read = Atomics.load(ring.control, READ);
		if (filled(ring) <= LOW_WATER) return;
		await Atomics.waitAsync(ring.control, READ, read).value;
	}
}

/** Says that nothing more will be written. */
export function endRing({ control }: RingMemory): void {
	Atomics.store(control, ENDED, 1);
	Atomics.notify(control, WRITTEN);
}

export function isEmpty(ring: RingMemory): boolean {
	return filled(ring) === 0;
}

/**
 * Blocks until there is something to read.
 * @param patienceMs after which `onWaiting` is called, again and again
 * @returns false when everything was read and nothing will follow
 */
export function waitForBytes(ring: RingMemory, patienceMs = 1000, onWaiting?: () => void): boolean {
	for (;;) {
		const written = Atomics.load(ring.control, WRITTEN);
		// In this order: what was written before the end is seen by whoever sees the end.
		const ended = Atomics.load(ring.control, ENDED) === 1;
		if (!isEmpty(ring)) return true;
		if (ended) return false;
		// endRing() changes another word than the one waited for: without a limit, its notification could come just too early.
		if (Atomics.wait(ring.control, WRITTEN, written, patienceMs) === 'timed-out') onWaiting?.();
	}
}

/** Reads what there is, at most as much as fits. @returns how many bytes that was */
export function readRing(ring: RingMemory, into: Uint8Array): number {
	const { control, bytes } = ring;
	const count = Math.min(into.length, filled(ring));
	const read = Atomics.load(control, READ);
	const position = (read >>> 0) % RING_BYTES;
	const first = Math.min(count, RING_BYTES - position);
	into.set(bytes.subarray(position, position + first), 0);
	if (count > first) into.set(bytes.subarray(0, count - first), first);
	Atomics.store(control, READ, (read + count) | 0);
	if (filled(ring) <= LOW_WATER) Atomics.notify(control, READ);
	return count;
}
