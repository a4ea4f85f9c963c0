/** SHA-256 of a file's contents from the bytes that are stored of it: holes are zeros that nobody stores. */
import { createHash, type Hash } from 'node:crypto';
import type { Entry } from './entry.ts';

const ZEROS = new Uint8Array(1024 * 1024);

/** The digest of one file, fed with what is stored of it, in order. */
export class ContentDigest {
	readonly #hash: Hash = createHash('sha256');
	readonly #extents: Array<[number, number]>;
	readonly #size: number;
	/** Of the contents with their holes. */
	#position = 0;
	#extent = 0;

	/** @param entry of type `file` */
	constructor({ size = 0, extents }: Pick<Entry, 'size' | 'extents'>) {
		this.#extents = extents ?? [[0, size]];
		this.#size = size;
	}

	/** Takes the next bytes. More than the entry has are ignored. */
	add(bytes: Uint8Array): void {
		let taken = 0;
		while (taken < bytes.length && this.#extent < this.#extents.length) {
			const [offset, length] = this.#extents[this.#extent]!;
			if (this.#position < offset) this.#skipTo(offset);
			const count = Math.min(bytes.length - taken, offset + length - this.#position);
			this.#hash.update(bytes.subarray(taken, taken + count));
			this.#position += count;
			taken += count;
			if (this.#position === offset + length) this.#extent++;
		}
	}

	/** The digest in hexadecimal digits. */
	hex(): string {
		this.#skipTo(this.#size);
		return this.#hash.digest('hex');
	}

	#skipTo(offset: number): void {
		while (this.#position < offset) {
			const count = Math.min(ZEROS.length, offset - this.#position);
			this.#hash.update(ZEROS.subarray(0, count));
			this.#position += count;
		}
	}
}
