/**
 * Finds the borders of zstd frames in a stream without decompressing it (RFC 8878, section 3.1).
 *
 * Needed because `node:zlib` (24.21) silently ends a zstd stream at the first frame border inside a chunk and drops all
 * that follows: frames, half frames or garbage. Cut at the borders, every byte is decompressed or refused.
 */
import { BackupError } from '../../base/errors';
import { SEEK_TABLE_FRAME_MAGIC, SeekTableBuilder } from './seek-table';

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const MAX_GATHERED = 8;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/** What the walk wants next: a few bytes in one piece, a number of bytes to pass over, or to be told that a frame ended. */
type Step = { gather: number } | { pass: number; inspect?: (bytes: Buffer) => void } | EndedFrame;

/** A frame of which the last byte was seen. */
export interface EndedFrame {
	kind: 'zstd' | 'skippable';
	/** How many original bytes it says it holds; null when it does not say. */
	originalBytes: number | null;
}

/** A part of one frame. */
export interface FramePiece {
	bytes: Buffer;
	/** Set when these bytes are the frame's last. */
	ended: EndedFrame | null;
}

export interface FrameSplitterOptions {
	/** Demand that the stream ends with exactly the seek table that `zstdCompress` writes after such frames. */
	requireSeekTable: boolean;
}

export class FrameSplitter {
	readonly #table: SeekTableBuilder | null;
	readonly #walk: Generator<Step, never, Buffer>;
	readonly #gathered = Buffer.alloc(MAX_GATHERED);
	#gatheredBytes = 0;
	#step: Step;
	/** Bytes still to pass over in the current step. */
	#passing = 0;
	#atBorder = true;
	#frames = 0;
	#tableSeen = false;

	constructor(options: FrameSplitterOptions) {
		this.#table = options.requireSeekTable ? new SeekTableBuilder() : null;
		this.#walk = this.#frame();
		this.#step = this.#walk.next().value;
	}

	/**
	 * Cuts a chunk so that no piece reaches across the border of two frames. Nothing is copied.
	 * @throws BackupError 'damaged' when the bytes are no zstd frames
	 */
	split(chunk: Buffer): FramePiece[] {
		const pieces: FramePiece[] = [];
		let start = 0;
		for (let at = 0; at < chunk.length; ) {
			at += this.#advance(chunk.subarray(at));
			if ('kind' in this.#step) {
				pieces.push({ bytes: chunk.subarray(start, at), ended: this.#step });
				start = at;
				this.#atBorder = true;
				this.#frames++;
				this.#next(this.#gathered);
			} else {
				this.#atBorder = false;
			}
		}
		if (start < chunk.length) pieces.push({ bytes: chunk.subarray(start), ended: null });
		return pieces;
	}

	/**
	 * Says that the stream has ended.
	 * @throws BackupError 'damaged' when it ended inside a frame, before any frame, or without the required seek table
	 */
	end(): void {
		if (!this.#atBorder) throw damaged('is truncated: it ends inside a frame');
		if (this.#frames === 0) throw damaged('is empty');
		if (this.#table && !this.#tableSeen) throw damaged('is truncated: its seek table is missing');
	}

	/** Takes what the current step wants from the front of `bytes`. Returns how many bytes it took. */
	#advance(bytes: Buffer): number {
		const step = this.#step;
		if ('kind' in step) return 0;
		if ('gather' in step) {
			const taken = bytes.copy(this.#gathered, this.#gatheredBytes, 0, step.gather - this.#gatheredBytes);
			this.#gatheredBytes += taken;
			if (this.#gatheredBytes === step.gather) this.#next(this.#gathered);
			return taken;
		}
		const taken = Math.min(this.#passing, bytes.length);
		step.inspect?.(bytes.subarray(0, taken));
		this.#passing -= taken;
		if (this.#passing === 0) this.#next(this.#gathered);
		return taken;
	}

	#next(gathered: Buffer): void {
		this.#gatheredBytes = 0;
		do {
			this.#step = this.#walk.next(gathered).value;
			this.#passing = 'pass' in this.#step ? this.#step.pass : -1;
		} while (this.#passing === 0);
	}

	*#frame(): Generator<Step, never, Buffer> {
		for (;;) {
			const magic = (yield { gather: 4 }).readUInt32LE();
			if (this.#tableSeen) throw damaged('goes on after its seek table');
			if (magic === FRAME_MAGIC) {
				yield { kind: 'zstd', originalBytes: yield* this.#zstdFrame() };
			} else if ((magic & 0xfffffff0) === SKIPPABLE_MAGIC) {
				yield* this.#skippableFrame(magic);
				yield { kind: 'skippable', originalBytes: 0 };
			} else {
				throw this.#frames === 0 ? damaged('is not zstd') : damaged('holds something that is not a frame');
			}
		}
	}

	*#zstdFrame(): Generator<Step, number | null, Buffer> {
		const descriptor = (yield { gather: 1 }).readUInt8();
		const singleSegment = (descriptor & 0x20) !== 0;
		const hasChecksum = (descriptor & 0x04) !== 0;
		const windowBytes = singleSegment ? 0 : 1;
		const dictionaryBytes = [0, 1, 2, 4][descriptor & 0x03] as number;
		const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
		yield { pass: windowBytes + dictionaryBytes };
		const originalSize = sizeBytes === 0 ? null : contentSize(yield { gather: sizeBytes }, sizeBytes);
		let size = 4 + 1 + windowBytes + dictionaryBytes + sizeBytes;
		for (let last = false; !last; ) {
			const header = (yield { gather: 3 }).readUIntLE(0, 3);
			last = (header & 1) === 1;
			const type = (header >> 1) & 3;
			if (type === RESERVED_BLOCK) throw damaged('has a block of unknown type');
			const content = type === RLE_BLOCK ? 1 : header >> 3;
			yield { pass: content };
			size += 3 + content;
		}
		const checksum = hasChecksum ? (yield { gather: 4 }).readUInt32LE() : null;
		if (this.#table) {
			if (originalSize === null || checksum === null || originalSize > 0xffffffff) throw damaged(NOT_OURS);
			this.#table.add(size + 4, originalSize, checksum);
		}
		return originalSize;
	}

	*#skippableFrame(magic: number): Generator<Step, void, Buffer> {
		const size = (yield { gather: 4 }).readUInt32LE();
		if (!this.#table) return void (yield { pass: size });
		if (magic !== SEEK_TABLE_FRAME_MAGIC) throw damaged(NOT_OURS);
		const expected = Buffer.concat([...this.#table.pieces()]).subarray(8);
		if (size !== expected.length) throw damaged(OTHER_TABLE);
		let compared = 0;
		yield {
			pass: size,
			inspect: (bytes) => {
				if (!expected.subarray(compared, compared + bytes.length).equals(bytes)) throw damaged(OTHER_TABLE);
				compared += bytes.length;
			},
		};
		this.#tableSeen = true;
	}
}

const NOT_OURS = 'has frames that this program does not write';
const OTHER_TABLE = 'is truncated or changed: its seek table describes other frames';

function contentSize(bytes: Buffer, length: number): number {
	if (length === 8) return Number(bytes.readBigUInt64LE());
	return bytes.readUIntLE(0, length) + (length === 2 ? 256 : 0);
}

function damaged(what: string): BackupError {
	return new BackupError('damaged', `the compressed stream ${what}`);
}
