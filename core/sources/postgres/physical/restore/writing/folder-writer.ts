/** Has the files of a cluster written by a thread of their own: what blocks there holds up nobody. */
import path from 'node:path';
import type { Worker } from 'node:worker_threads';
import { abortError, BackupError } from '../../../../../base/errors';
import { movable } from '../../../../../streams/chunk';
import type { Deed, FromWriter, ToWriter } from './messages.ts';
import { startThread } from '../../../../../base/thread';

/** From the sources in tests, from the built files in use. */
const WORKER_FILE = path.join(__dirname, `worker${path.extname(__filename)}`);
const WORKER_LIMITS = { maxOldGenerationSizeMb: 64 };
/** Chunks that may wait for the thread. */
const MAX_WAITING = 8;
const NOTHING = Buffer.alloc(0);

export class FolderWriter {
	readonly #worker: Worker;
	readonly #signal: AbortSignal;
	readonly #gone: Promise<void>;
	#waiting = 0;
	#failure: Error | null = null;
	#wake: () => void = () => undefined;

	/** Starts the thread. {@link stop} it in the end. @param signal ends what is waited for */
	constructor(signal: AbortSignal) {
		this.#signal = signal;
		this.#worker = startThread(WORKER_FILE, { resourceLimits: WORKER_LIMITS });
		this.#gone = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
		this.#worker.on('message', (message: FromWriter) => {
			if (message.kind === 'failed') return this.#fail(errorOf(message));
			this.#waiting--;
			this.#wake();
		});
		this.#worker.once('error', (error: Error) =>
			this.#fail(new BackupError('storage-failed', `the thread that writes files broke: ${error.message}`)),
		);
		this.#worker.once('exit', () =>
			this.#fail(new BackupError('incomplete', 'the thread that writes files ended before its work was done')),
		);
		signal.addEventListener('abort', this.#onAbort, { once: true });
		if (signal.aborted) this.#onAbort();
	}

	/**
	 * Has things done, and waits while much is waiting.
	 * @param chunk what the places in them are about; with memory of its own, it is gone then, and says that it is empty
	 * @throws BackupError 'damaged', 'cancelled'; errors of the file system as they are, also of what was asked for before
	 */
	async write(deeds: readonly Deed[], chunk: Buffer): Promise<void> {
		if (this.#failure) throw this.#failure;
		if (deeds.length === 0) return;
		const bytes = movable(chunk);
		this.#post({ deeds, bytes }, [bytes.buffer]);
		await this.#until(() => this.#waiting <= MAX_WAITING);
	}

	/** Waits until all is written. @throws as {@link write} */
	async finish(): Promise<void> {
		this.#post({ deeds: [], bytes: new Uint8Array(NOTHING) }, []);
		await this.#until(() => this.#waiting === 0);
	}

	/** Ends the thread, whatever it does; nothing is written after that. */
	async stop(): Promise<void> {
		this.#signal.removeEventListener('abort', this.#onAbort);
		await this.#worker.terminate();
		await this.#gone;
	}

	readonly #onAbort = () => this.#fail(abortError(this.#signal));

	#post(message: ToWriter, transfer: ArrayBuffer[]): void {
		this.#worker.postMessage(message, transfer);
		this.#waiting++;
	}

	#fail(error: Error): void {
		this.#failure ??= error;
		this.#wake();
	}

	async #until(isSo: () => boolean): Promise<void> {
		for (;;) {
			if (this.#failure) throw this.#failure;
			if (isSo()) return;
			await new Promise<void>((resolve) => (this.#wake = resolve));
		}
	}
}

function errorOf({ message, hint, code, system }: Extract<FromWriter, { kind: 'failed' }>): Error {
	if (code !== undefined) return new BackupError(code, message, { hint });
	return Object.assign(new Error(message), { code: system });
}
