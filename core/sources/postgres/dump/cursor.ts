/** A place in a stream of chunks that knows how far it is in bytes and lines. */

const NEWLINE = 10;
const EMPTY = Buffer.alloc(0);

/** A place in a dump, for people: "line 12, byte 345". */
export interface Position {
	/** From 0. */
	readonly byte: number;
	/** From 1. */
	readonly line: number;
}

export function describePosition({ line, byte }: Position): string {
	return `line ${line}, byte ${byte}`;
}

export class DumpCursor {
	/** The chunk that is being read, and the index in it. */
	chunk: Buffer = EMPTY;
	at = 0;
	/** Bytes before `chunk`. */
	#before = 0;
	#line = 1;
	readonly #source: AsyncIterator<Buffer>;

	constructor(source: AsyncIterable<Buffer>) {
		this.#source = source[Symbol.asyncIterator]();
	}

	get position(): Position {
		return { byte: this.#before + this.at, line: this.#line };
	}

	/** Makes sure that there is a byte to read. @returns false when the stream has ended */
	async more(): Promise<boolean> {
		while (this.at === this.chunk.length) {
			const next = await this.#source.next();
			if (next.done) return false;
			this.#before += this.chunk.length;
			this.chunk = next.value;
			this.at = 0;
		}
		return true;
	}

	/** Goes to a later index of the chunk. @returns the bytes between, not copied */
	advance(to: number): Buffer {
		const { chunk, at } = this;
		let lines = 0;
		for (let index = at; index < to; index++) if (chunk[index] === NEWLINE) lines++;
		this.#line += lines;
		this.at = to;
		return chunk.subarray(at, to);
	}

	/** Gives the stream back: whoever reads on, or not. */
	async close(): Promise<void> {
		await this.#source.return?.();
	}
}
