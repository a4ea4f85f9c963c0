/** Holds a worker back while too much of its output waits for the main thread: one counter in shared memory. */

/** Bytes that may be on their way; the worker stops when there are more. */
const LIMIT_BYTES = 4 * 1024 * 1024;

export type GateMemory = Int32Array<SharedArrayBuffer>;

export function createGate(): GateMemory {
	return new Int32Array(new SharedArrayBuffer(4));
}

/** Blocks until `bytes` more may be sent, and counts them. */
export function passGate(gate: GateMemory, bytes: number): void {
	for (;;) {
		const pending = Atomics.load(gate, 0);
		if (pending < LIMIT_BYTES) break;
		Atomics.wait(gate, 0, pending);
	}
	Atomics.add(gate, 0, bytes);
}

/** Says that `bytes` have found a place. */
export function openGate(gate: GateMemory, bytes: number): void {
	Atomics.sub(gate, 0, bytes);
	Atomics.notify(gate, 0);
}
