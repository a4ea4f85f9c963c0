/** Any storage, with every operation tried again that failed for a passing reason. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { isBackupError } from '../base/errors';
import { DEFAULT_RETRY, pauseAfter, retry, type RetryPolicy } from '../base/retry';
import { takeBody } from './body';
import { assertRange } from './exact';
import { compareKeys } from './key';
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

/**
 * Up to so many bytes, a write is repeated from memory: manifests, locks, journal entries. A longer body cannot be
 * produced twice; the storage below has to look after its own parts, as S3Storage does.
 */
export const REPLAY_LIMIT = 1024 * 1024;

export class RetryingStorage implements Storage {
	constructor(
		private readonly inner: Storage,
		private readonly policy: RetryPolicy = DEFAULT_RETRY,
	) {}

	get location(): string {
		return this.inner.location;
	}

	async write(key: string, body: Readable, options: WriteOptions = {}): Promise<StoredObject> {
		const bytes = takeBody(body, options.signal);
		try {
			const rest = bytes[Symbol.asyncIterator]();
			const head: Uint8Array[] = [];
			let size = 0;
			while (size <= REPLAY_LIMIT) {
				const next = await rest.next();
				if (next.done) return await this.#writeSmall(key, Buffer.concat(head), options);
				// A copy: the producer may use its buffer again.
				head.push(Buffer.from(next.value));
				size += next.value.length;
			}
			const whole = Readable.from(joined(head, rest), { objectMode: false });
			// A generator that waits for the body does not hear that it is no longer wanted.
			whole.once('close', () => bytes.discard());
			return await this.inner.write(key, whole, options);
		} finally {
			bytes.discard();
		}
	}

	/** Also the stream goes on after a broken connection, from the byte where it broke: objects never change. */
	async read(key: string, options: ReadOptions = {}): Promise<Readable> {
		assertRange(options);
		const source = { current: await this.#open(key, options) };
		const whole = Readable.from(this.#continued(source, key, options), { objectMode: false });
		// A generator that waits for the source does not hear that it is no longer wanted.
		whole.once('close', () => source.current.destroy());
		return whole;
	}

	async stat(key: string, options: CallOptions = {}): Promise<StoredObject | null> {
		return await this.#retry(() => this.inner.stat(key, options), options.signal);
	}

	async *list(prefix: string, options: CallOptions = {}): AsyncIterable<StoredObject> {
		let last: string | undefined;
		let failures = 0;
		for (;;) {
			try {
				for await (const object of this.inner.list(prefix, options)) {
					if (last !== undefined && compareKeys(object.key, last) <= 0) continue;
					yield object;
					last = object.key;
					failures = 0;
				}
				return;
			} catch (error) {
				await pauseAfter(error, ++failures, this.policy, options.signal);
			}
		}
	}

	async remove(key: string, options: CallOptions = {}): Promise<void> {
		await this.#retry(() => this.inner.remove(key, options), options.signal);
	}

	get appendOnly(): boolean {
		return this.inner.appendOnly ?? false;
	}

	get protection(): Protecting | null {
		const { protection } = this.inner;
		return (
			protection && {
				extend: async (key, wanted) => await this.#retry(() => protection.extend(key, wanted)),
				until: async (key) => await this.#retry(() => protection.until(key)),
			}
		);
	}

	async removeUnfinished(prefix: string, accept?: (key: string, startedAt: Date) => boolean): Promise<number> {
		return await this.#retry(() => this.inner.removeUnfinished(prefix, accept));
	}

	/** A listing that breaks off starts over: there are few, and their order is the storage's own. */
	async *unfinished(prefix: string): AsyncIterable<Unfinished> {
		yield* await this.#retry(async () => {
			const found: Unfinished[] = [];
			for await (const each of this.inner.unfinished(prefix)) found.push(each);
			return found;
		});
	}

	async hasDeleted(prefix: string, options: CallOptions = {}): Promise<boolean> {
		return await this.#retry(async () => (await this.inner.hasDeleted?.(prefix, options)) ?? false, options.signal);
	}

	get onlyIfAbsent(): ((key: string, options?: CallOptions) => Promise<OnlyIfAbsent>) | undefined {
		const { inner } = this;
		if (!inner.onlyIfAbsent) return undefined;
		return async (key, options = {}) => await this.#retry(() => inner.onlyIfAbsent!(key, options), options.signal);
	}

	outer(): Storage[] {
		return this.inner.outer?.() ?? [];
	}

	async space(options: CallOptions = {}): Promise<Space | null> {
		return await this.#retry(() => this.inner.space(options), options.signal);
	}

	async close(): Promise<void> {
		await this.inner.close();
	}

	async #writeSmall(key: string, bytes: Buffer, options: WriteOptions): Promise<StoredObject> {
		return await this.#retry(async (attempt) => {
			try {
				return await this.inner.write(
					key,
					Readable.from(bytes.length > 0 ? [bytes] : [], { objectMode: false }),
					options,
				);
			} catch (error) {
				// An earlier attempt may have got through although its answer was lost.
				if (attempt === 1 || !isBackupError(error, 'already-exists')) throw error;
				const object = await this.inner.stat(key, { signal: options.signal });
				if (
					object?.size !== bytes.length ||
					!bytes.equals(await buffer(await this.inner.read(key, { signal: options.signal })))
				)
					throw error;
				return object;
			}
		}, options.signal);
	}

	async *#continued(source: { current: Readable }, key: string, options: ReadOptions): AsyncGenerator<Buffer> {
		const { start = 0, length, signal } = options;
		let received = 0;
		let failures = 0;
		for (;;) {
			try {
				for await (const chunk of source.current as AsyncIterable<Buffer>) {
					received += chunk.length;
					failures = 0;
					yield chunk;
				}
				return;
			} catch (error) {
				await pauseAfter(error, ++failures, this.policy, signal);
				const rest = { signal, start: start + received, length: length === undefined ? undefined : length - received };
				source.current = await this.#open(key, rest);
			}
		}
	}

	async #open(key: string, options: ReadOptions): Promise<Readable> {
		const body = await this.#retry(() => this.inner.read(key, options), options.signal);
		// It may break before somebody reads, and is found broken then; unheard, the error would end the process.
		return body.on('error', () => undefined);
	}

	async #retry<T>(operation: (attempt: number) => Promise<T>, signal?: AbortSignal): Promise<T> {
		return await retry(operation, this.policy, signal);
	}
}

async function* joined(head: Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
	yield* head.splice(0);
	for (;;) {
		const next = await rest.next();
		if (next.done) return;
		yield next.value;
	}
}
