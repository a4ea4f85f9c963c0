/** Looks at files of configuration in a thread of its own, one after the other. */
import { once } from 'node:events';
import path from 'node:path';
import type { Worker } from 'node:worker_threads';
import type { ConfigFile, Inspected } from './inspect.ts';
import { startThread } from '../../base/thread';

/** To the thread. */
export interface InspectRequest {
	path: string;
	bytes: Uint8Array;
	digestKey: string | null;
}

/** From the thread. */
export type InspectAnswer = Inspected;

/** From the sources in tests, from the built files in use. */
const WORKER_FILE = path.join(__dirname, `worker${path.extname(__filename)}`);
/** The largest file takes a second or two; a file made to hold the parsers up must not hold the backup up. */
const PATIENCE_MS = 30_000;
/** A parser that needs more for 512 KiB was made to. MB. */
const WORKER_LIMITS = { maxOldGenerationSizeMb: 512 };

/** Looks at one file at a time. Call `close` when no more files come. */
export class Inspector {
	#worker: Worker | null = null;

	/** @param patienceMs how long one file may take */
	constructor(
		private readonly digestKey: string | null,
		private readonly patienceMs = PATIENCE_MS,
	) {}

	/** Looks at a file. One that cannot be looked at in time is left out, with the reason. */
	async inspect(file: ConfigFile): Promise<Inspected> {
		const worker = (this.#worker ??= start());
		const patience = new AbortController();
		const timer = setTimeout(() => patience.abort(), this.patienceMs);
		try {
			const { signal } = patience;
			const answer = once(worker, 'message', { signal });
			const gone = once(worker, 'exit', { signal }).then(() => null);
			const { path: name, bytes } = file;
			worker.postMessage({ path: name, bytes, digestKey: this.digestKey } satisfies InspectRequest);
			const inspected = ((await Promise.race([answer, gone])) as [InspectAnswer] | null)?.[0];
			if (!inspected) throw new Error('the thread ended');
			const { sanitised } = inspected;
			// What came from the thread is no Buffer any more.
			return sanitised.leftOut === undefined
				? { ...inspected, sanitised: { ...sanitised, bytes: Buffer.from(sanitised.bytes) } }
				: inspected;
		} catch {
			await this.close();
			const leftOut = patience.signal.aborted ? 'takes too long to look at' : 'cannot be looked at';
			return { sanitised: { leftOut }, certificates: [], settings: null };
		} finally {
			clearTimeout(timer);
			patience.abort();
		}
	}

	async close(): Promise<void> {
		const worker = this.#worker;
		this.#worker = null;
		await worker?.terminate();
	}
}

function start(): Worker {
	const worker = startThread(WORKER_FILE, { resourceLimits: WORKER_LIMITS });
	// Whoever waits for an answer keeps the process alive by its timer.
	worker.unref();
	return worker;
}
