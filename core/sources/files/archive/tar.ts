/**
 * Headers of a tar in pax form (POSIX.1-2017, pax), with what GNU tar adds: `GNU.dumpdir` for incremental archives, `GNU.sparse.*` 1.0
 * for files with holes. Written into one buffer that is used again and again: with the `tar` package's `Header`, a
 * header takes 20 µs, which is as much as all calls to the system that a small file needs.
 */
import type { Entry } from '../entry.ts';
import { type Bytes, nameToText } from '../names.ts';

const BLOCK = 512;
/** Bytes of a block that are used: all fields but the prefix of a name. */
const USED = 345;
/** The largest number that eleven octal digits hold, and seven. */
const MAX_SIZE = 0o77777777777;
const MAX_ID = 0o7777777;
/** Longer names, and others, are in pax records. */
const MAX_NAME = 100;
const MAX_OWNER = 31;
const PLAIN = /^[\x20-\x7e]*$/;

const TYPE_FLAGS = {
	file: '0',
	link: '1',
	symlink: '2',
	character: '3',
	block: '4',
	directory: '5',
	fifo: '6',
} as const;
/** Types that an archive has. */
export type TarType = keyof typeof TYPE_FLAGS;

/** The end of an archive. */
export const END_OF_ARCHIVE = Buffer.alloc(2 * BLOCK);

/** How many zeros follow contents of a size, so that the next header begins a block. */
export function padding(size: number): number {
	return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** Makes headers. */
export class TarHeader {
	/** The last header, from its first byte on. */
	bytes = Buffer.alloc(16 * BLOCK);
	/** Bytes of it. */
	length = 0;
	/** The block before the records of the last entry that had some. Those of most entries are as long: their times. */
	readonly #beforeRecords = Buffer.alloc(BLOCK);
	#recordsLength = -1;

	/**
	 * Makes everything that comes before an entry's contents.
	 * @param stored bytes of contents that follow: for a file with holes, its extents
	 * @param names of a directory in an incremental archive: each with `Y` (anything) or `D` (a directory) before it
	 * @param more further pax records, from {@link record}
	 */
	make(entry: Entry, type: TarType, stored: number, names: readonly Bytes[] | null = null, more: Bytes = ''): this {
		this.length = 0;
		const map = entry.extents && type === 'file' ? sparseMap(entry) : '';
		const size = stored + map.length + padding(map.length);
		const path = type === 'directory' ? `${entry.path}/` : entry.path;
		const records = recordsOf(entry, path, size, map !== '', names) + more;
		if (records !== '') this.#records(records);
		const { mode = 0, uid = 0, gid = 0, mtime = '0.', target = '' } = entry;
		this.#block(path, mode, uid, gid, size, mtime, TYPE_FLAGS[type], target, entry);
		if (map !== '') this.#text(map);
		return this;
	}

	/** Makes a header that no entry follows, and that means nothing to a reader. */
	makeComment(text: Bytes): this {
		this.length = 0;
		const records = record('comment', text);
		this.#block('PaxHeader', 0o644, 0, 0, records.length, '0', 'g', '');
		this.#text(records);
		return this;
	}

	#records(records: Bytes): void {
		if (records.length === this.#recordsLength) {
			this.#beforeRecords.copy(this.bytes, this.#reserve(BLOCK));
		} else {
			const start = this.length;
			this.#block('PaxHeader', 0o644, 0, 0, records.length, '0', 'x', '');
			this.bytes.copy(this.#beforeRecords, 0, start);
			this.#recordsLength = records.length;
		}
		this.#text(records);
	}

	/** A block by its fields (POSIX.1-2017, pax, ustar interchange format). */
	#block(
		path: Bytes,
		mode: number,
		uid: number,
		gid: number,
		size: number,
		mtime: string,
		flag: string,
		target: Bytes,
		{ user, group, device }: Pick<Entry, 'user' | 'group' | 'device'> = {},
	): void {
		const start = this.#reserve(BLOCK);
		const { bytes } = this;
		bytes.fill(0, start, start + BLOCK);
		// Where the whole name is in a record, this is for people who look into the archive with something old.
		bytes.write(isPlain(path) ? path : shortened(path), start, MAX_NAME, 'latin1');
		octal(bytes, start + 100, 7, mode);
		octal(bytes, start + 108, 7, Math.min(uid, MAX_ID));
		octal(bytes, start + 116, 7, Math.min(gid, MAX_ID));
		octal(bytes, start + 124, 11, Math.min(size, MAX_SIZE));
		octal(bytes, start + 136, 11, Math.min(Math.max(Math.floor(Number(mtime)), 0), MAX_SIZE));
		bytes.write(flag, start + 156, 1, 'latin1');
		if (target !== '') bytes.write(isPlain(target) ? target : shortened(target), start + 157, MAX_NAME, 'latin1');
		bytes.write('ustar\x0000', start + 257, 8, 'latin1');
		if (user !== undefined && isPlain(user, MAX_OWNER)) bytes.write(user, start + 265, MAX_OWNER, 'latin1');
		if (group !== undefined && isPlain(group, MAX_OWNER)) bytes.write(group, start + 297, MAX_OWNER, 'latin1');
		octal(bytes, start + 329, 7, device?.[0] ?? 0);
		octal(bytes, start + 337, 7, device?.[1] ?? 0);
		// The sum is taken with blanks where it will stand.
		bytes.fill(32, start + 148, start + 156);
		let sum = 0;
		for (let at = start; at < start + USED; at++) sum += bytes[at]!;
		octal(bytes, start + 148, 6, sum);
		bytes[start + 154] = 0;
	}

	#text(text: Bytes): void {
		const size = text.length + padding(text.length);
		const start = this.#reserve(size);
		this.bytes.write(text, start, text.length, 'latin1');
		this.bytes.fill(0, start + text.length, start + size);
	}

	/** @returns where the next `count` bytes begin */
	#reserve(count: number): number {
		const start = this.length;
		this.length += count;
		if (this.length > this.bytes.length) {
			const larger = Buffer.alloc(this.length * 2);
			this.bytes.copy(larger, 0, 0, start);
			this.bytes = larger;
		}
		return start;
	}
}

function octal(bytes: Buffer, at: number, digits: number, value: number): void {
	let left = value;
	let place = at + digits - 1;
	// Beyond the numbers that a shift takes. What is left then takes one, which is several times as fast.
	for (; left > 0x7fffffff; place--) {
		bytes[place] = 48 + (left % 8);
		left = Math.floor(left / 8);
	}
	for (; place >= at; place--) {
		bytes[place] = 48 + (left & 7);
		left >>= 3;
	}
}

/** The pax records that an entry needs: what its block cannot hold. */
function recordsOf(entry: Entry, path: Bytes, size: number, sparse: boolean, names: readonly Bytes[] | null): Bytes {
	const { target, user, group, uid = 0, gid = 0, mtime = '' } = entry;
	let records = '';
	if (!isPlain(path) || (target !== undefined && !isPlain(target))) {
		if (isBinary(path) || (target !== undefined && isBinary(target))) records += record('hdrcharset', 'BINARY');
		if (!isPlain(path)) records += record('path', path);
		if (target !== undefined && !isPlain(target)) records += record('linkpath', target);
	}
	if (!mtime.endsWith('.000000000') || mtime.startsWith('-') || Number(mtime) > MAX_SIZE)
		records += record('mtime', mtime);
	if (uid > MAX_ID) records += record('uid', String(uid));
	if (gid > MAX_ID) records += record('gid', String(gid));
	if (user !== undefined && !isPlain(user, MAX_OWNER)) records += record('uname', user);
	if (group !== undefined && !isPlain(group, MAX_OWNER)) records += record('gname', group);
	if (size > MAX_SIZE) records += record('size', String(size));
	if (sparse) {
		records += record('GNU.sparse.major', '1') + record('GNU.sparse.minor', '0');
		records += record('GNU.sparse.name', entry.path) + record('GNU.sparse.realsize', String(entry.size));
	}
	if (names) records += record('GNU.dumpdir', `${names.map((name) => `${name}\0`).join('')}\0`);
	return records;
}

/** A pax record. It begins with its own length in decimal digits, which count as well. */
export function record(key: string, value: Bytes): Bytes {
	const rest = key.length + value.length + 3;
	let length = rest + digits(rest);
	length = rest + digits(length);
	return `${length} ${key}=${value}\n`;
}

function digits(number: number): number {
	return String(number).length;
}

function isPlain(text: Bytes, most = MAX_NAME): boolean {
	return text.length <= most && PLAIN.test(text);
}

/** Whether bsdtar would change a name: one that is not UTF-8, or whose letters have their accents apart, which it puts together. */
function isBinary(name: Bytes): boolean {
	const text = nameToText(name);
	return text === null || text.normalize('NFC') !== text;
}

function shortened(name: Bytes): Bytes {
	return name.slice(0, MAX_NAME).replace(/[^\x20-\x7e]/g, '_');
}

/** The map of a file with holes, before its data: how many extents, and offset and length of each, in lines. */
function sparseMap({ extents = [], size = 0 }: Entry): string {
	const last = extents.at(-1);
	const isHoleAtEnd = !last || last[0] + last[1] < size;
	const all: Array<[number, number]> = isHoleAtEnd ? [...extents, [size, 0]] : extents;
	return [all.length, ...all.flat()].map((number) => `${number}\n`).join('');
}
