/**
 * Finds the ends of SQL statements as psql does (src/fe_utils/psqlscan.l), byte by byte, whatever chunks the bytes come
 * in. Bytes are never decoded: in every encoding that a PostgreSQL database can have, the bytes of a multi-byte
 * character are all above 127, so that none of them can be taken for a quote or a backslash.
 */
import { StatementShape } from './statement-shape';

const TAB = 9;
const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
const DOUBLE_QUOTE = 34;
const DOLLAR = 36;
const AMPERSAND = 38;
const QUOTE = 39;
const OPEN = 40;
const CLOSE = 41;
const STAR = 42;
const DASH = 45;
const SLASH = 47;
const SEMICOLON = 59;
const BACKSLASH = 92;

/** Longer words are no keywords, and are not kept. */
const MAX_KEYWORD = 16;

/** PostgreSQL knows no limit; pg_dump's tags have a few characters. */
const MAX_TAG = 1024;

/** Classes of bytes: what may begin a word, what may go on in one, what is white space. */
const WORD_START = 1;
const WORD_PART = 2;
const WHITE = 4;
const CLASSES = Uint8Array.from({ length: 256 }, (_, byte) => {
	if ((byte >= TAB && byte <= CARRIAGE_RETURN) || byte === SPACE) return WHITE;
	if (byte > 127 || /[A-Za-z_]/.test(String.fromCharCode(byte))) return WORD_START | WORD_PART;
	return /[0-9$]/.test(String.fromCharCode(byte)) ? WORD_PART : 0;
});

type Mode =
	| 'plain'
	| 'word'
	| 'after u&' // `u&` was read: a quote makes it U&'…' or U&"…"
	| 'after dash'
	| 'after slash'
	| 'line comment'
	| 'block comment'
	| 'block comment, after star'
	| 'block comment, after slash'
	| 'string'
	| 'string, after backslash'
	| 'name'
	| 'dollar tag'
	| 'dollar string';

/** What counts inside '…': a backslash hides the next byte; two quotes are one. */
interface StringKind {
	readonly escapes: boolean;
	readonly doubles: boolean;
}
const STANDARD: StringKind = { escapes: false, doubles: true };
const ESCAPED: StringKind = { escapes: true, doubles: true };
const BITS: StringKind = { escapes: false, doubles: false };

/** Where the current statement began: before this chunk, nowhere yet, or at an index of this chunk. */
export const EARLIER = -1;
export const NOWHERE = -2;

export class SqlScanner {
	/** Setting of the session: whether a backslash in '…' is an ordinary character. */
	standardStrings = true;
	/** After {@link scan}: where the first byte of the statement is. White space and comments before it do not count. */
	start = NOWHERE;
	/** After {@link scan}: why it returned. */
	found: 'more' | 'statement' | 'backslash' = 'more';

	#mode: Mode = 'plain';
	readonly #shape = new StatementShape();
	#comments = 0;
	/** Whether the dash or slash that may begin a comment is the first byte of the statement. */
	#isFirst = false;
	#kind = STANDARD;
	/** The string that ended just now, and what came since: it goes on after a quote at once or on another line. */
	#ended: StringKind | null = null;
	#sinceEnd: 'nothing' | 'blanks' | 'a newline' = 'nothing';
	#word = '';
	#delimiter = '';
	#tail = '';

	/** Forgets the statement that was found. */
	next(): void {
		this.start = NOWHERE;
		this.#mode = 'plain';
		this.#shape.reset();
		this.#ended = null;
	}

	/** Whether the statement is a COPY … FROM stdin, which data follows. */
	get copiesIn(): boolean {
		return this.#shape.copiesIn;
	}

	/**
	 * Reads on until a statement ends, a psql command begins or the chunk ends: see `found`.
	 * @returns the index after the statement's semicolon, of the backslash, or the chunk's length
	 */
	scan(chunk: Buffer, from: number): number {
		if (this.start !== NOWHERE) this.start = EARLIER;
		this.found = 'more';
		let at = from;
		while (at < chunk.length && this.found === 'more') at = this.#step(chunk, at);
		return at;
	}

	/**
	 * Says that there is no more.
	 * @returns what is open and should have been closed; null when a statement may end here
	 */
	end(): string | null {
		if (this.#mode === 'word') this.#shape.word(this.#word.toLowerCase());
		if (this.#mode.startsWith('block comment')) return 'a comment';
		if (this.#mode.startsWith('string')) return 'a string';
		if (this.#mode === 'name') return 'a quoted name';
		if (this.#mode === 'dollar string') return 'a dollar-quoted string';
		return this.#shape.open;
	}

	/** Takes at least one byte, or changes the mode so that the next step will. @returns the index after what it took */
	#step(chunk: Buffer, at: number): number {
		const byte = chunk[at]!;
		switch (this.#mode) {
			case 'plain':
				return this.#plain(chunk, at);
			case 'word':
				return this.#readWord(chunk, at);
			case 'after u&':
				this.#mode = 'plain';
				this.#shape.other();
				return byte === QUOTE ? this.#open(STANDARD, at) : at;
			case 'after dash':
				return this.#maybeComment(at, byte === DASH, 'line comment');
			case 'after slash':
				this.#comments = 1;
				return this.#maybeComment(at, byte === STAR, 'block comment');
			case 'line comment': {
				const end = lineEnd(chunk, at);
				if (end < chunk.length) this.#mode = 'plain';
				return end;
			}
			case 'block comment':
			case 'block comment, after star':
			case 'block comment, after slash':
				return this.#comment(byte, at);
			case 'string':
				return this.#string(chunk, at);
			case 'string, after backslash':
				this.#mode = 'string';
				return at + 1;
			case 'name': {
				const end = chunk.indexOf(DOUBLE_QUOTE, at);
				if (end < 0) return chunk.length;
				this.#mode = 'plain'; // a doubled quote begins the next part of the same name
				return end + 1;
			}
			case 'dollar tag':
				return this.#dollarTag(byte, at);
			case 'dollar string':
				return this.#dollarString(chunk, at);
		}
	}

	#plain(chunk: Buffer, at: number): number {
		const byte = chunk[at]!;
		if (CLASSES[byte]! & WHITE) {
			if (byte === NEWLINE || byte === CARRIAGE_RETURN) this.#sinceEnd = 'a newline';
			else if (this.#sinceEnd === 'nothing') this.#sinceEnd = 'blanks';
			return at + 1;
		}
		if (byte === BACKSLASH) {
			this.found = 'backslash';
			return at;
		}
		this.#isFirst = this.start === NOWHERE;
		if (this.#isFirst) this.start = at;
		if (byte === QUOTE) return this.#open(this.#kindOf(), at);
		if (byte === DASH || byte === SLASH) {
			// Nothing is forgotten yet: what follows may be a comment, which counts as a blank.
			this.#mode = byte === DASH ? 'after dash' : 'after slash';
			return at + 1;
		}
		this.#ended = null;
		if (CLASSES[byte]! & WORD_START) {
			this.#word = '';
			this.#mode = 'word';
			return at;
		}
		this.#shape.other();
		switch (byte) {
			case DOUBLE_QUOTE:
				this.#mode = 'name';
				break;
			case DOLLAR:
				this.#delimiter = '$';
				this.#mode = 'dollar tag';
				break;
			case OPEN:
				this.#shape.parentheses++;
				break;
			case CLOSE:
				if (this.#shape.parentheses > 0) this.#shape.parentheses--;
				break;
			case SEMICOLON:
				if (!this.#shape.open) this.found = 'statement';
				break;
		}
		return at + 1;
	}

	/** What a quote without a prefix begins. */
	#kindOf(): StringKind {
		const goesOn =
			this.#ended !== null && (this.#sinceEnd === 'a newline' || (this.#sinceEnd === 'nothing' && this.#ended.doubles));
		if (goesOn) return this.#ended!;
		return this.standardStrings ? STANDARD : ESCAPED;
	}

	#open(kind: StringKind, at: number): number {
		this.#kind = kind;
		this.#shape.other();
		this.#mode = 'string';
		return at + 1;
	}

	#string(chunk: Buffer, at: number): number {
		let end = at;
		if (this.#kind.escapes) {
			while (end < chunk.length && chunk[end] !== QUOTE && chunk[end] !== BACKSLASH) end++;
			if (chunk[end] === BACKSLASH) {
				this.#mode = 'string, after backslash';
				return end + 1;
			}
		} else end = chunk.indexOf(QUOTE, at);
		if (end < 0 || end === chunk.length) return chunk.length;
		this.#ended = this.#kind;
		this.#sinceEnd = 'nothing';
		this.#mode = 'plain';
		return end + 1;
	}

	#readWord(chunk: Buffer, at: number): number {
		let end = at;
		while (end < chunk.length && CLASSES[chunk[end]!]! & WORD_PART) end++;
		const room = MAX_KEYWORD - this.#word.length;
		this.#word += chunk.toString('latin1', at, Math.min(end, at + room));
		if (end === chunk.length) return end;
		const prefix = this.#word.toLowerCase();
		const byte = chunk[end]!;
		this.#mode = 'plain';
		if (byte === QUOTE && prefix === 'e') return this.#open(ESCAPED, end);
		if (byte === QUOTE && (prefix === 'b' || prefix === 'x')) return this.#open(BITS, end);
		this.#shape.word(this.#word.toLowerCase());
		if (byte === AMPERSAND && prefix === 'u') {
			this.#mode = 'after u&';
			return end + 1;
		}
		return end;
	}

	#maybeComment(at: number, isComment: boolean, mode: Mode): number {
		if (!isComment) {
			this.#ended = null;
			this.#shape.other();
			this.#mode = 'plain';
			return at;
		}
		if (this.#isFirst) this.start = NOWHERE; // the statement's first byte was none
		if (mode === 'block comment') this.#ended = null;
		this.#mode = mode;
		return at + 1;
	}

	#comment(byte: number, at: number): number {
		if (byte === SLASH && this.#mode === 'block comment, after star') {
			this.#comments--;
			this.#mode = this.#comments === 0 ? 'plain' : 'block comment';
		} else if (byte === STAR && this.#mode === 'block comment, after slash') {
			this.#comments++;
			this.#mode = 'block comment';
		} else if (byte === STAR) this.#mode = 'block comment, after star';
		else if (byte === SLASH) this.#mode = 'block comment, after slash';
		else this.#mode = 'block comment';
		return at + 1;
	}

	/** `$tag$` begins a string. `$1` is a parameter, `$tag` without its end is a dollar sign and a word. */
	#dollarTag(byte: number, at: number): number {
		if (byte === DOLLAR) {
			this.#delimiter += '$';
			this.#tail = '';
			this.#mode = 'dollar string';
			return at + 1;
		}
		const allowed = this.#delimiter.length === 1 ? WORD_START : WORD_PART;
		if (CLASSES[byte]! & allowed && this.#delimiter.length < MAX_TAG) {
			this.#delimiter += String.fromCharCode(byte);
			return at + 1;
		}
		this.#word = this.#delimiter.slice(1, 1 + MAX_KEYWORD);
		this.#mode = this.#word === '' ? 'plain' : 'word';
		return at;
	}

	#dollarString(chunk: Buffer, at: number): number {
		const size = this.#delimiter.length;
		if (this.#tail !== '') {
			const seam = this.#tail + chunk.toString('latin1', at, at + size - 1);
			const found = seam.indexOf(this.#delimiter);
			if (found >= 0) return this.#endDollarString(at + found + size - this.#tail.length);
		}
		const found = chunk.indexOf(this.#delimiter, at, 'latin1');
		if (found >= 0) return this.#endDollarString(found + size);
		// The last bytes, for a delimiter across the border of two chunks.
		this.#tail = (this.#tail + chunk.toString('latin1', Math.max(at, chunk.length - size + 1))).slice(-(size - 1));
		return chunk.length;
	}

	#endDollarString(end: number): number {
		this.#mode = 'plain';
		return end;
	}
}

function lineEnd(chunk: Buffer, from: number): number {
	let at = from;
	while (at < chunk.length && chunk[at] !== NEWLINE && chunk[at] !== CARRIAGE_RETURN) at++;
	return at;
}
