/**
 * Any storage, with an end to the patience: a call that does nothing for too long fails, and one of a run that was told to
 * stop is not waited for, whether the storage below listens to its signal or not.
 */
import { Readable } from 'node:stream';
import { abortError } from '../base/errors';
import { watchStall } from '../base/limits';
import { takeBody } from './body';
import { StorageCall, type StorageLimits } from './call';
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
		const call = new StorageCall(this.location, `to store ${key}`, this.limits, {
			changes: true,
			signal: options.signal,
		});
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
		const call = new StorageCall(this.location, what, this.limits, { signal: options.signal });
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
		const call = new StorageCall(this.location, `to tidy up "${prefix}"`, this.limits, { changes: true });
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
		const call = new StorageCall(this.location, what, this.limits, { signal });
		return await call.wait(work(call.signal));
	}

	async #change<T>(what: string, work: (signal: AbortSignal) => Promise<T>, { signal }: CallOptions = {}): Promise<T> {
		const call = new StorageCall(this.location, what, this.limits, { changes: true, signal });
		return await call.wait(work(call.givenUp));
	}

	/** Each step of a listing or of a stream has its own time. There can be very many, so they share one call, one timer and one listener. */
	async *#each<T>(
		open: (signal: AbortSignal) => AsyncIterable<T>,
		what: string,
		signal?: AbortSignal,
	): AsyncGenerator<T> {
		const begun = this.limits.signal?.aborted === true;
		const call = new StorageCall(this.location, what, this.limits, { signal });
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
