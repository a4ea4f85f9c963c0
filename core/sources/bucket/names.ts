/**
 * How objects are named in an archive. Any text of 1,024 bytes may be the name of an object; what comes of it here is a path that leads
 * nowhere else, that a file system takes, and that no other object has. Ordinary names stay as they are:
 *
 * - `%`, control characters, and a segment `.` or `..` are written as `%25`, `%0A`, `%2E`, `%2E%2E`;
 * - an empty segment, as of `/a`, `a//b` and `a/`, is `%`;
 * - a segment of more than 240 bytes is cut, and ends in `%~` and 32 digits of its SHA-256;
 * - `a/b`, where `a` is an object too and so a file, lies in the folder `a%`.
 */
import { createHash } from 'node:crypto';
import { type Bytes, fromText } from '../files/names';

/** File systems take 255; a mark may follow. */
const MAX_SEGMENT = 240;
const KEPT = 200;

/** Names objects that come in the order of their names. */
export class ObjectNames {
	/** Objects whose names are the beginning of the last one, the shortest first. */
	readonly #beginnings: string[] = [];

	/** The path of the next object. */
	pathOf(key: string): Bytes {
		while (this.#beginnings.length > 0 && !key.startsWith(this.#beginnings.at(-1)!)) this.#beginnings.pop();
		const segments = key.split('/');
		let end = -1;
		const path = segments.map((segment, at) => {
			end += segment.length + 1;
			const isFile = at < segments.length - 1 && this.#beginnings.includes(key.slice(0, end));
			return `${segmentOf(segment)}${isFile ? '%' : ''}`;
		});
		this.#beginnings.push(key);
		return path.join('/');
	}
}

/** An object's path where no file is in the way of a folder: in a tree of folders alone. */
export function folderPathOf(key: string): Bytes {
	return key.split('/').map(segmentOf).join('/');
}

function segmentOf(segment: string): Bytes {
	if (segment === '') return '%';
	if (segment === '.' || segment === '..') return segment.replaceAll('.', '%2E');
	const bytes = fromText(segment).replace(/[^\x20-\x7e\x80-\xff]|%/g, escaped);
	if (bytes.length <= MAX_SEGMENT) return bytes;
	const digest = createHash('sha256').update(segment).digest('hex').slice(0, 32);
	return `${cut(bytes)}%~${digest}`;
}

function escaped(character: string): string {
	return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Cut where neither a character of UTF-8 nor an escape ends in the middle. */
function cut(bytes: Bytes): Bytes {
	let end = KEPT;
	while (/[\x80-\xbf]/.test(bytes[end]!)) end--;
	return bytes.slice(0, end).replace(/%[0-9A-F]?$/, '');
}
