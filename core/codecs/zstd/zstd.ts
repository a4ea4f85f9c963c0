/**
 * Compression: one zstd frame per MiB, several at once on libuv's thread pool, followed by a seek table. `zstd -d` reads
 * it like any other zstd stream.
 *
 * The multi-threading of zstd itself (ZSTD_c_nbWorkers) must not be used: in node:zlib it loses data.
 */
import { availableParallelism } from 'node:os';
import { Transform, type TransformCallback } from 'node:stream';
import { BackupError } from '../../base/errors';
import { MAX_FRAME_SIZE, SeekTableBuilder } from './seek-table';
import { ZstdLane } from './lane';

export { readSeekTable, seekTableSize, type SeekTable } from './seek-table';
export { type DecompressOptions, zstdDecompress } from './decompress';

/** Small enough to seek and to keep little in memory; larger frames compress no better (bench/filters.ts). */
export const DEFAULT_FRAME_SIZE = 1 << 20;
/** Of libuv's pool, which has four threads unless UV_THREADPOOL_SIZE says otherwise. */
const POOL_THREADS = 4;

export interface CompressOptions {
	/** 1 (fastest) to 22 (smallest). */
	level?: number;
	/** Original bytes per frame, at most 1 GiB. A chunk of exactly this size is compressed where it lies. */
	frameSize?: number;
	/** Frames compressed at the same time. One more than there are cores, so that none waits for this thread. */
	concurrency?: number;
	/**
	 * Told of each chunk that is no longer needed, so that its memory can be used again or given back
	 * ({@link freeChunk}) instead of being left to the garbage collector, which has a lot to do otherwise: a GB in chunks
	 * of 256 KiB took a sixth more CPU, and paused the event loop for 100 ms at a time.
	 */
	release?: (chunk: Buffer) => void;
}

/**
 * Compresses a stream. At most `concurrency` + 1 frames are in memory, besides what a slow reader has not yet taken of
 * the last written chunk.
 * @throws BackupError 'invalid-input'
 */
export function zstdCompress(options: CompressOptions = {}): Transform {
	return new Compressor(
		inRange('compression level', options.level ?? 3, 1, 22),
		inRange('frame size', options.frameSize ?? DEFAULT_FRAME_SIZE, 1, MAX_FRAME_SIZE),
		inRange(
			'number of compression threads',
			options.concurrency ?? Math.min(POOL_THREADS, availableParallelism() + 1),
			1,
			64,
		),
		options.release ?? (() => undefined),
	);
}

/** Frees the memory of a chunk that nobody else uses, unless the chunk is only a part of something larger. */
export function freeChunk({ buffer, byteLength }: Buffer): void {
	if (buffer.byteLength === byteLength && 'transfer' in buffer) buffer.transfer(0);
}

class Compressor extends Transform {
	readonly #table = new SeekTableBuilder();
	/** Frames being compressed, in the order of the stream. Each resolves when it was written. */
	readonly #running: Array<Promise<void>> = [];
	/** All contexts, and those that have nothing to do. */
	readonly #lanes: ZstdLane[] = [];
	readonly #idle: ZstdLane[] = [];
	/** Blocks to use again: 1 MiB buffers are dear to allocate. */
	readonly #free: Buffer[] = [];
	#block: Buffer | null = null;
	#filled = 0;

	constructor(
		private readonly level: number,
		private readonly frameSize: number,
		private readonly concurrency: number,
		private readonly release: (chunk: Buffer) => void,
	) {
		super();
	}

	override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
		this.#take(chunk).then(() => done(), done);
	}

	override _flush(done: TransformCallback): void {
		this.#finish().then(() => done(), done);
	}

	override _destroy(error: Error | null, done: (error: Error | null) => void): void {
		for (const lane of this.#lanes) lane.close();
		done(error);
	}

	async #take(chunk: Buffer): Promise<void> {
		if (chunk.length === this.frameSize) {
			// After a part that was changed on its way, chunks would lie across frames to the end.
			if (this.#filled > 0) await this.#endBlock();
			return await this.#startFrame(chunk, () => this.#releaseLater(chunk));
		}
		for (let taken = 0; taken < chunk.length && !this.destroyed; ) {
			this.#block ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(this.frameSize);
			const copied = chunk.copy(this.#block, this.#filled, taken);
			taken += copied;
			this.#filled += copied;
			if (this.#filled === this.frameSize) await this.#endBlock();
		}
		this.#releaseLater(chunk);
	}

	/** Later than at once: the streams that it came through still look at its length. */
	#releaseLater(chunk: Buffer): void {
		setImmediate(this.release, chunk);
	}

	async #finish(): Promise<void> {
		// An empty stream is one empty frame: something that `zstd -t` and `file` recognise.
		if (this.#filled > 0 || (this.#table.frames === 0 && this.#running.length === 0)) await this.#endBlock();
		await Promise.all(this.#running);
		if (!this.destroyed) for (const piece of this.#table.pieces()) this.push(piece);
	}

	async #endBlock(): Promise<void> {
		const block = this.#block ?? Buffer.alloc(0);
		const original = block.subarray(0, this.#filled);
		this.#block = null;
		this.#filled = 0;
		await this.#startFrame(original, () => void this.#free.push(block));
	}

	/**
	 * Starts to compress a block; waits first while as many as allowed are being compressed.
	 * @param done called when the block is no longer needed
	 */
	async #startFrame(original: Buffer, done: () => void): Promise<void> {
		while (this.#running.length >= this.concurrency) await this.#running.shift();
		if (this.destroyed) return;
		const previous = this.#running.at(-1);
		this.#running.push(this.#compress(original, previous, done).catch((error: Error) => void this.destroy(error)));
	}

	async #compress(original: Buffer, previous: Promise<void> | undefined, done: () => void): Promise<void> {
		const lane = this.#idle.pop() ?? this.#newLane();
		const frame = await lane.compress(original);
		this.#idle.push(lane);
		const { length } = original;
		done();
		await previous;
		if (this.destroyed) return;
		this.#table.add(sizeOf(frame), length, checksumOf(frame));
		for (const piece of frame) this.push(piece);
	}

	#newLane(): ZstdLane {
		const lane = new ZstdLane(this.level);
		this.#lanes.push(lane);
		return lane;
	}
}

function sizeOf(pieces: readonly Buffer[]): number {
	return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** Of the content: the last four bytes of a frame. */
function checksumOf(pieces: readonly Buffer[]): number {
	const last = pieces.at(-1)!;
	const end = last.length >= 4 ? last : Buffer.concat(pieces.slice(-4));
	return end.readUInt32LE(end.length - 4);
}

function inRange(name: string, value: number, min: number, max: number): number {
	if (Number.isInteger(value) && value >= min && value <= max) return value;
	throw new BackupError('invalid-input', `the ${name} must be a whole number from ${min} to ${max}, not ${value}`);
}
