/** The main thread's side of the embedded database: messages in, answers out, one at a time, until it is stopped. */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { abortError, BackupError } from '../../errors';
import type { Answer, ThreadInput } from './messages.ts';

/** From the sources in tests, from the built files in use. */
const WORKER_FILE = path.join(__dirname, `worker${path.extname(__filename)}`);
/** Of JavaScript alone, MB: 20 are in use, and the rows of a large answer need some more. The database has its own memory. */
const WORKER_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16 };

/** As `top -H` shows it. */
const THREAD_NAME = 'embedded-pg';

interface Waiting {
	resolve: (answer: Answer) => void;
	reject: (error: Error) => void;
}

export class DatabaseThread {
	readonly #worker: Worker;
	readonly #gone: Promise<void>;
	readonly #waiting: Waiting[] = [];
	/** Why there are no more answers. */
	#end: Error | undefined;

	private constructor(input: ThreadInput) {
		this.#worker = new Worker(WORKER_FILE, {
			workerData: input,
			name: THREAD_NAME,
			resourceLimits: WORKER_LIMITS,
			env: {},
			// Not this process's options; and no warning that the sources (in tests) must be looked into to see that they are modules.
			execArgv: ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON'],
		});
		this.#gone = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
		this.#worker.on('message', (answer: Answer) => this.#waiting.shift()?.resolve(answer));
		this.#worker.once('error', (error: Error) => this.#finish(brokenDown(error)));
		this.#worker.once('exit', () => this.#finish(brokenDown()));
	}

	/**
	 * Starts a thread and waits until its task is done, or it is ready to answer.
	 * @throws BackupError 'connection-lost' or 'storage-full' when the database does not start; 'cancelled'
	 */
	static async start(input: ThreadInput, signal: AbortSignal): Promise<DatabaseThread> {
		const thread = new DatabaseThread(input);
		const onAbort = () => void thread.stop(abortError(signal));
		signal.addEventListener('abort', onAbort, { once: true });
		try {
			if (signal.aborted) onAbort();
			await new Promise((resolve, reject) => thread.#add({ resolve, reject }));
			return thread;
		} catch (error) {
			await thread.stop();
			throw error;
		} finally {
			signal.removeEventListener('abort', onAbort);
		}
	}

	/**
	 * @param message of PostgreSQL's protocol; its memory moves to the thread
	 * @throws BackupError 'connection-lost' or 'storage-full' when the database broke down; what it was stopped with
	 */
	async ask(message: Buffer): Promise<Answer> {
		const answer = await new Promise<Answer>((resolve, reject) => {
			this.#add({ resolve, reject });
			if (!this.#end) this.#worker.postMessage(message, transferable(message));
		});
		const { status, tag, refusal } = answer;
		const isWhole = status !== null && (tag !== null || refusal !== null);
		if (isWhole && !/^(?:FATAL|PANIC)$/.test(refusal?.severity ?? '')) return answer;
		// It says nothing at all when its WebAssembly program traps; after a PANIC it answers nonsense.
		await this.stop(brokenDown(refusal && new Error(refusal.message)));
		throw this.#end!;
	}

	/** Ends the thread, whatever it is doing. Whoever waits for an answer gets `reason` as an error. */
	async stop(reason: Error = new BackupError('connection-lost', 'the embedded database was closed')): Promise<void> {
		this.#finish(reason);
		await this.#worker.terminate();
		await this.#gone;
	}

	#add(waiting: Waiting): void {
		if (this.#end) waiting.reject(this.#end);
		else this.#waiting.push(waiting);
	}

	#finish(reason: Error): void {
		this.#end ??= reason;
		for (const { reject } of this.#waiting.splice(0)) reject(this.#end);
	}
}

/** Memory of Buffer's pool, which small buffers share, cannot be moved: no buffer in it is as large as half of it. */
function transferable({ buffer, byteLength }: Buffer): ArrayBuffer[] {
	return byteLength * 2 > buffer.byteLength ? [buffer as ArrayBuffer] : [];
}

function brokenDown(cause?: Error | null): BackupError {
	if (/ENOSPC|No space left/.test(cause?.message ?? '')) {
		return new BackupError('storage-full', 'the embedded database has no space left in the temporary folder', {
			hint: 'Free some space there, name another folder in TMPDIR, or use a scratch database on a server.',
			cause,
		});
	}
	return new BackupError('connection-lost', 'the embedded database broke down', {
		hint: 'Too little memory is the usual reason. Use a scratch database on a server.',
		cause: cause ?? undefined,
	});
}
