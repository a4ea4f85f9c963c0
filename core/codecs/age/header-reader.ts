/** Cuts the header off the front of an age file, whatever portions it comes in. What it says is not looked at. */
import { BackupError } from '../../base/errors';

/**
 * The format has no limit, so there must be one here: room for 40 post-quantum recipients or 600 classic ones, and little
 * enough to be tried without blocking the event loop for long.
 */
export const MAX_HEADER_BYTES = 64 * 1024;
const INTRO = 'age-encryption.org/';
/** The MAC's line is the only one that starts with three dashes. */
const MAC_MARK = '\n---';

export class HeaderReader {
	#bytes = Buffer.allocUnsafe(4096);
	#length = 0;
	/** Where the MAC's line starts, once it was found. */
	#mark = -1;
	#header: Buffer | null = null;

	/** The whole header; only once {@link take} has returned what follows it. */
	get header(): Buffer {
		if (!this.#header) throw new RangeError('the header is not complete yet');
		return this.#header;
	}

	/**
	 * Takes the next bytes of the file.
	 * @returns what follows the header in these bytes, or null while the header goes on
	 * @throws BackupError 'damaged'
	 */
	take(bytes: Buffer): Buffer | null {
		const before = this.#length;
		this.#append(bytes.subarray(0, MAX_HEADER_BYTES - before));
		const known = this.#bytes.subarray(0, this.#length);
		// The mark and the line feed behind it may lie in different portions.
		if (this.#mark === -1) this.#mark = known.indexOf(MAC_MARK, Math.max(0, before - MAC_MARK.length));
		if (this.#mark !== -1) {
			const end = known.indexOf('\n', Math.max(before, this.#mark + MAC_MARK.length));
			if (end !== -1) {
				this.#header = Buffer.from(known.subarray(0, end + 1));
				return bytes.subarray(end + 1 - before);
			}
		}
		if (this.#length === MAX_HEADER_BYTES) throw this.#noHeader('is longer than 64 KiB');
		return null;
	}

	/**
	 * Says that the file has ended before its header has.
	 * @throws BackupError 'damaged' always
	 */
	end(): never {
		throw this.#noHeader('is truncated');
	}

	#append(bytes: Buffer): void {
		if (this.#length + bytes.length > this.#bytes.length) {
			const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#length + bytes.length));
			this.#bytes.copy(larger, 0, 0, this.#length);
			this.#bytes = larger;
		}
		bytes.copy(this.#bytes, this.#length);
		this.#length += bytes.length;
	}

	#noHeader(what: string): BackupError {
		const start = this.#bytes.toString('latin1', 0, Math.min(this.#length, INTRO.length));
		const isAge = start.length > 0 && INTRO.startsWith(start);
		return new BackupError('damaged', isAge ? `the encryption header ${what}` : 'this is not an age file', {
			details: { part: 'header' },
		});
	}
}
