/** Bytes on their way to the main thread, in large chunks whose memory comes back. */
import fs from 'node:fs';
import type { Hash } from 'node:crypto';

/** Where full chunks go, and where memory comes from. */
export interface ChunkSink {
	send(bytes: Uint8Array<ArrayBuffer>): void;
	next(): Uint8Array<ArrayBuffer>;
}

/** Collects what is written into chunks. */
export class Output {
	/** Bytes written so far. */
	position = 0;
	readonly #sink: ChunkSink;
	#chunk: Uint8Array<ArrayBuffer>;
	#filled = 0;

	constructor(sink: ChunkSink) {
		this.#sink = sink;
		this.#chunk = sink.next();
	}

	/** Writes the first bytes of a buffer. */
	write(bytes: Buffer, length = bytes.length): void {
		let taken = 0;
		while (taken < length) {
			const count = Math.min(length - taken, this.#chunk.length - this.#filled);
			bytes.copy(this.#chunk, this.#filled, taken, taken + count);
			this.#advance(count);
			taken += count;
		}
	}

	zeros(count: number): void {
		let left = count;
		while (left > 0) {
			const part = Math.min(left, this.#chunk.length - this.#filled);
			this.#chunk.fill(0, this.#filled, this.#filled + part);
			this.#advance(part);
			left -= part;
		}
	}

	/**
	 * Reads from a file to where the bytes will lie.
	 * @param offset in the file
	 * @returns how many bytes there were; fewer than `count` where the file ends
	 */
	read(fd: number, offset: number, count: number, hash: Hash): number {
		let done = 0;
		while (done < count) {
			const space = Math.min(count - done, this.#chunk.length - this.#filled);
			const read = fs.readSync(fd, this.#chunk, this.#filled, space, offset + done);
			if (read === 0) break;
			hash.update(this.#chunk.subarray(this.#filled, this.#filled + read));
			this.#advance(read);
			done += read;
		}
		return done;
	}

	/** Sends what is there, although the chunk is not full. */
	flush(): void {
		if (this.#filled === 0) return;
		this.#sink.send(this.#chunk.subarray(0, this.#filled));
		this.#chunk = this.#sink.next();
		this.#filled = 0;
	}

	#advance(count: number): void {
		this.position += count;
		this.#filled += count;
		if (this.#filled === this.#chunk.length) this.flush();
	}
}
