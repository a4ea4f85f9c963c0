/** A hash that is computed in a thread of its own, beside whatever else is done with the bytes. */
import path from 'node:path';
import type { Worker } from 'node:worker_threads';
import { BackupError } from '../../base/errors';
import type { Hashing } from './hashing';
import type { DigestAlgorithm } from './hashing';
import { startThread } from '../../base/thread';

/** From the sources in tests, from the built files in use. */
const WORKER_FILE = path.join(__dirname, `worker${path.extname(__filename)}`);
/** Handed over at once; together they are all that waits for the thread. Other sizes and numbers are no faster. */
const BUFFER_BYTES = 512 * 1024;
const BUFFERS = 8;

export class HashingThread implements Hashing {
	/** Started with the first bytes for it: a stream that nobody reads leaves no thread behind. */
	#worker: Worker | null = null;
	/** Memory that the thread has given back. */
	readonly #free: ArrayBuffer[] = [];
	#made = 0;
	/** What is being filled, and how far. */
	#current: Uint8Array<ArrayBuffer> | null = null;
	#filled = 0;
	/** Called when there is memory again, or never will be. */
	#wake: (() => void) | null = null;
	#hex: string | null = null;
	#failure: Error | null = null;

	constructor(private readonly algorithm: DigestAlgorithm) {}

	/** Takes a copy: the bytes are the caller's again when it returns, or when the promise it returns is fulfilled. */
	update(bytes: Uint8Array): Promise<void> | null {
		const taken = this.#take(bytes);
		return taken === bytes.length ? null : this.#takeSlowly(bytes.subarray(taken));
	}

	async digest(): Promise<string> {
		this.#hand();
		(this.#worker ??= this.#start()).postMessage(null);
		while (this.#hex === null) await this.#change();
		return this.#hex;
	}

	stop(): void {
		this.#fail();
		void this.#worker?.terminate();
	}

	async #takeSlowly(bytes: Uint8Array): Promise<void> {
		for (let taken = 0; taken < bytes.length; taken += this.#take(bytes.subarray(taken))) await this.#change();
	}

	/** @returns for how many of the bytes there was room */
	#take(bytes: Uint8Array): number {
		let taken = 0;
		while (taken < bytes.length && (this.#current ??= this.#memory())) {
			const piece = bytes.subarray(taken, taken + BUFFER_BYTES - this.#filled);
			this.#current.set(piece, this.#filled);
			this.#filled += piece.length;
			taken += piece.length;
			if (this.#filled === BUFFER_BYTES) this.#hand();
		}
		return taken;
	}

	#memory(): Uint8Array<ArrayBuffer> | null {
		const used = this.#free.pop();
		if (used) return new Uint8Array(used);
		if (this.#made === BUFFERS) return null;
		this.#made++;
		return new Uint8Array(BUFFER_BYTES);
	}

	#hand(): void {
		if (!this.#current) return;
		this.#worker ??= this.#start();
		this.#worker.postMessage(this.#current.subarray(0, this.#filled), [this.#current.buffer]);
		this.#current = null;
		this.#filled = 0;
	}

	/** @throws BackupError when it was stopped: nobody would stop another thread */
	#start(): Worker {
		if (this.#failure) throw this.#failure;
		const worker = startThread(WORKER_FILE, { workerData: this.algorithm, name: 'digest' });
		worker.on('message', (answer: ArrayBuffer | string) => {
			if (typeof answer === 'string') this.#hex = answer;
			else this.#free.push(answer);
			this.#wakeUp();
		});
		worker.once('error', (error: Error) => this.#fail(error));
		worker.once('exit', () => this.#fail());
		return worker;
	}

	/** Waits for the next word of the thread. */
	async #change(): Promise<void> {
		if (!this.#failure) await new Promise<void>((resolve) => (this.#wake = resolve));
		if (this.#failure && this.#hex === null) throw this.#failure;
	}

	#fail(cause?: Error): void {
		this.#failure ??= new BackupError('connection-lost', 'the thread that computes a digest broke down', {
			hint: 'Too little memory is the usual reason. Do less at once.',
			cause,
		});
		this.#wakeUp();
	}

	#wakeUp(): void {
		this.#wake?.();
		this.#wake = null;
	}
}
