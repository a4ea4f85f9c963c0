/**
 * Compression: one zstd frame per MiB, several at once on libuv's thread pool, followed by a seek table. `zstd -d` reads
 * it like any other zstd stream.
 *
 * The multi-threading of zstd itself (ZSTD_c_nbWorkers) must not be used: in node:zlib it loses data.
 */
import { availableParallelism } from 'node:os';
import { Transform, type TransformCallback } from 'node:stream';
import { promisify } from 'node:util';
import { constants, zstdCompress as compress, type ZstdOptions } from 'node:zlib';
import { BackupError } from '../errors';
import { MAX_FRAME_SIZE, SeekTableBuilder } from './seek-table';

export { readSeekTable, seekTableSize, type SeekTable } from './seek-table';
export { type DecompressOptions, zstdDecompress } from './zstd-decompress';

/** Documented by Node, missing in its types: with it, each frame says how many original bytes it holds. */
interface FrameOptions extends ZstdOptions {
	pledgedSrcSize: number;
}
const compressFrame = promisify(compress) as (original: Buffer, options: FrameOptions) => Promise<Buffer>;

/** Small enough to seek and to keep little in memory; larger frames compress no better (bench/filters.ts). */
const DEFAULT_FRAME_SIZE = 1 << 20;
/** Output buffer of node:zlib. Its default of 16 KiB costs a trip to the thread pool and back for every 16 KiB. */
const OUTPUT_CHUNK = 256 * 1024;

export interface CompressOptions {
	/** 1 (fastest) to 22 (smallest). */
	level?: number;
	/** Original bytes per frame, at most 1 GiB. */
	frameSize?: number;
	/** Frames compressed at the same time. libuv's pool has four threads unless UV_THREADPOOL_SIZE says otherwise. */
	concurrency?: number;
	/**
	 * Give the memory of each chunk back as soon as it was read, instead of leaving it to the garbage collector, which has
	 * a lot to do otherwise: a GB in chunks of 256 KiB took a sixth more CPU, and paused the event loop for 100 ms at a
	 * time. Nobody else may use the chunks afterwards.
	 */
	ownsChunks?: boolean;
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
		inRange('number of compression threads', options.concurrency ?? Math.min(4, availableParallelism()), 1, 64),
		options.ownsChunks ?? false,
	);
}

class Compressor extends Transform {
	readonly #table = new SeekTableBuilder();
	/** Frames being compressed, in the order of the stream. Each resolves when it was written. */
	readonly #running: Array<Promise<void>> = [];
	/** Blocks to use again: 1 MiB buffers are dear to allocate. */
	readonly #free: Buffer[] = [];
	#block: Buffer | null = null;
	#filled = 0;

	constructor(
		private readonly level: number,
		private readonly frameSize: number,
		private readonly concurrency: number,
		private readonly ownsChunks: boolean,
	) {
		super();
	}

	override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
		this.#take(chunk).then(() => done(), done);
	}

	override _flush(done: TransformCallback): void {
		this.#finish().then(() => done(), done);
	}

	async #take(chunk: Buffer): Promise<void> {
		for (let taken = 0; taken < chunk.length && !this.destroyed; ) {
			this.#block ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(this.frameSize);
			const copied = chunk.copy(this.#block, this.#filled, taken);
			taken += copied;
			this.#filled += copied;
			if (this.#filled === this.frameSize) await this.#endFrame();
		}
		if (this.ownsChunks) setImmediate(giveBack, chunk);
	}

	async #finish(): Promise<void> {
		// An empty stream is one empty frame: something that `zstd -t` and `file` recognise.
		if (this.#filled > 0 || (this.#table.frames === 0 && this.#running.length === 0)) await this.#endFrame();
		await Promise.all(this.#running);
		if (!this.destroyed) for (const piece of this.#table.pieces()) this.push(piece);
	}

	/** Starts to compress the current block; waits first while as many as allowed are being compressed. */
	async #endFrame(): Promise<void> {
		const block = this.#block ?? Buffer.alloc(0);
		const original = block.subarray(0, this.#filled);
		this.#block = null;
		this.#filled = 0;
		while (this.#running.length >= this.concurrency) await this.#running.shift();
		if (this.destroyed) return;
		const previous = this.#running.at(-1);
		this.#running.push(
			this.#compress(original, previous).then(
				() => void this.#free.push(block),
				(error: Error) => void this.destroy(error),
			),
		);
	}

	async #compress(original: Buffer, previous: Promise<void> | undefined): Promise<void> {
		const frame = await compressFrame(original, {
			chunkSize: OUTPUT_CHUNK,
			pledgedSrcSize: original.length,
			params: { [constants.ZSTD_c_compressionLevel]: this.level, [constants.ZSTD_c_checksumFlag]: 1 },
		});
		await previous;
		if (this.destroyed) return;
		this.#table.add(frame.length, original.length, frame.readUInt32LE(frame.length - 4));
		this.push(frame);
	}
}

/** Frees a chunk's memory, unless the chunk is only a part of it. Later than at once: streams still look at its length. */
function giveBack({ buffer, byteLength }: Buffer): void {
	if (buffer.byteLength === byteLength && 'transfer' in buffer) buffer.transfer(0);
}

function inRange(name: string, value: number, min: number, max: number): number {
	if (Number.isInteger(value) && value >= min && value <= max) return value;
	throw new BackupError('invalid-input', `the ${name} must be a whole number from ${min} to ${max}, not ${value}`);
}
