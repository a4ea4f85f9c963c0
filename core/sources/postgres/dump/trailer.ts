/** The last words of a plain dump: without them, it was cut off. */

/** How pg_dump ends a plain dump (src/bin/pg_dump/pg_backup_archiver.c); the key of \unrestrict is there since 2025. */
const TRAILER = /(?:^|\n)--\n-- PostgreSQL database dump complete\n--\n\n(?:\\unrestrict \w{1,80}\n\n)?$/;
/** More than the longest trailer. */
const TAIL_BYTES = 256;

/** Keeps the end of a stream that passes by. */
export class DumpTail {
	#tail = Buffer.alloc(0);

	add(chunk: Buffer): void {
		// A copy, because the chunk belongs to the consumer from now on.
		this.#tail =
			chunk.length >= TAIL_BYTES
				? Buffer.from(chunk.subarray(-TAIL_BYTES))
				: Buffer.concat([this.#tail, chunk]).subarray(-TAIL_BYTES);
	}

	/** Whether the stream, if it ended here, held a whole dump. */
	isComplete(): boolean {
		return TRAILER.test(this.#tail.toString('latin1'));
	}
}
