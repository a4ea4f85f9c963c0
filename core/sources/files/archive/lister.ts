/** What of a directory is archived, in the order of the archive: without what patterns, tags, sizes and file systems leave out. */
import type fs from 'node:fs';
import type { Bytes } from '../names.ts';
import { excluder, isTagged } from './excludes.ts';
import { type Folder, lookAt } from './folder.ts';
import type { ArchiveOptions } from './messages.ts';
import type { Record } from './record.ts';

/** A directory of the walk. The device is the file system of its root. */
export interface WalkedFolder {
	folder: Folder;
	/** As it is named in the archive. */
	path: Bytes;
	root: Bytes;
	device: bigint;
}

/** What is in a directory, sorted, and as an incremental archive lists it. */
export interface Names {
	files: Bytes[];
	directories: Bytes[];
	listing: Bytes[];
	/** Those of `files` that are no regular files. */
	odd: ReadonlySet<Bytes>;
}

/** Lists directories. */
export class Lister {
	readonly #options: ArchiveOptions;
	readonly #record: Record;
	readonly #isExcluded: ReturnType<typeof excluder>;

	constructor(options: ArchiveOptions, record: Record) {
		this.#options = options;
		this.#record = record;
		this.#isExcluded = excluder(options.exclude);
	}

	/** What of a directory is archived. What is left out is noted. */
	namesOf({ folder, path, root, device }: WalkedFolder): Names {
		if (this.#options.oneFileSystem && folder.stat().dev !== device) {
			this.#record.remark(path, 'other-file-system');
			return { files: [], directories: [], listing: [], odd: new Set() };
		}
		const all = folder.names();
		const tagged = this.#options.skipTagged && isTagged(all.files);
		const below = path === root ? '' : `${path.slice(root.length + 1)}/`;
		const isIn = (name: Bytes, isDirectory: boolean) => {
			const isOut = tagged ? isDirectory || !isTagged([name]) : this.#isExcluded(`${below}${name}`, isDirectory);
			if (isOut) this.#record.leftOut(`${path}/${name}`);
			return !isOut;
		};
		const files = all.files.filter((name) => isIn(name, false) && !this.#isLeftOut(folder, path, name)).sort();
		for (const name of all.sockets) if (isIn(name, false)) this.#record.remark(`${path}/${name}`, 'socket');
		const directories = all.directories.filter((name) => isIn(name, true));
		const listing = listingOf(files, directories.sort());
		directories.sort(bySlash);
		return { files, directories, listing, odd: all.odd };
	}

	/** A file that is too large must not be in the list of names, or a restore by hand would keep the one of a backup before. */
	#isLeftOut(folder: Folder, path: Bytes, name: Bytes): boolean {
		if (this.#options.maxFileBytes === null) return false;
		const stats = lookAt(folder.at(name));
		if (!stats || !this.isTooLarge(stats)) return false;
		this.#record.remark(`${path}/${name}`, 'too-large');
		return true;
	}

	/** Whether an option leaves it out for its size. */
	isTooLarge(stats: fs.BigIntStats): boolean {
		const { maxFileBytes } = this.#options;
		return maxFileBytes !== null && stats.isFile() && stats.size > BigInt(maxFileBytes);
	}
}

/** As GNU tar wants it, which looks a name up by halving: both in one order. @param directories sorted by their names */
function listingOf(files: readonly Bytes[], directories: readonly Bytes[]): Bytes[] {
	const listing: Bytes[] = [];
	let next = 0;
	for (const name of files) {
		for (; next < directories.length && directories[next]! < name; next++) listing.push(`D${directories[next]}`);
		listing.push(`Y${name}`);
	}
	for (; next < directories.length; next++) listing.push(`D${directories[next]}`);
	return listing;
}

/** In the order of their keys, in which a slash follows the name. */
function bySlash(a: Bytes, b: Bytes): number {
	return `${a}/` < `${b}/` ? -1 : 1;
}
