/**
 * Decompression: small frames, which ours are, in one go and side by side on libuv's thread pool; any other frame as it comes.
 * Streams of the `zstd` program are read as well.
 */
import { availableParallelism } from 'node:os';
import { Transform, type TransformCallback } from 'node:stream';
import { promisify } from 'node:util';
import { createZstdDecompress, zstdDecompress as decompress, type ZstdDecompress, type ZstdOptions } from 'node:zlib';
import { BackupError } from '../../base/errors';
import { FrameSplitter } from './frames';

const decompressFrame = promisify(decompress) as (frame: Buffer, options: ZstdOptions) => Promise<Buffer>;

/** Output buffer of node:zlib. Its default of 16 KiB costs a trip to the thread pool and back for every 16 KiB. */
const OUTPUT_CHUNK = 256 * 1024;
/** Frames of at most so many bytes, stored and original, are decompressed in one go and side by side. Ours are. */
const SMALL_FRAME = 2 << 20;

export interface DecompressOptions {
	/**
	 * For streams of `zstdCompress` only: demand its seek table. zstd cannot tell that a stream was cut exactly
	 * between two frames; the seek table can (so can age, and the digest in the manifest).
	 */
	requireSeekTable?: boolean;
}

/**
 * Decompresses any zstd stream, also of several frames, also of the `zstd` program. Ends only when the last frame is
 * whole; otherwise errors with BackupError 'damaged'. No two chunks share memory. Windows above 128 MiB (`zstd --long=28` and more) are 'unsupported'.
 */
export function zstdDecompress(options: DecompressOptions = {}): Transform {
	return new Decompressor(options.requireSeekTable ?? false);
}

class Decompressor extends Transform {
	readonly #splitter: FrameSplitter;
	/** Small frames being decompressed, in the order of the stream. Each resolves when it was handed on. */
	readonly #running: Array<Promise<void>> = [];
	/** What is there of a frame that may turn out to be a small one. */
	#gathered: Buffer[] = [];
	#gatheredBytes = 0;
	/** The decompressor of a large frame, while one is passing through. */
	#large: ZstdDecompress | null = null;
	/** Waits until the reader wants more. */
	#wanted: (() => void) | null = null;

	constructor(
		requireSeekTable: boolean,
		private readonly concurrency = Math.min(4, availableParallelism()),
	) {
		super();
		this.#splitter = new FrameSplitter({ requireSeekTable });
	}

	override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
		this.#take(chunk).then(() => done(), done);
	}

	override _flush(done: TransformCallback): void {
		this.#finish().then(() => done(), done);
	}

	/** The reader wants more. */
	override _read(size: number): void {
		this.#wanted?.();
		super._read(size);
	}

	override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
		this.#large?.destroy();
		this.#wanted?.();
		done(error);
	}

	async #take(chunk: Buffer): Promise<void> {
		for (const { bytes, ended } of this.#splitter.split(chunk)) {
			if (this.destroyed) return;
			if (this.#large) {
				await this.#feed(this.#large, bytes);
			} else {
				this.#gathered.push(bytes);
				this.#gatheredBytes += bytes.length;
				// Small enough to be decompressed in one go? What the frame says of itself is only known at its end.
				const small = ended ? (ended.originalBytes ?? Infinity) <= SMALL_FRAME : this.#gatheredBytes <= SMALL_FRAME;
				if (!small) await this.#startLarge();
				else if (ended?.kind === 'zstd') await this.#startSmall(ended.originalBytes as number);
			}
			if (!ended) continue;
			if (this.#large) await this.#endLarge(this.#large);
			this.#gathered = [];
			this.#gatheredBytes = 0;
		}
	}

	async #finish(): Promise<void> {
		this.#splitter.end();
		await Promise.all(this.#running);
	}

	/** Starts to decompress the gathered frame; waits first while as many as allowed are in memory. */
	async #startSmall(originalBytes: number): Promise<void> {
		const frame = this.#gathered.length === 1 ? (this.#gathered[0] as Buffer) : Buffer.concat(this.#gathered);
		while (this.#running.length >= this.concurrency) await this.#running.shift();
		await this.#room();
		if (this.destroyed) return;
		const previous = this.#running.at(-1);
		this.#running.push(this.#decompress(frame, originalBytes, previous));
	}

	/** Never rejects: a failure destroys the stream, after what comes before it was handed on. */
	async #decompress(frame: Buffer, originalBytes: number, previous: Promise<void> | undefined): Promise<void> {
		try {
			// With a buffer that is full at the end, node:zlib would go round once more to see that nothing follows.
			const options = { chunkSize: Math.max(64, originalBytes + 1), maxOutputLength: originalBytes + 1 };
			const original = await decompressFrame(frame, options);
			await previous;
			if (!this.destroyed) this.push(original);
		} catch (error) {
			await previous;
			this.destroy(decompressError(error as Error));
		}
	}

	async #startLarge(): Promise<void> {
		await Promise.all(this.#running.splice(0));
		if (this.destroyed) return;
		const zstd = createZstdDecompress({ chunkSize: OUTPUT_CHUNK });
		this.#large = zstd;
		zstd.on('error', (error) => this.destroy(decompressError(error)));
		zstd.on('data', (original: Buffer) => {
			// Behind a part of its buffer, node:zlib goes on to write: whoever takes a chunk may hand its memory on.
			if (this.push(original.length === OUTPUT_CHUNK ? original : Buffer.from(original))) return;
			zstd.pause();
			void this.#room().then(() => zstd.resume());
		});
		await this.#feed(zstd, Buffer.concat(this.#gathered));
	}

	async #feed(zstd: ZstdDecompress, bytes: Buffer): Promise<void> {
		// A failure arrives as the 'error' event.
		await new Promise<void>((resolve) => zstd.write(bytes, () => resolve()));
	}

	async #endLarge(zstd: ZstdDecompress): Promise<void> {
		// A failure arrives as the 'error' event.
		await new Promise<void>((resolve) => void zstd.once('close', resolve).end());
		this.#large = null;
	}

	/** Resolves when the reader has taken enough, or will take nothing any more. */
	async #room(): Promise<void> {
		while (this.readableLength >= this.readableHighWaterMark && !this.destroyed) {
			await new Promise<void>((resolve) => (this.#wanted = resolve));
		}
	}
}

function decompressError(error: Error & { code?: string }): BackupError {
	return error.code === 'ZSTD_error_frameParameter_windowTooLarge'
		? new BackupError('unsupported', 'the compressed stream needs more than 128 MiB of memory', {
				hint: 'It was made with "zstd --long=28" or more: decompress it with the zstd program.',
				cause: error,
			})
		: new BackupError('damaged', 'the compressed stream is damaged', { cause: error });
}
