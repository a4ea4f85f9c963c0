/** Objects in memory: for tests, and the shortest example of a storage. */
import { Readable } from 'node:stream';
import { abortError, BackupError } from '../base/errors';
import { takeBody } from './body';
import { resolveRange } from './exact';
import { assertKey, assertPrefix, compareKeys } from './key';
import { refuseProtection } from './protection';
import type { CallOptions, Protecting, ReadOptions, Storage, StoredObject, Unfinished, WriteOptions } from './storage';

interface Entry extends StoredObject {
	readonly bytes: Buffer;
}

export class MemoryStorage implements Storage {
	readonly protection: Protecting | null = null;
	readonly #entries = new Map<string, Entry>();

	constructor(readonly location = 'memory:') {}

	async write(key: string, body: Readable, options: WriteOptions = {}): Promise<StoredObject> {
		const bytes = takeBody(body, options.signal);
		try {
			assertKey(key);
			refuseProtection(this.location, options);
			this.#assertFree(key);
			const chunks: Uint8Array[] = [];
			let size = 0;
			for await (const chunk of bytes) {
				// A copy: the producer may use its buffer again.
				chunks.push(Buffer.from(chunk));
				size += chunk.length;
				options.onProgress?.(size);
			}
			this.#assertFree(key);
			this.#entries.set(key, { key, size, modifiedAt: new Date(), bytes: Buffer.concat(chunks) });
			return facts(this.#entries.get(key)!);
		} finally {
			bytes.discard();
		}
	}

	async read(key: string, options: ReadOptions = {}): Promise<Readable> {
		assertKey(key);
		const { signal } = options;
		if (signal?.aborted) throw abortError(signal);
		const entry = this.#entries.get(key);
		if (!entry) throw new BackupError('not-found', `${this.location}/${key} does not exist`);
		const { start, length } = resolveRange(options, entry.size);
		return Readable.from(slices(entry.bytes.subarray(start, start + length), signal), { objectMode: false });
	}

	async stat(key: string, { signal }: CallOptions = {}): Promise<StoredObject | null> {
		assertKey(key);
		if (signal?.aborted) throw abortError(signal);
		const entry = this.#entries.get(key);
		return entry ? facts(entry) : null;
	}

	async *list(prefix: string, { signal }: CallOptions = {}): AsyncIterable<StoredObject> {
		assertPrefix(prefix);
		const keys = [...this.#entries.keys()].filter((key) => key.startsWith(prefix)).sort(compareKeys);
		if (signal?.aborted) throw abortError(signal);
		for (const key of keys) {
			const entry = this.#entries.get(key);
			if (entry) yield facts(entry);
			if (signal?.aborted) throw abortError(signal);
		}
	}

	async remove(key: string, { signal }: CallOptions = {}): Promise<void> {
		assertKey(key);
		if (signal?.aborted) throw abortError(signal);
		this.#entries.delete(key);
	}

	/** A killed process takes its memory along: there is never anything unfinished. */
	async removeUnfinished(prefix: string): Promise<number> {
		assertPrefix(prefix);
		return 0;
	}

	async *unfinished(prefix: string): AsyncIterable<Unfinished> {
		assertPrefix(prefix);
		yield* [];
	}

	async space({ signal }: CallOptions = {}): Promise<null> {
		if (signal?.aborted) throw abortError(signal);
		return null;
	}

	async close(): Promise<void> {
		this.#entries.clear();
	}

	#assertFree(key: string): void {
		if (this.#entries.has(key)) throw new BackupError('already-exists', `${this.location}/${key} already exists`);
	}
}

function facts({ key, size, modifiedAt }: Entry): StoredObject {
	return { key, size, modifiedAt };
}

const SLICE = 64 * 1024;

async function* slices(bytes: Buffer, signal?: AbortSignal): AsyncGenerator<Buffer> {
	for (let at = 0; at < bytes.length; at += SLICE) {
		if (signal?.aborted) throw abortError(signal);
		yield Buffer.from(bytes.subarray(at, at + SLICE));
	}
}
