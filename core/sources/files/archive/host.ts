/** Starts the thread that archives, and gives what it writes as a stream whose end is proof that it came to its end. */
import path from 'node:path';
import { Readable } from 'node:stream';
import { abortError, BackupError } from '../../../base/errors';
import { memoryOf } from '../../../streams/chunk';
import { createGate, openGate } from '../../../streams/gate.ts';
import { toError } from '../faults';
import type { DatabaseCopy } from '../../sqlite/messages.ts';
import type { ArchiveJob, ArchiveMessage, ArchiveSummary, RecycledBuffer } from './messages.ts';
import { startThread } from '../../../base/thread';

/** From the sources in tests, from the built files in use. */
const WORKER_FILE = path.join(__dirname, `worker${path.extname(__filename)}`);
/**
 * It holds the names of one directory at a time, the last contents that can be shared, and a chunk or two. The young generation is small:
 * left to itself, V8 keeps far more memory than is in use (bench/README.md). MB.
 */
const WORKER_LIMITS = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 24 };
/** Enough for the thread to run ahead of a consumer that pauses briefly. */
const BUFFER_BYTES = 1024 * 1024;

/** An archive that is being made. */
export interface RunningArchive {
	/** The tar. Ends only when everything was archived. */
	body: Readable;
	/** Takes a chunk of the body back. */
	recycle: (chunk: Buffer) => void;
	/** What there is to say of it; only after the body has ended. */
	summary(): ArchiveSummary;
}

export interface ArchiveHost {
	signal: AbortSignal;
	/** Makes a consistent copy of a database. */
	snapshot: (from: string) => Promise<DatabaseCopy>;
	/** Called about once a second. */
	onProgress?: (progress: { entries: number; bytes: number }) => void;
}

/** Starts to archive. Failures are errors of the body. */
export function startArchive(job: Omit<ArchiveJob, 'gate'>, host: ArchiveHost): RunningArchive {
	const gate = createGate();
	const worker = startThread(WORKER_FILE, {
		workerData: { ...job, gate } satisfies ArchiveJob,
		resourceLimits: WORKER_LIMITS,
	});
	const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
	let summary: ArchiveSummary | null = null;
	/** Bytes that arrived while the consumer wanted none. */
	let held = 0;

	const body = new Readable({
		highWaterMark: BUFFER_BYTES,
		read() {
			if (held > 0) openGate(gate, held);
			held = 0;
		},
		destroy(error, done) {
			host.signal.removeEventListener('abort', onAbort);
			worker.terminate().then(
				async () => {
					await gone;
					done(error);
				},
				(failure: Error) => done(error ?? failure),
			);
		},
	});
	// It may fail before somebody reads: that must not end this process. A reader finds the stream broken.
	body.on('error', () => undefined);
	const onAbort = () => body.destroy(abortError(host.signal));

	worker.on('message', (message: ArchiveMessage) => {
		switch (message.kind) {
			case 'output':
				if (body.destroyed) break;
				if (body.push(Buffer.from(message.bytes.buffer, 0, message.bytes.length))) openGate(gate, message.bytes.length);
				else held += message.bytes.length;
				break;
			case 'progress':
				host.onProgress?.(message);
				break;
			case 'database':
				host.snapshot(message.from).then(
					(copy) => message.answer.postMessage(copy),
					(error: Error) => body.destroy(error),
				);
				break;
			case 'end':
				summary = message.summary;
				break;
			case 'fault':
				body.destroy(toError(message.fault));
				break;
		}
	});
	worker.once('error', (error: Error) =>
		body.destroy(new BackupError('storage-failed', `the thread that archives broke: ${error.message}`)),
	);
	worker.once('exit', () => {
		if (summary) body.push(null);
		else body.destroy(new BackupError('incomplete', 'the thread that archives ended before its work was done'));
	});
	host.signal.addEventListener('abort', onAbort, { once: true });
	if (host.signal.aborted) onAbort();
	return {
		body,
		recycle(chunk) {
			const memory = memoryOf(chunk);
			if (memory) worker.postMessage(memory satisfies RecycledBuffer, [memory]);
		},
		summary: () => summary!,
	};
}
