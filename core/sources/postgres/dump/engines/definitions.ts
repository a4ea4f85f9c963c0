/**
 * The part of a plain dump before its rows, on its way: what its text depends on is added to the settings it begins with, and
 * what no other server would take is left out. Rows, of which there may be a lot, are not looked at.
 */
import { READING_SQL } from '../session-settings';
import { NOWHERE, SqlScanner } from '../../replay/sql-scanner';
import { type Dialect, SqlTokens } from '../../replay/sql-tokens';
import { COLUMN_VERSION, withoutParameters } from '../../replay/storage-parameters';

/** What is looked for stands in short statements; of longer ones, nothing is held back. */
const MAX_HELD_BYTES = 64 * 1024;
const NEWLINE = 10;
/** Rows follow, or what large objects hold. */
const BEGINS_ROWS = /^SELECT pg_catalog\.(?:lo_open|setval)\(/;
const STANDARD_STRINGS = /^SET standard_conforming_strings = (on|off);$/;

export class Definitions {
	readonly #scanner = new SqlScanner();
	/** Of the statement that is being read: it may yet be left out. */
	#held: Buffer[] = [];
	#heldBytes = 0;
	/** The statement is longer than what is held back, and its beginning is gone. */
	#isLong = false;
	/** Within a line for psql. */
	#inCommand = false;
	#isFirst = true;
	#isOver = false;

	/** @returns what may go on now of all that has come */
	take(chunk: Buffer): Buffer {
		if (this.#isOver) return chunk;
		const out: Buffer[] = [];
		let at = 0;
		while (at < chunk.length) {
			if (this.#isOver) {
				out.push(chunk.subarray(at));
				break;
			}
			at = this.#inCommand ? this.#passCommand(chunk, at, out) : this.#read(chunk, at, out);
		}
		// The chunk belongs to the reader of what is returned, who may use its memory again.
		this.#held = this.#held.map((piece) => Buffer.from(piece));
		return out.length === 1 ? out[0]! : Buffer.concat(out);
	}

	/** @returns what was held back, when there is no more to come */
	end(): Buffer {
		return Buffer.concat(this.#held.splice(0));
	}

	#read(chunk: Buffer, from: number, out: Buffer[]): number {
		const scanner = this.#scanner;
		const end = scanner.scan(chunk, from);
		let begin = from;
		if (scanner.start === NOWHERE || scanner.start >= 0) {
			// White space and comments; what was taken for the beginning of a statement may have been that of a comment.
			begin = scanner.start === NOWHERE ? end : scanner.start;
			this.#release(out);
			out.push(chunk.subarray(from, begin));
		}
		this.#hold(chunk.subarray(begin, end), out);
		if (scanner.found === 'statement') {
			this.#judge(out);
			scanner.next();
		} else if (scanner.found === 'backslash') {
			this.#release(out);
			this.#inCommand = true;
		}
		return end;
	}

	#passCommand(chunk: Buffer, from: number, out: Buffer[]): number {
		const newline = chunk.indexOf(NEWLINE, from);
		const end = newline < 0 ? chunk.length : newline + 1;
		out.push(chunk.subarray(from, end));
		if (newline >= 0) {
			this.#inCommand = false;
			this.#scanner.next();
		}
		return end;
	}

	#hold(bytes: Buffer, out: Buffer[]): void {
		if (this.#isLong) out.push(bytes);
		else if (bytes.length > 0) this.#held.push(bytes);
		this.#heldBytes += bytes.length;
		if (this.#heldBytes <= MAX_HELD_BYTES || this.#isLong) return;
		out.push(...this.#held.splice(0));
		this.#isLong = true;
	}

	/** Lets go what was held back. */
	#release(out: Buffer[]): void {
		out.push(...this.#held.splice(0));
		this.#heldBytes = 0;
		this.#isLong = false;
	}

	/** A statement has ended. */
	#judge(out: Buffer[]): void {
		const text = Buffer.concat(this.#held);
		this.#isOver = this.#scanner.copiesIn || BEGINS_ROWS.test(text.toString('latin1', 0, 64));
		const strings = STANDARD_STRINGS.exec(text.toString('latin1', 0, 64))?.[1];
		if (strings !== undefined) this.#scanner.standardStrings = strings === 'on';
		if (text.includes(COLUMN_VERSION) && /^ALTER (?:FOREIGN )?TABLE /.test(text.toString('latin1', 0, 32))) {
			const { standardStrings } = this.#scanner;
			const dialect: Dialect = { serverMajor: null, encoding: 'LATIN1', standardStrings };
			const kept = withoutParameters([text], new SqlTokens([text], dialect), (name) => name === COLUMN_VERSION);
			this.#held = kept === null ? [] : [...kept];
		}
		this.#release(out);
		if (this.#isFirst && text.toString('latin1', 0, 4) === 'SET ') out.push(Buffer.from(READING_SQL));
		this.#isFirst = false;
	}
}
