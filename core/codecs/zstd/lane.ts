/**
 * One zstd context that compresses a block after the other on libuv's thread pool, each to a frame of its own. A context
 * costs some megabytes and the garbage collector's attention, so it is used for a whole stream and not made for each frame.
 */
import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib';

/** Output buffer of node:zlib. Its default of 16 KiB costs a trip to the thread pool and back for every 16 KiB. */
const OUTPUT_CHUNK = 512 * 1024;

export class ZstdLane {
	readonly #zstd: ZstdCompress;
	#pieces: Buffer[] = [];

	/** @param level 1 (fastest) to 22 (smallest) */
	constructor(level: number) {
		this.#zstd = createZstdCompress({
			chunkSize: OUTPUT_CHUNK,
			// Ends a frame with every write. zstd then knows the whole of it from the start and writes its size into the header.
			flush: constants.ZSTD_e_end,
			params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
		});
		this.#zstd.on('data', (piece: Buffer) => this.#pieces.push(piece));
		// Whoever waits for a frame hears of it as well.
		this.#zstd.on('error', () => undefined);
	}

	/**
	 * Compresses a block, which must not change meanwhile, to one frame with its size and a checksum. One at a time.
	 * @returns the frame, in as many pieces as it came
	 */
	async compress(block: Buffer): Promise<Buffer[]> {
		await new Promise<void>((resolve, reject) => {
			this.#zstd.write(block, (error) => (error ? reject(error) : resolve()));
		});
		// What was not passed on yet when the write was done.
		while (this.#zstd.readableLength > 0) this.#zstd.read();
		const pieces = this.#pieces;
		this.#pieces = [];
		return pieces;
	}

	/** Gives the context back; what is being compressed fails. */
	close(): void {
		this.#zstd.destroy();
	}
}
