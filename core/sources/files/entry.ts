/**
 * The index of an archive: one line of JSON per entry, in the order of `keyOf`, which is the order of the archive. The index of a
 * differential or incremental backup has the lines of what it stores, and of what is gone since its parent; `merge.ts` puts those
 * of a chain together.
 */
import { Fault } from './fault.ts';
import { type Bytes, fromText, isAscii, sortKey, nameToText } from './names.ts';
import { assertObject, keyOfObject, type ObjectFacts } from './object.ts';

/** Types of entries, and the two that say that there is nothing any more. */
export const ENTRY_TYPES = [
	'file',
	'directory',
	'symlink',
	'link',
	'fifo',
	'character',
	'block',
	'gone',
	'gone-directory',
] as const;
export type EntryType = (typeof ENTRY_TYPES)[number];

/** Rows of a SQLite database that was copied consistently, by table, and what its integrity check said. */
export interface SqliteFacts {
	/** `ok`, or what is wrong with it. */
	integrity: string[];
	rows: Record<string, number>;
}

/** What an index says of one path. */
export interface Entry {
	/** Without a slash at its beginning or end. */
	path: Bytes;
	type: EntryType;
	/** Permission bits with setuid, setgid and sticky; absent where it is gone. */
	mode?: number;
	uid?: number;
	gid?: number;
	/** Names of owner and group on the host where the backup was made; absent where it knows none. */
	user?: string;
	group?: string;
	/** Seconds since 1970, with nine digits behind the point. */
	mtime?: string;
	ctime?: string;
	/** Inode number, in decimal digits. */
	ino?: string;
	/** Bytes of a file. */
	size?: number;
	/** Of the contents of a file, holes included, in hexadecimal digits. */
	sha256?: string;
	/** Where the contents begin in the data of the backup that holds them, in original bytes. */
	at?: number;
	/** Which parent of this backup holds the contents: 1 is the nearest; absent for this backup itself. */
	in?: number;
	/** Of a file with holes: where its data are, as pairs of offset and length. Only these are stored, one after the other. */
	extents?: Array<[number, number]>;
	/** What a symlink says; of a link, the path of the entry that has the contents. */
	target?: Bytes;
	/** Major and minor number of a device. */
	device?: [number, number];
	/** Of a directory: a digest of the names in it. */
	listing?: string;
	/** It went on changing while it was read: the contents are a mixture. */
	changed?: true;
	/** It is a SQLite database, and this is a consistent copy of it. */
	sqlite?: SqliteFacts;
	/** Of a SQLite database: size and time of its write-ahead log, which holds changes that the file itself does not show. */
	log?: string;
	/** It was an object of a bucket, and this is what the bucket knows of it. */
	object?: ObjectFacts;
}

/** Whether an entry says that there is nothing any more. */
export function isGone({ type }: Entry): boolean {
	return type === 'gone' || type === 'gone-directory';
}

/** The key by which entries are sorted: objects by their names in the bucket, as S3 lists them. */
export function entrySortKey({ path, type, object }: Entry): string {
	if (object) return keyOfObject(object);
	return sortKey(path, type === 'directory' || type === 'gone-directory');
}

/** One line of an index, with its end. */
export function formatEntry(entry: Entry): string {
	const { path, target } = entry;
	// Most names are ASCII, and there may be millions.
	if (isAscii(path) && (target === undefined || isAscii(target))) return `${JSON.stringify(entry)}\n`;
	const { path: _, target: __, ...rest } = entry;
	const line = { ...named('path', path), ...(target !== undefined && named('target', target)), ...rest };
	return `${JSON.stringify(line)}\n`;
}

/** A name under its own key as text, or in base64 under another one where it is not UTF-8. */
function named(key: string, name: Bytes): Record<string, string> {
	const text = nameToText(name);
	return text === null ? { [`${key}Base64`]: Buffer.from(name, 'latin1').toString('base64') } : { [key]: text };
}

const TYPES: ReadonlySet<string> = new Set(ENTRY_TYPES);
const TIME = /^-?\d{1,20}\.\d{9}$/;
const DIGITS = /^\d{1,20}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Reads one line. Whoever can write to the storage of an unsigned backup without encryption can write anything here, so that each member is
 * looked at.
 * @throws Fault 'damaged'
 */
export function parseEntry(line: string): Entry {
	let data: Record<string, unknown>;
	try {
		data = JSON.parse(line) as Record<string, unknown>;
	} catch {
		throw damaged('is not JSON');
	}
	if (typeof data !== 'object' || data === null) throw damaged('is not an entry');
	const { path, pathBase64, target, targetBase64, ...rest } = data;
	const entry = rest as unknown as Entry;
	entry.path = readName(path, pathBase64, 'path');
	if (!isSafePath(entry.path)) throw damaged('has a path that leads out of the archive');
	if (target !== undefined || targetBase64 !== undefined) entry.target = readName(target, targetBase64, 'target');
	assertMembers(entry);
	return entry;
}

function readName(text: unknown, base64: unknown, key: string): Bytes {
	if (typeof text === 'string' && base64 === undefined) return fromText(text);
	if (typeof base64 === 'string' && text === undefined) return Buffer.from(base64, 'base64').toString('latin1');
	throw damaged(`has no ${key}`);
}

/** Whether a path is relative, has no empty, `.` or `..` segment, and no NUL. */
export function isSafePath(path: Bytes): boolean {
	if (path.includes('\0')) return false;
	return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}

function assertMembers(entry: Entry): void {
	const { type, object } = entry;
	if (!TYPES.has(type)) throw damaged('has an unknown type');
	if (object !== undefined) {
		assertObject(object, isGone(entry));
		if (type !== 'file' && type !== 'gone') throw damaged('has an object that is no file');
	}
	if (isGone(entry)) return;
	const { mode, uid, gid, mtime, ctime, ino, user, group } = entry;
	if (!isNumber(mode, 0o7777) || !isNumber(uid) || !isNumber(gid)) throw damaged('has no owner or mode');
	if (!matches(TIME, mtime)) throw damaged('has no times');
	if (object === undefined && (!matches(TIME, ctime) || !matches(DIGITS, ino))) throw damaged('has no times');
	if (!isOptionalText(user) || !isOptionalText(group)) throw damaged('has an owner that is not text');
	if (type === 'file') assertFile(entry);
	if ((type === 'symlink' || type === 'link') && entry.target === undefined) throw damaged('has no target');
	if (type === 'link' && !isSafePath(entry.target!)) throw damaged('is a link that leads out of the archive');
	if ((type === 'character' || type === 'block') && !entry.device?.every((number) => isNumber(number))) {
		throw damaged('has no device number');
	}
}

function assertFile({ size, sha256, at, in: holder, extents }: Entry): void {
	if (!isNumber(size) || !isNumber(at) || !matches(SHA256, sha256)) throw damaged('has no contents');
	if (holder !== undefined && (!isNumber(holder, 1000) || holder === 0)) throw damaged('has its contents nowhere');
	if (extents === undefined) return;
	if (!Array.isArray(extents)) throw damaged('has holes that cannot be');
	let end = 0;
	for (const [offset, length] of extents) {
		if (!isNumber(offset) || !isNumber(length) || offset < end) throw damaged('has holes that cannot be');
		end = offset + length;
	}
	if (end > size) throw damaged('has holes that cannot be');
}

function isNumber(value: unknown, most = Number.MAX_SAFE_INTEGER): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

function matches(pattern: RegExp, value: unknown): value is string {
	return typeof value === 'string' && pattern.test(value);
}

function isOptionalText(value: unknown): boolean {
	return value === undefined || typeof value === 'string';
}

function damaged(why: string): Fault {
	return new Fault('damaged', `a line of the index ${why}`, 'No program of ours writes that. Use another backup.');
}

/** Bytes of a file that are stored: all of them, or those beside its holes. */
export function storedSize({ size = 0, extents }: Entry): number {
	return extents ? extents.reduce((sum, [, length]) => sum + length, 0) : size;
}
