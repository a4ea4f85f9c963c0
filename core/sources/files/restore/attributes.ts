/** Gives what was restored the owner, the mode and the time that it had. */
import fs from 'node:fs';
import { namesIn } from '../archive/attributes.ts';
import type { Entry } from '../entry.ts';
import { type Bytes, toFs } from '../names.ts';
import type { Owners } from './messages.ts';

/** Sets attributes, as far as they are wanted. */
export class AttributeSetter {
	readonly #owners: Owners;
	readonly #users: Map<string, number>;
	readonly #groups: Map<string, number>;

	constructor(owners: Owners) {
		this.#owners = owners;
		this.#users = owners === 'names' ? inverted(namesIn('/etc/passwd')) : new Map<string, number>();
		this.#groups = owners === 'names' ? inverted(namesIn('/etc/group')) : new Map<string, number>();
	}

	/** Permission bits: those that lend rights of the owner only where the owner is restored too. */
	modeOf({ mode = 0, type }: Entry): number {
		if (this.#owners !== 'no') return mode;
		return mode & (type === 'directory' ? 0o1777 : 0o777);
	}

	/** The owner, or null where nobody asked for it. */
	ownerOf({ uid = 0, gid = 0, user, group }: Entry): { uid: number; gid: number } | null {
		if (this.#owners === 'no') return null;
		if (this.#owners === 'numbers') return { uid, gid };
		return { uid: this.#users.get(user ?? '') ?? uid, gid: this.#groups.get(group ?? '') ?? gid };
	}

	/** Of an open file or directory: the owner first, since a change of owner takes setuid away; the time last. */
	setByDescriptor(fd: number, entry: Entry): void {
		const owner = this.ownerOf(entry);
		if (owner) fs.fchownSync(fd, owner.uid, owner.gid);
		fs.fchmodSync(fd, this.modeOf(entry));
		fs.futimesSync(fd, Number(entry.mtime), Number(entry.mtime));
	}

	/** Of a symlink, which has no mode. */
	setOfLink(path: Bytes, entry: Entry): void {
		const owner = this.ownerOf(entry);
		if (owner) fs.lchownSync(toFs(path), owner.uid, owner.gid);
		fs.lutimesSync(toFs(path), Number(entry.mtime), Number(entry.mtime));
	}
}

function inverted(names: ReadonlyMap<number, string>): Map<string, number> {
	return new Map([...names].map(([number, name]) => [name, number]));
}
