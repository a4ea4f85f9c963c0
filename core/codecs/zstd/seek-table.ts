/**
 * The seek table at the end of our zstd streams: where each frame lies and which original bytes it holds. Written in
 * zstd's seekable format 0.1.0 (facebook/zstd, contrib/seekable_format), as a skippable frame that every zstd ignores:
 *
 *     magic 0x184D2A5E | size of what follows | entries | number of frames | descriptor | magic 0x8F92EAB1
 *
 * with all numbers little-endian, and per frame: compressed size, original size, low 32 bits of the content's XXH64.
 */
import { BackupError } from '../../base/errors';

export const SEEK_TABLE_FRAME_MAGIC = 0x184d2a5e;
const FOOTER_MAGIC = 0x8f92eab1;
const FRAME_HEADER_BYTES = 8;
const FOOTER_BYTES = 9;
const CHECKSUM_FLAG = 0x80;
/** Bits of the descriptor that must be zero; the last two may be anything. */
const RESERVED_BITS = 0x7c;
/** Limit of the reference implementation. With frames of 1 MiB: 128 TiB. */
const MAX_FRAMES = 0x8000000;
/** Limit of the reference implementation, in original bytes. */
export const MAX_FRAME_SIZE = 0x40000000;

const ENTRY_BYTES = 12;
const ENTRIES_PER_BLOCK = 4096;

/** Collects the frames of a stream as they are written: 12 bytes of memory for each. */
export class SeekTableBuilder {
	readonly #blocks: Buffer[] = [];
	#frames = 0;

	constructor(private readonly maxFrames = MAX_FRAMES) {}

	get frames(): number {
		return this.#frames;
	}

	/**
	 * @param checksum low 32 bits of the XXH64 of the original bytes: the last four bytes of a frame with checksum
	 * @throws BackupError 'unsupported' when the format cannot hold more frames
	 */
	add(compressedSize: number, originalSize: number, checksum: number): void {
		if (this.#frames === this.maxFrames) {
			throw new BackupError('unsupported', `more than ${this.maxFrames} compressed frames do not fit into one object`, {
				hint: 'Split the backup, for example by schema.',
			});
		}
		const index = this.#frames % ENTRIES_PER_BLOCK;
		if (index === 0) this.#blocks.push(Buffer.allocUnsafe(ENTRIES_PER_BLOCK * ENTRY_BYTES));
		const block = this.#blocks[this.#blocks.length - 1] as Buffer;
		block.writeUInt32LE(compressedSize, index * ENTRY_BYTES);
		block.writeUInt32LE(originalSize, index * ENTRY_BYTES + 4);
		block.writeUInt32LE(checksum, index * ENTRY_BYTES + 8);
		this.#frames++;
	}

	/** The skippable frame, in pieces of at most 48 KiB. */
	*pieces(): Generator<Buffer> {
		const entryBytes = this.#frames * ENTRY_BYTES;
		const header = Buffer.alloc(FRAME_HEADER_BYTES);
		header.writeUInt32LE(SEEK_TABLE_FRAME_MAGIC, 0);
		header.writeUInt32LE(entryBytes + FOOTER_BYTES, 4);
		yield header;
		for (const [i, block] of this.#blocks.entries()) yield block.subarray(0, entryBytes - i * block.length);
		const footer = Buffer.alloc(FOOTER_BYTES);
		footer.writeUInt32LE(this.#frames, 0);
		footer.writeUInt8(CHECKSUM_FLAG, 4);
		footer.writeUInt32LE(FOOTER_MAGIC, 5);
		yield footer;
	}
}

/** Where frame `i` lies: bytes `compressed[i]` to `compressed[i + 1]` hold the original bytes `original[i]` to `original[i + 1]`. */
export interface SeekTable {
	readonly frames: number;
	/** Offsets in the compressed stream; one more than there are frames. */
	readonly compressed: Float64Array;
	/** Offsets in the original; one more than there are frames. */
	readonly original: Float64Array;
}

/**
 * How many bytes the seek table takes at the end of a stream, or null when there is none.
 * @param tail the last bytes of the stream, at least 9
 */
export function seekTableSize(tail: Buffer): number | null {
	if (tail.length < FOOTER_BYTES || tail.readUInt32LE(tail.length - 4) !== FOOTER_MAGIC) return null;
	const frames = tail.readUInt32LE(tail.length - FOOTER_BYTES);
	const descriptor = tail.readUInt8(tail.length - 5);
	return FRAME_HEADER_BYTES + frames * (descriptor & CHECKSUM_FLAG ? 12 : 8) + FOOTER_BYTES;
}

/**
 * Reads the seek table of a stream, ours or another program's.
 * @param tail the end of the stream; at least {@link seekTableSize} bytes of it
 * @throws BackupError 'damaged' when there is no whole, consistent table
 */
export function readSeekTable(tail: Buffer): SeekTable {
	const size = seekTableSize(tail);
	if (size === null) throw new BackupError('damaged', 'the compressed stream does not end with a seek table');
	if (size > tail.length)
		throw new BackupError('damaged', `the seek table has ${size} bytes, but only ${tail.length} are there`);
	const table = tail.subarray(tail.length - size);
	const descriptor = table.readUInt8(size - 5);
	if (
		table.readUInt32LE(0) !== SEEK_TABLE_FRAME_MAGIC ||
		table.readUInt32LE(4) !== size - FRAME_HEADER_BYTES ||
		(descriptor & RESERVED_BITS) !== 0
	) {
		throw new BackupError('damaged', 'the seek table contradicts itself');
	}
	const frames = table.readUInt32LE(size - FOOTER_BYTES);
	const entryBytes = descriptor & CHECKSUM_FLAG ? 12 : 8;
	const compressed = new Float64Array(frames + 1);
	const original = new Float64Array(frames + 1);
	for (let i = 0, at = FRAME_HEADER_BYTES; i < frames; i++, at += entryBytes) {
		compressed[i + 1] = (compressed[i] as number) + table.readUInt32LE(at);
		original[i + 1] = (original[i] as number) + table.readUInt32LE(at + 4);
	}
	return { frames, compressed, original };
}
