/**
 * The rows of a COPY as messages for the embedded database, each a COPY of its own: it takes a message as a whole, and a
 * large one would need as much memory. In the text format a line end that no backslash hides is the end of a row.
 */
import { COPY_END, copyHead, setRowsLength } from './wire';

/** Of rows, per message. Larger ones are no faster; a row that is longer has a message of its own. */
const BATCH_BYTES = 8 * 1024 * 1024;
const NEWLINE = 10;
const BACKSLASH = 92;

/** At least one message, for a COPY without rows can be refused as well. */
export async function* copyMessages(
	statement: readonly Buffer[],
	rows: AsyncIterable<Buffer>,
	batchBytes = BATCH_BYTES,
): AsyncGenerator<Buffer, void> {
	const head = copyHead(statement);
	let batch = new Batch(head, batchBytes);
	let sent = false;
	for await (const slice of rows) {
		for (let rest = slice; rest.length > 0; ) {
			rest = rest.subarray(batch.add(rest));
			if (!batch.isFull) continue;
			const next = batch.split(batchBytes);
			if (!next) continue;
			yield batch.message();
			sent = true;
			batch = next;
		}
	}
	if (!sent || !batch.isEmpty) yield batch.message();
}

class Batch {
	readonly #head: Buffer;
	#bytes: Buffer;
	/** Where the next row goes. */
	#end: number;

	constructor(head: Buffer, capacity: number) {
		this.#head = head;
		this.#bytes = Buffer.allocUnsafe(head.length + capacity + COPY_END.length);
		this.#end = head.copy(this.#bytes);
	}

	get isEmpty(): boolean {
		return this.#end === this.#head.length;
	}

	get isFull(): boolean {
		return this.#space === 0;
	}

	get #space(): number {
		return this.#bytes.length - COPY_END.length - this.#end;
	}

	/** @returns how many bytes there was space for */
	add(bytes: Buffer): number {
		const count = bytes.copy(this.#bytes, this.#end, 0, Math.min(bytes.length, this.#space));
		this.#end += count;
		return count;
	}

	/** Gives what follows the last whole row to a new batch; null when there is no whole row: then there is more space now. */
	split(capacity: number): Batch | null {
		const end = this.#endOfRows();
		if (end === null) {
			const larger = Buffer.allocUnsafe(this.#bytes.length * 2);
			this.#bytes.copy(larger, 0, 0, this.#end);
			this.#bytes = larger;
			return null;
		}
		const next = new Batch(this.#head, Math.max(capacity, this.#end - end));
		next.add(this.#bytes.subarray(end, this.#end));
		this.#end = end;
		return next;
	}

	message(): Buffer {
		setRowsLength(this.#bytes, this.#head.length, this.#end - this.#head.length);
		COPY_END.copy(this.#bytes, this.#end);
		return this.#bytes.subarray(0, this.#end + COPY_END.length);
	}

	#endOfRows(): number | null {
		const start = this.#head.length;
		for (let at = this.#end; ; ) {
			at = this.#bytes.subarray(start, at).lastIndexOf(NEWLINE) + start;
			if (at < start) return null;
			let backslashes = 0;
			while (at - 1 - backslashes >= start && this.#bytes[at - 1 - backslashes] === BACKSLASH) backslashes++;
			if (backslashes % 2 === 0) return at + 1;
		}
	}
}
