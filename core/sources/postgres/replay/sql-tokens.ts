/**
 * The words, names and strings of one statement that is in memory already. Where a statement begins and ends is for the
 * scanner to say; this only tells what it is about, so that nothing in a string is ever taken for SQL.
 */

/** How a dump writes, and of what. */
export interface Dialect {
	/** Of the server that was dumped: 15; null when the dump does not say. */
	readonly serverMajor: number | null;
	/** client_encoding as PostgreSQL names it. */
	readonly encoding: string;
	/** Whether a backslash in '…' is an ordinary character. */
	readonly standardStrings: boolean;
}

export interface Token {
	/** `word`: not quoted, in lower case, numbers included. `name`: was in double quotes. `string`: of any kind. */
	readonly kind: 'word' | 'name' | 'string' | 'symbol';
	/** Without its quotes. */
	readonly text: string;
	/** Bytes of the statement. */
	readonly start: number;
	readonly end: number;
	/** Open parentheses around it. */
	readonly depth: number;
}

/** A table, or anything else with a name in a schema. */
export interface Relation {
	readonly schema: string;
	readonly name: string;
}

/** Longer statements hold rows, bodies or expressions at their end, which do not matter here. */
const MAX_HEAD_BYTES = 256 * 1024;

const SPACE = String.raw`(?<space>\s+|--[^\r\n]*)`;
const BACKSLASHES = String.raw`'(?<escaped>[^'\\]*(?:(?:\\[^]|'')[^'\\]*)*)(?:'|$)`;
const STANDARD = String.raw`'(?<standard>[^']*(?:''[^']*)*)(?:'|$)`;
const OTHERS = String.raw`(?<word>[A-Za-z_\x80-\xff][\w$\x80-\xff]*|\d[\w.]*)|"(?<name>[^"]*(?:""[^"]*)*)(?:"|$)|(?<dollar>\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$)|(?<symbol>[^])`;
const MODERN_TOKEN = new RegExp(`${SPACE}|[eE]${BACKSLASHES}|${STANDARD}|${OTHERS}`, 'y');
const OLD_TOKEN = new RegExp(`${SPACE}|[eE]?${BACKSLASHES}|${OTHERS}`, 'y');

export class SqlTokens {
	readonly list: readonly Token[];
	/** False for the beginning of a long statement, whose last token may be cut. */
	readonly isWhole: boolean;

	constructor(pieces: readonly Buffer[], dialect: Dialect, maxBytes = MAX_HEAD_BYTES) {
		const { head, isWhole } = beginning(pieces, maxBytes);
		this.list = read(head.toString('latin1'), dialect);
		this.isWhole = isWhole;
	}

	/** Whether the statement begins with these words. */
	starts(...words: string[]): boolean {
		return this.follow(0, ...words);
	}

	/** Whether these words stand at an index. */
	follow(at: number, ...words: string[]): boolean {
		return words.every((word, index) => this.word(at + index) === word);
	}

	/** The word or symbol at an index; empty for strings, quoted names, and behind the end. */
	word(at: number): string {
		const token = this.list[at];
		return token && (token.kind === 'word' || token.kind === 'symbol') ? token.text : '';
	}

	/** The index of a word outside of parentheses, or -1. */
	find(word: string, from = 0): number {
		return this.list.findIndex(
			(token, index) => index >= from && token.depth === 0 && token.kind === 'word' && token.text === word,
		);
	}

	/** The name in a schema that begins at an index, and the index after it; null when none does. Public is the default. */
	relation(at: number): { relation: Relation; next: number } | null {
		const first = this.#identifier(at);
		if (first === null) return null;
		const second = this.word(at + 1) === '.' ? this.#identifier(at + 2) : null;
		if (second === null) return { relation: { schema: 'public', name: first }, next: at + 1 };
		return { relation: { schema: first, name: second }, next: at + 3 };
	}

	#identifier(at: number): string | null {
		const token = this.list[at];
		return token && (token.kind === 'word' || token.kind === 'name') ? token.text : null;
	}
}

/** A name in a schema as text that is the same for the same name only. */
export function relationKey({ schema, name }: Relation): string {
	return JSON.stringify([schema, name]);
}

function beginning(pieces: readonly Buffer[], maxBytes: number): { head: Buffer; isWhole: boolean } {
	const parts: Buffer[] = [];
	let room = maxBytes;
	for (const piece of pieces) {
		if (room < piece.length) return { head: Buffer.concat([...parts, piece.subarray(0, room)]), isWhole: false };
		parts.push(piece);
		room -= piece.length;
	}
	return { head: Buffer.concat(parts), isWhole: true };
}

/** @param text a character per byte */
function read(text: string, { encoding, standardStrings }: Dialect): Token[] {
	const tokens: Token[] = [];
	const pattern = new RegExp(standardStrings ? MODERN_TOKEN : OLD_TOKEN);
	let depth = 0;
	for (let at = 0; at < text.length; ) {
		if (text.startsWith('/*', at)) {
			at = afterComment(text, at);
			continue;
		}
		pattern.lastIndex = at;
		const { space, word, name, standard, escaped, dollar, symbol } = pattern.exec(text)!.groups!;
		let end = pattern.lastIndex;
		const add = (kind: Token['kind'], value: string) => tokens.push({ kind, text: value, start: at, end, depth });
		if (word !== undefined) add('word', decode(lowerCase(word), encoding));
		else if (name !== undefined) add('name', decode(name.replaceAll('""', '"'), encoding));
		else if (standard !== undefined) add('string', decode(standard.replaceAll("''", "'"), encoding));
		else if (escaped !== undefined)
			add(
				'string',
				decode(
					escaped.replaceAll(/''|\\([^])/g, (_, hidden?: string) => hidden ?? "'"),
					encoding,
				),
			);
		else if (dollar !== undefined) {
			const close = text.indexOf(dollar, end);
			const body = text.slice(end, close < 0 ? text.length : close);
			end = close < 0 ? text.length : close + dollar.length;
			add('string', decode(body, encoding));
		} else if (space === undefined) {
			if (symbol === ')' && depth > 0) depth--;
			add('symbol', symbol!);
			if (symbol === '(') depth++;
		}
		at = end;
	}
	return tokens;
}

/** Comments nest. */
function afterComment(text: string, from: number): number {
	const border = /\/\*|\*\//g;
	border.lastIndex = from;
	let open = 0;
	for (let found = border.exec(text); found; found = border.exec(text)) {
		open += found[0] === '/*' ? 1 : -1;
		if (open === 0) return border.lastIndex;
	}
	return text.length;
}

/** As PostgreSQL folds names: ASCII only, in all encodings with more than one byte. */
function lowerCase(text: string): string {
	return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** PostgreSQL's names of encodings that the Encoding Standard calls otherwise. */
const DECODERS: Record<string, string> = {
	sqlascii: 'utf-8',
	euccn: 'gb2312',
	euctw: 'utf-8', // unknown there, like the next one
	muleinternal: 'utf-8',
	eucjis2004: 'euc-jp',
	koi8r: 'koi8-r',
	koi8u: 'koi8-u',
	win866: 'ibm866',
	win874: 'windows-874',
	latin5: 'windows-1254',
	latin6: 'iso-8859-10',
	latin7: 'iso-8859-13',
	latin8: 'iso-8859-14',
	latin9: 'iso-8859-15',
	latin10: 'iso-8859-16',
};

/** Bytes, one per character, as the text they are in an encoding of PostgreSQL. */
export function decode(bytes: string, encoding: string): string {
	if (!/[\x80-\xff]/.test(bytes)) return bytes;
	const name = encoding.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
	if (name === 'latin1') return bytes;
	const label =
		DECODERS[name] ??
		name
			.replace(/^win(\d+)$/, 'windows-$1')
			.replace(/^latin([2-4])$/, 'iso-8859-$1')
			.replace(/^iso8859(\d+)$/, 'iso-8859-$1')
			.replace(/^euc(jp|kr)$/, 'euc-$1')
			.replace(/^(?:utf8|unicode)$/, 'utf-8');
	return new TextDecoder(label).decode(Buffer.from(bytes, 'latin1'));
}
