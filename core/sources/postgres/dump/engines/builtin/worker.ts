/** The thread in which pg_dump runs, blocking as C does: its connection is a shared ring, its output goes to the main thread. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { CHUNK_BYTES, CHUNK_PATIENCE_MS } from '../../../../../streams/chunk.ts';
import { errno } from './errno.ts';
import { passGate } from '../../../../../streams/gate.ts';
import { runProgram } from './machine.ts';
import type { RecycledChunk, WorkerInput, WorkerMessage } from './messages.ts';
import { isEmpty, readRing, waitForBytes } from './ring.ts';

/** Exit code for a program that broke instead of ending. */
const BROKEN = 70;

const { program, args, environment, ring, gate } = workerData as WorkerInput;

function post(message: WorkerMessage, transfer: ArrayBuffer[] = []): void {
	parentPort!.postMessage(message, transfer);
}

/** New memory is filled with zeros by the system, page by page: memory that came back costs nothing. */
function nextChunk(): Uint8Array<ArrayBuffer> {
	const recycled = receiveMessageOnPort(parentPort!)?.message as RecycledChunk | undefined;
	return new Uint8Array(recycled ?? new ArrayBuffer(CHUNK_BYTES));
}

let chunk = nextChunk();
let filled = 0;

function sendChunk(): void {
	if (filled === 0) return;
	const bytes = chunk.subarray(0, filled);
	passGate(gate, filled);
	post({ kind: 'output', bytes }, [chunk.buffer]);
	chunk = nextChunk();
	filled = 0;
}

const sinks = {
	output(bytes: Uint8Array) {
		// Called for every KB: views are made only where a chunk ends.
		while (bytes.length > CHUNK_BYTES - filled) {
			const space = CHUNK_BYTES - filled;
			chunk.set(bytes.subarray(0, space), filled);
			filled = CHUNK_BYTES;
			sendChunk();
			bytes = bytes.subarray(space);
		}
		chunk.set(bytes, filled);
		filled += bytes.length;
	},
	// The main thread puts the pieces together.
	stderr: (bytes: Uint8Array) => post({ kind: 'stderr', bytes: bytes.slice() }),
};

/**
 * libpq expects a socket that does not block: after a large read it reads again, until it is told that nothing is left.
 * Then it comes back to wait. So an empty ring is answered with "try again" once after data, and waited for the next time.
 */
let gaveBytes = false;

const connection = {
	receive(into: Uint8Array) {
		if (isEmpty(ring)) {
			if (gaveBytes) {
				gaveBytes = false;
				return -1;
			}
			if (!waitForBytes(ring, CHUNK_PATIENCE_MS, sendChunk)) return 0;
		}
		gaveBytes = true;
		return readRing(ring, into);
	},
	send(bytes: Uint8Array) {
		gaveBytes = false;
		post({ kind: 'send', bytes: bytes.slice() });
	},
};

let code = BROKEN;
try {
	code = runProgram(program, { args, environment, sinks, connection, tryAgain: errno.again });
	sendChunk();
} catch (error) {
	post({ kind: 'stderr', bytes: new TextEncoder().encode(`pg_dump: error: ${String(error)}\n`) });
}
post({ kind: 'exit', code });
