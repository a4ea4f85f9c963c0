/** Starts the thread that restores, and feeds it with what it wants of each backup of a chain. */
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { abortError, BackupError } from '../../../base/errors';
import type { OpenBackup } from '../../source';
import type { FilesContents } from '../contents';
import { type Entry, storedSize } from '../entry';
import { toError } from '../faults';
import { archiveOf } from '../parts';
import type { FromRestorer, HolderPlan, RestoreJob, RestoreSummary, ToRestorer } from './messages.ts';

/** From the sources in tests, from the built files in use. */
const WORKER_FILE = path.join(__dirname, `worker${path.extname(__filename)}`);
const WORKER_LIMITS = { maxOldGenerationSizeMb: 512 };
/** Chunks that may wait for the thread. */
const MAX_WAITING = 8;
/** Where less of an archive is wanted than this, only that is read. */
const SMALL_SHARE = 0.25;
/** What lies between two wanted pieces is read along, if it is no more than this. */
const GAP_BYTES = 256 * 1024;

export interface RestoreHost {
	backup: OpenBackup<FilesContents>;
	signal: AbortSignal;
	onProgress: (progress: { phase: string; bytes: number }) => void;
}

/**
 * Restores, as the job says.
 * @throws BackupError what the thread says; those of reading the backup; 'cancelled'
 */
export async function runRestore(job: RestoreJob, host: RestoreHost): Promise<RestoreSummary> {
	const thread = new RestoreThread(job, host.signal);
	try {
		const { plans } = await thread.next('plans');
		let bytes = 0;
		if (!job.dryRun) {
			for (const plan of plans) {
				for (let left: HolderPlan | null = plan; left; ) {
					thread.send({ kind: 'begin', plan: left });
					await feed(thread, left, host, (count) => {
						bytes += count;
						host.onProgress({ phase: 'restoring', bytes });
					});
					thread.send({ kind: 'end' });
					left = (await thread.next('again')).plan;
					if (left) left = await inOrder(left);
				}
			}
		}
		thread.send({ kind: 'finish' });
		host.onProgress({ phase: 'finishing', bytes });
		return (await thread.next('done')).summary;
	} finally {
		await thread.stop();
	}
}

/** Gives the thread what a plan wants of its archive: all of it, or the wanted pieces. */
async function feed(
	thread: RestoreThread,
	plan: HolderPlan,
	{ backup }: RestoreHost,
	onBytes: (count: number) => void,
): Promise<void> {
	const holder = plan.holder === 0 ? backup : backup.parents[plan.holder - 1];
	if (!holder) {
		throw new BackupError('damaged', 'the index names a backup that is not part of the chain', {
			hint: 'Use another backup.',
		});
	}
	const part = archiveOf(holder.manifest);
	if (plan.bytes > part.original.bytes * SMALL_SHARE) {
		let at = 0;
		for await (const chunk of (await holder.open(part)) as AsyncIterable<Buffer>) {
			const length = await thread.give(at, chunk);
			at += length;
			onBytes(length);
		}
		return;
	}
	const access = await holder.openAt(part);
	for await (const { start, end } of wantedRanges(plan.file)) {
		let at = start;
		for await (const chunk of access.read(start, end - start)) {
			const length = await thread.give(at, chunk);
			at += length;
			onBytes(length);
		}
	}
}

/** Pieces of an archive that a plan wants, in order. What points back is left out. */
async function* wantedRanges(file: string): AsyncGenerator<{ start: number; end: number }> {
	let current: { start: number; end: number } | null = null;
	for await (const line of createInterface({ input: fs.createReadStream(file), crlfDelay: Infinity })) {
		const entry = JSON.parse(line) as Entry;
		const start = entry.at!;
		const end = start + storedSize(entry);
		if (current && start < current.end) continue;
		if (current && start - current.end <= GAP_BYTES) current.end = end;
		else {
			if (current) yield current;
			current = { start, end };
		}
	}
	if (current) yield current;
}

/** Contents that are shared point back, from anywhere: what must be read for them is sorted. */
async function inOrder(plan: HolderPlan): Promise<HolderPlan> {
	const lines = (await fs.promises.readFile(plan.file, 'utf8')).split('\n').filter(Boolean);
	const sorted = lines.map((line) => ({ line, at: (JSON.parse(line) as Entry).at! })).sort((a, b) => a.at - b.at);
	await fs.promises.writeFile(plan.file, `${sorted.map(({ line }) => line).join('\n')}\n`);
	return plan;
}

/** The thread, as a partner in a conversation. */
class RestoreThread {
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
		this.#worker = new Worker(WORKER_FILE, {
			workerData: job,
			resourceLimits: WORKER_LIMITS,
			env: {},
			execArgv: ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON'],
		});
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
		const isOwn = chunk.byteLength === chunk.buffer.byteLength && chunk.buffer instanceof ArrayBuffer;
		const bytes = new Uint8Array(isOwn ? chunk.buffer : Uint8Array.from(chunk).buffer);
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
