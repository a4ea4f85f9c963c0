/** The thread that archives: blocking calls, one after the other, while the main thread compresses and stores. */
import { once } from 'node:events';
import { MessageChannel, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { CHUNK_BYTES, CHUNK_PATIENCE_MS } from '../../../streams/chunk.ts';
import { passGate } from '../../../streams/gate.ts';
import { faultOf } from '../thread-faults.ts';
import type { DatabaseCopy } from '../../sqlite/messages.ts';
import { Archiver } from './archiver.ts';
import type { ArchiveJob, ArchiveMessage, RecycledBuffer } from './messages.ts';
import { Output } from './output.ts';

const job = workerData as ArchiveJob;

function post(message: ArchiveMessage, transfer: Array<ArrayBuffer | MessageChannel['port1']> = []): void {
	parentPort!.postMessage(message, transfer as never);
}

const output = new Output({
	send(bytes) {
		passGate(job.gate, bytes.length);
		post({ kind: 'output', bytes }, [bytes.buffer]);
	},
	// New memory is filled with zeros by the system, page by page: memory that came back costs nothing.
	next() {
		const recycled = receiveMessageOnPort(parentPort!)?.message as RecycledBuffer | undefined;
		return new Uint8Array(recycled ?? new ArrayBuffer(CHUNK_BYTES));
	},
});

let told = performance.now();
/** A clock per entry would cost more than what it saves. */
const LOOK_EVERY = 64;

function onEntry(entries: number, bytes: number): void {
	if (entries % LOOK_EVERY !== 0) return;
	const now = performance.now();
	if (now - told < CHUNK_PATIENCE_MS) return;
	told = now;
	output.flush();
	post({ kind: 'progress', entries, bytes });
}

/** Databases are copied in a thread of their own, which the main thread starts. */
async function snapshot(from: string): Promise<DatabaseCopy> {
	const { port1, port2 } = new MessageChannel();
	post({ kind: 'database', from, answer: port2 }, [port2]);
	const [answer] = (await once(port1, 'message')) as [DatabaseCopy | Error];
	port1.close();
	if (answer instanceof Error) throw answer;
	return answer;
}

async function main(): Promise<void> {
	try {
		const summary = await new Archiver(job, output, { onEntry, snapshot }).run();
		post({ kind: 'end', summary });
	} catch (error) {
		const { code, message, hint } = faultOf(error, 'archived');
		post({ kind: 'fault', fault: { code, message, hint } });
	}
	// What comes back after the end is not waited for.
	parentPort!.close();
}

void main();
