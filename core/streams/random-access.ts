/**
 * The original bytes of a stored stream at any place, without reading what comes before: the seek table of zstd says which frame holds
 * them, the chunks of age which stored bytes. Every chunk and every frame proves itself; the digests of the whole prove
 * nothing here.
 */
import { promisify } from 'node:util';
import { zstdDecompress, type ZstdOptions } from 'node:zlib';
import { collect } from '../base/collect';
import { unlessAborted } from '../base/deadline';
import { BackupError } from '../base/errors';
import { watchStall } from '../base/limits';
import { AGE_HEAD_BYTES, AgeFile, type Range } from '../codecs/age/random-access';
import { readSeekTable, type SeekTable, seekTableSize } from '../codecs/zstd/seek-table';
import { objectKey } from '../records/layout';
import { named, opened, type OpenRequest } from './pipeline';

const decompress = promisify(zstdDecompress) as (frame: Buffer, options: ZstdOptions) => Promise<Buffer>;

/** So much of the storage is read at once where wanted frames lie side by side. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** Frames that are kept: small files lie in the same one. */
const KEPT_FRAMES = 4;
const FOOTER_BYTES = 9;
/** The table of 20 TB in frames of 1 MiB. */
const MAX_TABLE_BYTES = 256 * 1024 * 1024;
/** More than any frame of ours holds. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** Original bytes at any place. */
export interface RandomAccess {
	/**
	 * Gives bytes of the original.
	 * @throws BackupError 'damaged' also when there are fewer; 'not-found', 'stalled', those of the storage
	 */
	read(start: number, length: number): AsyncGenerator<Buffer, void, undefined>;
}

/**
 * Opens a stored stream for reading at any place.
 * @throws BackupError 'not-found', 'wrong-identity', 'damaged', 'stalled', those of the storage
 */
export async function openRandomAccess(request: Omit<OpenRequest, 'onProgress'>): Promise<RandomAccess> {
	return await StoredStreamReader.open(request);
}

class StoredStreamReader implements RandomAccess {
	/** The last frames, by number; the oldest first. */
	readonly #kept = new Map<number, Buffer>();
	#age: AgeFile | null = null;
	#table!: SeekTable;

	private constructor(private readonly request: Omit<OpenRequest, 'onProgress'>) {}

	static async open(request: Omit<OpenRequest, 'onProgress'>): Promise<StoredStreamReader> {
		const reader = new StoredStreamReader(request);
		await reader.#named(async () => await reader.#open());
		return reader;
	}

	async *read(start: number, length: number): AsyncGenerator<Buffer, void, undefined> {
		const { original, frames } = this.#table;
		if (length === 0) return;
		await this.#named(() => {
			if (start + length > original[frames]!) throw damaged('the stream has fewer bytes than its index says');
		});
		const last = frameAt(this.#table, start + length - 1);
		for (let frame = frameAt(this.#table, start); frame <= last; frame++) {
			const bytes = await this.#named(async () => await this.#frame(frame, last));
			const begin = original[frame]!;
			yield bytes.subarray(Math.max(0, start - begin), Math.min(bytes.length, start + length - begin));
		}
	}

	async #open(): Promise<void> {
		const { stream, keys } = this.request;
		const fileSize = stream.stored.bytes;
		if (keys !== null) {
			const head = await this.#stored({ start: 0, length: Math.min(fileSize, AGE_HEAD_BYTES) });
			this.#age = await AgeFile.open(head, fileSize, keys);
		}
		const size = this.#age ? this.#age.size : fileSize;
		const footer = await this.#compressed({
			start: Math.max(0, size - FOOTER_BYTES),
			length: Math.min(size, FOOTER_BYTES),
		});
		const tableSize = seekTableSize(footer);
		if (tableSize === null || tableSize > Math.min(size, MAX_TABLE_BYTES))
			throw damaged('the stream has no seek table');
		this.#table = readSeekTable(await this.#compressed({ start: size - tableSize, length: tableSize }));
		const { compressed, original, frames } = this.#table;
		if (compressed[frames] !== size - tableSize || original[frames] !== stream.original.bytes) {
			throw damaged('the seek table is that of another stream');
		}
	}

	/** One frame, and those behind it up to `last` in the same step, as far as a batch goes. */
	async #frame(number: number, last: number): Promise<Buffer> {
		const known = this.#kept.get(number);
		if (known) return known;
		const { compressed } = this.#table;
		const start = compressed[number]!;
		let end = number + 1;
		while (end <= last && end < number + KEPT_FRAMES && compressed[end + 1]! - start <= BATCH_BYTES) end++;
		const bytes = await this.#compressed({ start, length: compressed[end]! - start });
		for (let each = number; each < end; each++) {
			this.#keep(
				each,
				await this.#decompress(each, bytes.subarray(compressed[each]! - start, compressed[each + 1]! - start)),
			);
		}
		return this.#kept.get(number)!;
	}

	#keep(number: number, frame: Buffer): void {
		this.#kept.set(number, frame);
		if (this.#kept.size > KEPT_FRAMES) this.#kept.delete(this.#kept.keys().next().value!);
	}

	async #decompress(number: number, frame: Buffer): Promise<Buffer> {
		const { original } = this.#table;
		const size = original[number + 1]! - original[number]!;
		if (size > MAX_FRAME_BYTES) throw damaged('a frame of the stream is larger than any of ours');
		let bytes: Buffer;
		try {
			bytes = await decompress(frame, { chunkSize: Math.max(64, size + 1), maxOutputLength: size + 1 });
		} catch (cause) {
			throw damaged('the compressed stream is damaged', cause);
		}
		if (bytes.length !== size) throw damaged('a frame of the stream is not as large as the seek table says');
		return bytes;
	}

	/** Bytes of the compressed stream. */
	async #compressed(range: Range): Promise<Buffer> {
		if (range.length === 0) return Buffer.alloc(0);
		if (!this.#age) return await this.#stored(range);
		return this.#age.decrypt(await this.#stored(this.#age.locate(range)), range);
	}

	/** Bytes of the object as it is stored. */
	async #stored({ start, length }: Range): Promise<Buffer> {
		const { storage, signal, stallTimeoutMs } = this.request;
		const stop = new AbortController();
		const combined = AbortSignal.any([signal, stop.signal]);
		let moved = 0;
		const stall =
			stallTimeoutMs === undefined
				? null
				: watchStall(
						stallTimeoutMs,
						(error) => stop.abort(error),
						() => ({ moved, waitingFor: `storage ${storage.location}` }),
					);
		try {
			const body = await opened(storage, this.#key, combined, { start, length });
			body.on('data', (chunk: Buffer) => (moved += chunk.length));
			const tooMuch = () => damaged('the storage gave more than it was asked for');
			const bytes = await unlessAborted(collect(body, length, tooMuch), combined);
			if (bytes.length < length) throw damaged('the object is shorter than its manifest says');
			return bytes;
		} finally {
			stall?.stop();
			stop.abort();
		}
	}

	get #key(): string {
		return objectKey(this.request.group, this.request.label, this.request.stream.name);
	}

	/** Puts the object's name to what is wrong with its bytes. */
	async #named<T>(work: () => T | Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (error) {
			throw named(`${this.request.storage.location}/${this.#key}`, error);
		}
	}
}

function damaged(message: string, cause?: unknown): BackupError {
	return new BackupError('damaged', message, { cause });
}

/** The frame that holds an original byte. */
function frameAt({ original, frames }: SeekTable, position: number): number {
	let low = 0;
	let high = frames - 1;
	while (low < high) {
		const middle = (low + high + 1) >> 1;
		if (original[middle]! <= position) low = middle;
		else high = middle - 1;
	}
	return low;
}
