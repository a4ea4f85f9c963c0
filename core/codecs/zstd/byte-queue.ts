/** Bytes in the order they came, taken in other portions than they came in, without copying them. */
export class ByteQueue {
	readonly #chunks: Buffer[] = [];
	#length = 0;

	get length(): number {
		return this.#length;
	}

	append(chunk: Buffer): void {
		if (chunk.length === 0) return;
		this.#chunks.push(chunk);
		this.#length += chunk.length;
	}

	/** The first `count` bytes, in as few pieces as they came in. There must be that many. */
	takePieces(count: number): Buffer[] {
		if (count > this.#length) throw new RangeError(`${count} bytes were asked for, ${this.#length} are there`);
		let whole = 0;
		let missing = count;
		for (let next = this.#chunks[0]; next && next.length <= missing; next = this.#chunks[whole]) {
			missing -= next.length;
			whole++;
		}
		const pieces = this.#chunks.splice(0, whole);
		const cut = this.#chunks[0];
		if (missing > 0 && cut) {
			pieces.push(cut.subarray(0, missing));
			this.#chunks[0] = cut.subarray(missing);
		}
		this.#length -= count;
		return pieces;
	}

	/** The first `count` bytes in one piece; copied only when they came in several. */
	take(count: number): Buffer {
		const pieces = this.takePieces(count);
		return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, count);
	}
}
