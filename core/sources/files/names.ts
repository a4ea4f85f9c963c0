/**
 * Names and paths as the file system has them: bytes, which need not be UTF-8. In memory they are strings with one character per byte
 * (Latin-1), so that `<` compares bytes and every name survives; `toText` and `fromText` are for people and for JSON.
 */
import { isUtf8 } from 'node:buffer';

/** A name or path with one character per byte. */
export type Bytes = string;

const ASCII = /^[\0-\x7f]*$/;

/** Whether each character of a name is one byte in UTF-8 as well. */
export function isAscii(name: Bytes): boolean {
	return ASCII.test(name);
}

/** The name as text, or null when its bytes are not UTF-8. */
export function nameToText(name: Bytes): string | null {
	if (isAscii(name)) return name;
	const bytes = Buffer.from(name, 'latin1');
	return isUtf8(bytes) ? bytes.toString('utf8') : null;
}

/** The name for people: bytes that are not UTF-8 are the replacement character, control characters are escaped. */
export function toDisplay(name: Bytes): string {
	const text = nameToText(name) ?? Buffer.from(name, 'latin1').toString('utf8');
	return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (character) => {
		const code = character.codePointAt(0)!;
		return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
	});
}

/** The bytes of a text. */
export function fromText(text: string): Bytes {
	return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** The name as functions of `node:fs` take it. */
export function toFs(name: Bytes): string | Buffer {
	return isAscii(name) ? name : Buffer.from(name, 'latin1');
}

/**
 * Where an entry stands in an index: a directory comes first, then what is in it and is no directory, then its directories with all
 * that is below them. So what is known of the files of a directory lies together, however much is below it. Plain
 * comparison of keys gives this order.
 */
export function sortKey(path: Bytes, isDirectory: boolean): string {
	if (isDirectory) return `${path}/`;
	const slash = path.lastIndexOf('/');
	return `${path.slice(0, slash + 1)}\0${path.slice(slash + 1)}`;
}
