/**
 * Headers of a tar in pax form (POSIX.1-2017, pax), with what GNU tar adds: `GNU.dumpdir` for incremental archives, `GNU.sparse.*` 1.0
 * for files with holes. The 512-byte blocks are made by the `tar` package; pax records are made here, since that
 * package knows times in milliseconds and names in UTF-8 only.
 */
import { Header } from 'tar';
import type { Entry } from '../entry.ts';
import { type Bytes, toText } from '../names.ts';

const BLOCK = 512;
/** The largest number that eleven octal digits hold, and seven. */
const MAX_SIZE = 0o77777777777;
const MAX_ID = 0o7777777;
/** Longer names, and others, are in pax records. */
const MAX_NAME = 100;
const PLAIN = /^[\x20-\x7e]*$/;

const TYPE_NAMES = {
	file: 'File',
	directory: 'Directory',
	symlink: 'SymbolicLink',
	link: 'Link',
	fifo: 'FIFO',
	character: 'CharacterDevice',
	block: 'BlockDevice',
} as const;
/** Types that an archive has. */
export type TarType = keyof typeof TYPE_NAMES;

/** The end of an archive. */
export const END_OF_ARCHIVE = new Uint8Array(2 * BLOCK);

/** How many zeros follow contents of a size, so that the next header begins a block. */
export function padding(size: number): number {
	return (BLOCK - (size % BLOCK)) % BLOCK;
}

/**
 * Everything that comes before an entry's contents.
 * @param stored bytes of contents that follow: for a file with holes, its extents
 * @param names of a directory in an incremental archive: each with `Y` (anything) or `D` (a directory) before it
 */
export function header(entry: Entry, type: TarType, stored: number, names: readonly Bytes[] | null = null): Buffer {
	const records = recordsOf(entry, type, names);
	const sparse = entry.extents && type === 'file' ? sparseMap(entry) : null;
	if (sparse) {
		records.push(
			['GNU.sparse.major', '1'],
			['GNU.sparse.minor', '0'],
			['GNU.sparse.name', entry.path],
			['GNU.sparse.realsize', String(entry.size)],
		);
	}
	const size = stored + (sparse?.length ?? 0);
	if (size > MAX_SIZE) records.push(['size', String(size)]);
	const blocks = [block(entry, type, size)];
	if (records.length > 0) {
		const body = Buffer.from(records.map(record).join(''), 'latin1');
		blocks.unshift(extended(body.length), body, Buffer.alloc(padding(body.length)));
	}
	if (sparse) blocks.push(sparse);
	return Buffer.concat(blocks);
}

/** The pax records that an entry needs: what its block cannot hold. */
function recordsOf(entry: Entry, type: TarType, names: readonly Bytes[] | null): Array<[string, Bytes]> {
	const { target, user, group, uid = 0, gid = 0 } = entry;
	const path = type === 'directory' ? `${entry.path}/` : entry.path;
	const records: Array<[string, Bytes]> = [];
	if (toText(path) === null || (target !== undefined && toText(target) === null))
		records.push(['hdrcharset', 'BINARY']);
	if (!isPlain(path)) records.push(['path', path]);
	if (target !== undefined && !isPlain(target)) records.push(['linkpath', target]);
	if (!isWhole(entry.mtime!)) records.push(['mtime', entry.mtime!]);
	if (uid > MAX_ID) records.push(['uid', String(uid)]);
	if (gid > MAX_ID) records.push(['gid', String(gid)]);
	if (user !== undefined && !isPlain(user, 31)) records.push(['uname', user]);
	if (group !== undefined && !isPlain(group, 31)) records.push(['gname', group]);
	if (names) records.push(['GNU.dumpdir', `${names.map((name) => `${name}\0`).join('')}\0`]);
	return records;
}

function isPlain(text: Bytes, most = MAX_NAME): boolean {
	return text.length <= most && PLAIN.test(text);
}

/** Whether a time fits into a block: whole seconds since 1970, in eleven octal digits. */
function isWhole(time: string): boolean {
	return time.endsWith('.000000000') && !time.startsWith('-') && Number(time.slice(0, -10)) <= MAX_SIZE;
}

/** A record begins with its own length in decimal digits, which count as well. */
function record([key, value]: [string, Bytes]): Bytes {
	const rest = ` ${key}=${value}\n`.length;
	let length = rest + String(rest).length;
	length = rest + String(length).length;
	return `${length} ${key}=${value}\n`;
}

function extended(size: number): Buffer {
	const buffer = Buffer.alloc(BLOCK);
	new Header({ path: 'PaxHeader', mode: 0o644, uid: 0, gid: 0, size, type: 'ExtendedHeader', mtime: EPOCH }).encode(
		buffer,
		0,
	);
	return buffer;
}

const EPOCH = new Date(0);

function block(
	{ path, target, mode, uid = 0, gid = 0, mtime, user, group, device }: Entry,
	type: TarType,
	size: number,
): Buffer {
	const buffer = Buffer.alloc(BLOCK);
	const name = type === 'directory' ? `${path}/` : path;
	const [devmaj, devmin] = device ?? [0, 0];
	new Header({
		// Where it is in a record, this is for people who look into the archive with something old.
		path: shortened(name),
		...(target !== undefined && { linkpath: shortened(target) }),
		mode,
		uid: Math.min(uid, MAX_ID),
		gid: Math.min(gid, MAX_ID),
		size: Math.min(size, MAX_SIZE),
		type: TYPE_NAMES[type],
		mtime: isWhole(mtime!) ? new Date(Number(mtime!.slice(0, -10)) * 1000) : secondsOf(mtime!),
		...(user !== undefined && isPlain(user, 31) && { uname: user }),
		...(group !== undefined && isPlain(group, 31) && { gname: group }),
		...{ devmaj, devmin },
	}).encode(buffer, 0);
	return buffer;
}

/** Whole seconds, where they fit. */
function secondsOf(time: string): Date {
	const seconds = Number(time.slice(0, time.indexOf('.')));
	return new Date(Math.min(Math.max(seconds, 0), 8_000_000_000) * 1000);
}

function shortened(name: Bytes): string {
	const ascii = name.replace(/[^\x20-\x7e]/g, '_');
	return ascii.length <= MAX_NAME ? ascii : ascii.slice(0, MAX_NAME);
}

/** The map of a file with holes, before its data: how many extents, and offset and length of each, in lines; padded. */
function sparseMap({ extents = [], size = 0 }: Entry): Buffer {
	const last = extents.at(-1);
	const isHoleAtEnd = !last || last[0] + last[1] < size;
	const all: Array<[number, number]> = isHoleAtEnd ? [...extents, [size, 0]] : extents;
	const text = [all.length, ...all.flat()].map((number) => `${number}\n`).join('');
	const map = Buffer.alloc(text.length + padding(text.length));
	map.write(text, 'latin1');
	return map;
}
