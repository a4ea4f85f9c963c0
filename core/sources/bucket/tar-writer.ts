/** Writes a tar into large chunks, whose memory comes back. */
import { CHUNK_BYTES, CHUNK_PATIENCE_MS, memoryOf } from '../../streams/chunk';
import { Output } from '../files/archive/output.ts';
import { END_OF_ARCHIVE, padding, TarHeader } from '../files/archive/tar.ts';
import type { Entry } from '../files/entry.ts';
import type { Bytes } from '../files/names.ts';
import { recordsOf } from './tar-records';

/** Chunks whose memory is kept for the next ones. */
const KEPT = 8;
const ZEROS = CHUNK_BYTES;
/** After so long without a byte, a header that means nothing shows that a listing goes on. */
const SILENCE_MS = 30_000;

/** A tar on its way. */
export class TarWriter {
	readonly #header = new TarHeader();
	readonly #free: ArrayBuffer[] = [];
	readonly #full: Buffer[] = [];
	readonly #output = new Output({
		send: (bytes) => this.#full.push(Buffer.from(bytes.buffer, 0, bytes.length)),
		next: () => new Uint8Array(this.#free.pop() ?? new ArrayBuffer(CHUNK_BYTES)),
	});
	#toldAt = performance.now();
	#movedAt = performance.now();
	#position = 0;

	/** Writes the header of an entry. @returns where its contents begin */
	begin(entry: Entry): number {
		const { bytes, length } = this.#header.make(
			...([entry, 'file', entry.size!, null, entry.object ? recordsOf(entry.object) : ''] as const),
		);
		this.#output.write(bytes, length);
		return this.#output.position;
	}

	/** Writes an entry that is the same file as one that was there before, by hand. */
	link(entry: Entry, target: Bytes): void {
		const header = this.#header.make(
			{ ...entry, target },
			'link',
			0,
			null,
			entry.object ? recordsOf(entry.object) : '',
		);
		this.#output.write(header.bytes, header.length);
	}

	write(bytes: Buffer): void {
		this.#output.write(bytes);
	}

	/** Writes zeros, a chunk of them at most. @returns how many */
	zeros(most: number): number {
		const count = Math.min(most, ZEROS);
		this.#output.zeros(count);
		return count;
	}

	/** Fills the last block up. */
	pad(): void {
		this.#output.zeros(padding(this.#output.position));
	}

	end(): void {
		this.#output.write(END_OF_ARCHIVE);
		this.#output.flush();
	}

	/** Takes the chunks that are ready. */
	chunks(): Buffer[] {
		return this.#full.splice(0);
	}

	/** Whether a second has passed; then what is there is given, although a chunk is not full. */
	isLate(): boolean {
		const now = performance.now();
		if (now - this.#toldAt < CHUNK_PATIENCE_MS) return false;
		this.#toldAt = now;
		if (this.#output.position !== this.#position) this.#movedAt = now;
		else if (now - this.#movedAt >= SILENCE_MS) {
			const { bytes, length } = this.#header.makeComment('the listing goes on');
			this.#output.write(bytes, length);
			this.#movedAt = now;
		}
		this.#position = this.#output.position;
		this.#output.flush();
		return true;
	}

	recycle(chunk: Buffer): void {
		const memory = memoryOf(chunk);
		if (memory && this.#free.length < KEPT) this.#free.push(memory);
	}
}
