/** The thread that restores, as a partner in a conversation: what it is told, what it answers, and how it ends. */
import path from 'node:path';
import type { Worker } from 'node:worker_threads';
import { abortError, BackupError } from '../../../base/errors';
import { movable } from '../../../streams/chunk';
import { toError } from '../faults';
import type { FromRestorer, RestoreJob, ToRestorer } from './messages.ts';
import { startThread } from '../../../base/thread';

/** From the sources in tests, from the built files in use. */
const WORKER_FILE = path.join(__dirname, `worker${path.extname(__filename)}`);
const WORKER_LIMITS = { maxOldGenerationSizeMb: 512 };
/** Chunks that may wait for the thread. */
const MAX_WAITING = 8;

/** The thread; ends when it is told to stop, or when it failed. */
export class RestoreThread {
	readonly #worker: Worker;
	readonly #answers: FromRestorer[] = [];
	#waiting = 0;
	#failure: BackupError | null = null;
	#wake: (() => void) | null = null;
	readonly #gone: Promise<void>;

	constructor(
		job: RestoreJob,
		private readonly signal: AbortSignal,
	) {
		this.#worker = startThread(WORKER_FILE, { workerData: job, resourceLimits: WORKER_LIMITS });
		this.#gone = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
		this.#worker.on('message', (message: FromRestorer) => {
			if (message.kind === 'took') this.#waiting--;
			else if (message.kind === 'fault') this.#fail(toError(message.fault));
			else this.#answers.push(message);
			this.#wake?.();
		});
		this.#worker.once('error', (error: Error) =>
			this.#fail(new BackupError('storage-failed', `the thread that restores broke: ${error.message}`)),
		);
		this.#worker.once('exit', () =>
			this.#fail(new BackupError('incomplete', 'the thread that restores ended before its work was done')),
		);
		signal.addEventListener('abort', this.#onAbort, { once: true });
		if (signal.aborted) this.#onAbort();
	}

	send(message: ToRestorer): void {
		this.#worker.postMessage(message);
	}

	/**
	 * Gives bytes, and waits while enough of them are waiting. A chunk with memory of its own is gone then, and says that it is empty.
	 * @returns how many they were
	 */
	async give(at: number, chunk: Buffer): Promise<number> {
		const { length } = chunk;
		const bytes = movable(chunk);
		this.#worker.postMessage({ kind: 'data', at, bytes } satisfies ToRestorer, [bytes.buffer]);
		this.#waiting++;
		while (this.#waiting > MAX_WAITING) await this.#change();
		return length;
	}

	/** The next answer of a kind. */
	async next<Kind extends FromRestorer['kind']>(kind: Kind): Promise<Extract<FromRestorer, { kind: Kind }>> {
		for (;;) {
			const at = this.#answers.findIndex((answer) => answer.kind === kind);
			if (at !== -1) return this.#answers.splice(at, 1)[0] as Extract<FromRestorer, { kind: Kind }>;
			await this.#change();
		}
	}

	/** Ends the thread, whatever it does. */
	async stop(): Promise<void> {
		this.signal.removeEventListener('abort', this.#onAbort);
		await this.#worker.terminate();
		await this.#gone;
	}

	readonly #onAbort = () => this.#fail(abortError(this.signal));

	#fail(error: BackupError): void {
		this.#failure ??= error;
		this.#wake?.();
	}

	async #change(): Promise<void> {
		this.#throwIfFailed();
		await new Promise<void>((resolve) => (this.#wake = resolve));
		this.#wake = null;
		// What it said before it failed is still an answer.
		if (this.#answers.length === 0) this.#throwIfFailed();
	}

	#throwIfFailed(): void {
		if (this.#failure) throw this.#failure;
	}
}
