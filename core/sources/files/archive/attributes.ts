/** From what the system says of a file to what an index says of it. */
import fs from 'node:fs';
import type { Entry, EntryType } from '../entry.ts';
import { fromText } from '../names.ts';

/** Everything but the type: owner, mode, times, inode. */
export type Attributes = Required<Pick<Entry, 'mode' | 'uid' | 'gid' | 'mtime' | 'ctime' | 'ino'>> &
	Pick<Entry, 'user' | 'group'>;

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFCHR, S_IFBLK } = fs.constants;

const TYPES = new Map([
	[S_IFREG, 'file'],
	[S_IFDIR, 'directory'],
	[S_IFLNK, 'symlink'],
	[S_IFIFO, 'fifo'],
	[S_IFCHR, 'character'],
	[S_IFBLK, 'block'],
] as const);

/** The type, or null for a socket and what nobody knows. */
export function typeOf(stats: fs.BigIntStats): Exclude<EntryType, 'link' | 'gone' | 'gone-directory'> | null {
	return TYPES.get(Number(stats.mode) & S_IFMT) ?? null;
}

/** A time in nanoseconds as seconds with nine digits behind the point, before 1970 as well. */
export function nanosecondsText(nanoseconds: bigint): string {
	if (nanoseconds >= 1_000_000_000n) {
		const text = String(nanoseconds);
		return `${text.slice(0, -9)}.${text.slice(-9)}`;
	}
	const digits = String(nanoseconds < 0n ? -nanoseconds : nanoseconds).padStart(10, '0');
	return `${nanoseconds < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

/** Names of users and groups on this host. */
export class OwnerNames {
	readonly #users = namesIn('/etc/passwd');
	readonly #groups = namesIn('/etc/group');

	attributesOf(stats: fs.BigIntStats): Attributes {
		const uid = Number(stats.uid);
		const gid = Number(stats.gid);
		const user = this.#users.get(uid);
		const group = this.#groups.get(gid);
		const mode = Number(stats.mode) & 0o7777;
		const mtime = nanosecondsText(stats.mtimeNs);
		const ctime = nanosecondsText(stats.ctimeNs);
		const ino = String(stats.ino);
		// The usual case without a spread, which takes as long as a call of the system.
		if (user !== undefined && group !== undefined) return { mode, uid, gid, user, group, mtime, ctime, ino };
		return {
			mode,
			uid,
			gid,
			...(user !== undefined && { user }),
			...(group !== undefined && { group }),
			mtime,
			ctime,
			ino,
		};
	}
}

/** Names by number. Name and number are the first and the third field of each line (passwd(5), group(5)). A host without the file has no names. */
export function namesIn(file: string): Map<number, string> {
	const names = new Map<number, string>();
	let text: string;
	try {
		text = fs.readFileSync(file, 'utf8');
	} catch {
		return names;
	}
	for (const line of text.split('\n')) {
		const [name, , number] = line.split(':');
		const id = Number(number);
		if (name && number && Number.isSafeInteger(id) && !names.has(id)) names.set(id, fromText(name));
	}
	return names;
}

/** Device numbers as Linux puts them into one (makedev(3)). */
export function deviceOf({ rdev }: fs.BigIntStats): [number, number] {
	const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
	const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
	return [Number(major), Number(minor & 0xffffffffn)];
}

/** What of two entries must be the same, beside their change time and inode, for nothing to have changed. */
export const UNCHANGING = ['mode', 'uid', 'gid', 'mtime'] as const;

/** Whether anything of an entry has changed, its contents perhaps. */
export function isChanged(before: Entry, now: Pick<Entry, (typeof UNCHANGING)[number] | 'ctime' | 'ino'>): boolean {
	return before.ctime !== now.ctime || before.ino !== now.ino || UNCHANGING.some((name) => before[name] !== now[name]);
}
