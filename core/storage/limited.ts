/**
 * Any storage, with an end to the patience: a call that does nothing for too long fails, and one of a run that was told to
 * stop is not waited for, whether the storage below listens to its signal or not.
 */
import { Readable } from 'node:stream';
import { abortError, BackupError } from '../base/errors';
import { watchStall } from '../base/limits';
import { takeBody } from './body';
import type {
	CallOptions,
	OnlyIfAbsent,
	Protecting,
	ReadOptions,
	Space,
	Storage,
	StoredObject,
	Unfinished,
	WriteOptions,
} from './storage';

/** After a run was told to stop, each call of its tidying up gets this long. */
const ENDING_MS = 5_000;

export interface StorageLimits {
	/** A call in which nothing moves for this long fails as 'stalled', milliseconds. */
	stallTimeoutMs: number;
	/**
	 * Of the run. When it aborts, calls that only look end at once, and those that change something get some seconds more.
	 * Calls that begin after that are tidying up: they are made, with as many seconds.
	 */
	signal?: AbortSignal;
}

/** The storage under these limits, in the place of any that it is under already. */
export function limitStorage(storage: Storage, limits: StorageLimits): Storage {
	return new LimitedStorage(LimitedStorage.inside(storage), limits);
}

class LimitedStorage implements Storage {
	readonly #inner: Storage;

	constructor(
		inner: Storage,
		private readonly limits: StorageLimits,
	) {
		this.#inner = inner;
	}

	/** What is below, where this is one of ours. */
	static inside(storage: Storage): Storage {
		// Not `instanceof`: it would also be true of what somebody else put around one of ours.
		return #inner in storage ? storage.#inner : storage;
	}

	get location(): string {
		return this.#inner.location;
	}

	async write(key: string, body: Readable, options: WriteOptions = {}): Promise<StoredObject> {
		const call = new Call(this.location, `to store ${key}`, this.limits, { changes: true, signal: options.signal });
		const bytes = takeBody(body, call.signal);
		const state = { moved: 0, safe: 0, waitsForBody: false };
		const whole = Readable.from(watched(bytes, state), { objectMode: false });
		// Whoever makes the bytes has limits of his own: waiting for them is no stall of the storage.
		const watch = watchStall(this.limits.stallTimeoutMs, call.fail, () => ({
			moved: state.moved + state.safe,
			waitingFor: state.waitsForBody ? null : `storage ${this.location}, to store ${key}`,
		}));
		const onProgress = (safe: number) => {
			state.safe = safe;
			options.onProgress?.(safe);
		};
		const onMoved = () => {
			state.moved += 1;
			options.onMoved?.();
		};
		const under = { ...options, signal: call.signal, onProgress, onMoved };
		try {
			return await call.wait(this.#inner.write(key, whole, under), false);
		} finally {
			watch.stop();
			bytes.discard();
		}
	}

	async read(key: string, options: ReadOptions = {}): Promise<Readable> {
		const what = `with ${key}`;
		const call = new Call(this.location, what, this.limits, { signal: options.signal });
		const body = await call.wait(
			this.#inner.read(key, { ...options, signal: call.signal }).then((body) => {
				body.on('error', () => undefined);
				// One that comes too late is nobody's.
				if (call.signal.aborted) body.destroy();
				return body;
			}),
		);
		const pieces = this.#each(() => body as AsyncIterable<Buffer>, what, options.signal);
		const whole = Readable.from(pieces, { objectMode: false });
		// A generator that waits for the body does not hear that it is no longer wanted.
		whole.once('close', () => body.destroy());
		return whole.on('error', () => undefined);
	}

	async stat(key: string, options: CallOptions = {}): Promise<StoredObject | null> {
		return await this.#call(`about ${key}`, (signal) => this.#inner.stat(key, { signal }), options);
	}

	list(prefix: string, options: CallOptions = {}): AsyncIterable<StoredObject> {
		const open = (signal: AbortSignal) => this.#inner.list(prefix, { signal });
		return this.#each(open, `with a list of "${prefix}"`, options.signal);
	}

	async remove(key: string, options: CallOptions = {}): Promise<void> {
		await this.#change(`to remove ${key}`, (signal) => this.#inner.remove(key, { signal }), options);
	}

	get appendOnly(): boolean {
		return this.#inner.appendOnly ?? false;
	}

	get protection(): Protecting | null {
		const { protection } = this.#inner;
		return (
			protection && {
				extend: async (key, wanted) => await this.#change(`to protect ${key}`, () => protection.extend(key, wanted)),
				until: async (key) => await this.#call(`about the lock of ${key}`, () => protection.until(key)),
			}
		);
	}

	async removeUnfinished(prefix: string, accept?: (key: string, startedAt: Date) => boolean): Promise<number> {
		const call = new Call(this.location, `to tidy up "${prefix}"`, this.limits, { changes: true });
		const each = (key: string, startedAt: Date) => {
			call.moved();
			return accept?.(key, startedAt) ?? true;
		};
		return await call.wait(this.#inner.removeUnfinished(prefix, each));
	}

	unfinished(prefix: string): AsyncIterable<Unfinished> {
		return this.#each(() => this.#inner.unfinished(prefix), `with what is unfinished in "${prefix}"`);
	}

	async hasDeleted(prefix: string, options: CallOptions = {}): Promise<boolean> {
		const ask = async (signal: AbortSignal) => (await this.#inner.hasDeleted?.(prefix, { signal })) ?? false;
		return await this.#call(`about what was deleted in "${prefix}"`, ask, options);
	}

	get onlyIfAbsent(): ((key: string, options?: CallOptions) => Promise<OnlyIfAbsent>) | undefined {
		const inner = this.#inner;
		if (!inner.onlyIfAbsent) return undefined;
		return async (key, options = {}) =>
			await this.#call(`about ${key}`, (signal) => inner.onlyIfAbsent!(key, { signal }), options);
	}

	outer(): Storage[] {
		return this.#inner.outer?.() ?? [];
	}

	async space(options: CallOptions = {}): Promise<Space | null> {
		return await this.#call('about its space', (signal) => this.#inner.space({ signal }), options);
	}

	async close(): Promise<void> {
		await this.#inner.close();
	}

	async #call<T>(what: string, work: (signal: AbortSignal) => Promise<T>, { signal }: CallOptions = {}): Promise<T> {
		const call = new Call(this.location, what, this.limits, { signal });
		return await call.wait(work(call.signal));
	}

	async #change<T>(what: string, work: (signal: AbortSignal) => Promise<T>, { signal }: CallOptions = {}): Promise<T> {
		const call = new Call(this.location, what, this.limits, { changes: true, signal });
		return await call.wait(work(call.givenUp));
	}

	/** Each step of a listing or of a stream has its own time. There can be very many, so they share one call, one timer and one listener. */
	async *#each<T>(
		open: (signal: AbortSignal) => AsyncIterable<T>,
		what: string,
		signal?: AbortSignal,
	): AsyncGenerator<T> {
		const begun = this.limits.signal?.aborted === true;
		const call = new Call(this.location, what, this.limits, { signal });
		const iterator = open(call.signal)[Symbol.asyncIterator]();
		const steps = call.steps();
		let ended = false;
		try {
			for (;;) {
				// What began before the run was told to stop does not go on after it.
				const { signal: run } = this.limits;
				if (run?.aborted && !begun) throw abortError(run);
				const next = await steps.wait(iterator.next());
				ended = next.done === true;
				if (next.done) return;
				yield next.value;
			}
		} finally {
			steps.end();
			// Not awaited: one that does not answer would not answer to this either.
			if (!ended) iterator.return?.().catch(() => undefined);
		}
	}
}

async function* watched(
	bytes: AsyncIterable<Uint8Array>,
	state: { moved: number; waitsForBody: boolean },
): AsyncGenerator<Uint8Array> {
	state.waitsForBody = true;
	for await (const chunk of bytes) {
		state.waitsForBody = false;
		state.moved += 1;
		yield chunk;
		state.waitsForBody = true;
	}
	state.waitsForBody = false;
}

/** One wait for the storage. */
class Call {
	readonly #stop = new AbortController();
	readonly #run: AbortSignal | undefined;
	#signal: AbortSignal | undefined;
	readonly #limitMs: number;
	#timer: NodeJS.Timeout | undefined;

	/**
	 * @param what the end of "it did not answer …"
	 * @param options.changes whether the call changes something, and so is not left at once
	 * @param options.signal the caller's own
	 */
	constructor(
		private readonly location: string,
		private readonly what: string,
		{ stallTimeoutMs, signal }: StorageLimits,
		private readonly options: { changes?: boolean; signal?: AbortSignal },
	) {
		// After the run's end, only the caller's own signal and the short patience count.
		this.#run = signal?.aborted ? undefined : signal;
		this.#limitMs = signal?.aborted ? Math.min(ENDING_MS, stallTimeoutMs) : stallTimeoutMs;
	}

	/** For what is called: aborts when the caller, the run or the limit says so. */
	get signal(): AbortSignal {
		const all = [this.#stop.signal, this.options.signal, this.#run];
		return (this.#signal ??= AbortSignal.any(all.filter((signal) => signal !== undefined)));
	}

	/** For a change that is called: aborts when the caller says so or nobody waits any more, but not yet when the run ends. */
	get givenUp(): AbortSignal {
		const { signal } = this.options;
		return signal ? AbortSignal.any([this.#stop.signal, signal]) : this.#stop.signal;
	}

	readonly fail = (error: Error): void => this.#stop.abort(error);

	/** Something happened: it may take as long again. */
	moved(): void {
		this.#timer?.refresh();
	}

	/** @param timed false where the caller watches what moves */
	async wait<T>(promise: Promise<T>, timed = true): Promise<T> {
		const stopped = this.signal;
		if (timed) this.#timer = setTimeout(() => this.fail(this.#stalled(this.#limitMs)), this.#limitMs);
		return await new Promise<T>((resolve, reject) => {
			const give = () => reject(abortError(stopped));
			const onStop = () => {
				if (!this.options.changes || this.#stop.signal.aborted) return give();
				clearTimeout(this.#timer);
				this.#timer = setTimeout(() => {
					give();
					this.fail(abortError(stopped));
				}, ENDING_MS);
			};
			if (stopped.aborted) onStop();
			else stopped.addEventListener('abort', onStop, { once: true });
			promise.then(resolve, reject).finally(() => stopped.removeEventListener('abort', onStop));
		}).finally(() => clearTimeout(this.#timer));
	}

	/**
	 * For a call that answers in many steps, one after the other, and changes nothing: as {@link wait} for each of them, with a time of its
	 * own, but without a timer and a listener of its own.
	 */
	steps(): { wait: <T>(promise: Promise<T>) => Promise<T>; end: () => void } {
		const stopped = this.signal;
		/** Null while nobody waits for the storage. */
		let giveUp: ((error: Error) => void) | null = null;
		const onStop = () => giveUp?.(abortError(stopped));
		stopped.addEventListener('abort', onStop, { once: true });
		const timer = setTimeout(() => {
			// Between two steps, whoever takes them takes his time.
			if (giveUp) this.fail(this.#stalled(this.#limitMs));
		}, this.#limitMs);
		return {
			wait: async (promise) => {
				timer.refresh();
				try {
					return await new Promise((resolve, reject) => {
						giveUp = reject;
						if (stopped.aborted) onStop();
						promise.then(resolve, reject);
					});
				} finally {
					giveUp = null;
				}
			},
			end: () => {
				clearTimeout(timer);
				stopped.removeEventListener('abort', onStop);
			},
		};
	}

	#stalled(ms: number): BackupError {
		return new BackupError(
			'stalled',
			`${this.location} did not answer ${this.what} within ${Math.round(ms / 1000)} seconds`,
			{
				hint: 'Check the storage and the network to it. If it is this slow, raise the stall timeout.',
				details: { transient: false },
			},
		);
	}
}
