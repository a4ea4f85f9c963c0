/**
 * Undoes the text form of age files (`age -a`; c2sp.org/age, "ASCII armor"): base64 between two marker lines. As strict
 * as the specification asks: only white space may surround it, and each file has one spelling, but for CRLF line ends.
 */
import { BackupError } from '../../base/errors';

const BEGIN = '-----BEGIN AGE ENCRYPTED FILE-----';
const END = '-----END AGE ENCRYPTED FILE-----';
const FULL_LINE = 64;
/** Longer than any line allowed: garbage without line ends must not fill the memory. */
const MAX_LINE = 128;
const LINE_FEED = 0x0a;

export class ArmorDecoder {
	#part: 'before' | 'inside' | 'after' = 'before';
	/** A line shorter than 64 characters is the last one. */
	#ended = false;
	#rest = Buffer.alloc(0);

	/**
	 * The bytes behind a chunk of text.
	 * @throws BackupError 'damaged'
	 */
	decode(chunk: Buffer): Buffer {
		const text = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
		const decoded: Buffer[] = [];
		let start = 0;
		for (let end = text.indexOf(LINE_FEED); end !== -1; end = text.indexOf(LINE_FEED, start)) {
			this.#line(text.toString('latin1', start, end), decoded);
			start = end + 1;
		}
		if (this.#part !== 'inside') start = skipWhitespace(text, start);
		if (text.length - start > MAX_LINE) throw this.#malformed();
		this.#rest = Buffer.from(text.subarray(start));
		return Buffer.concat(decoded);
	}

	/**
	 * Says that the text has ended.
	 * @throws BackupError 'damaged'
	 */
	end(): void {
		this.#line(this.#rest.toString('latin1'), []);
		if (this.#part === 'before') throw this.#malformed();
		if (this.#part === 'inside') throw damaged('the text form of the encrypted file is truncated');
	}

	#line(raw: string, decoded: Buffer[]): void {
		const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
		if (this.#part === 'inside') {
			if (line === END) this.#part = 'after';
			else decoded.push(this.#decodeLine(line));
		} else if (this.#part === 'before' && line.trimStart() === BEGIN) {
			this.#part = 'inside';
		} else if (line.trim() !== '') {
			throw this.#malformed();
		}
	}

	#decodeLine(line: string): Buffer {
		const bytes = Buffer.from(line, 'base64');
		// Only canonical base64 with padding encodes to itself again.
		if (this.#ended || line === '' || line.length > FULL_LINE || bytes.toString('base64') !== line)
			throw this.#malformed();
		this.#ended = line.length < FULL_LINE || line.endsWith('=');
		return bytes;
	}

	#malformed(): BackupError {
		return this.#part === 'before'
			? damaged('this is not an age file')
			: damaged('the text form of the encrypted file is damaged');
	}
}

function skipWhitespace(text: Buffer, start: number): number {
	let at = start;
	while (at < text.length && ' \t\r\n'.includes(String.fromCharCode(text[at] as number))) at++;
	return at;
}

function damaged(message: string): BackupError {
	return new BackupError('damaged', message, { details: { part: 'armor' } });
}
