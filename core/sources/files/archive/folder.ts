/**
 * A directory held open while it is read. On Linux its entries are reached through its descriptor, so that nobody can put a link in the
 * place of a directory meanwhile and have the files of somebody else archived; and so that paths can be longer than the 4,096 bytes
 * that the system takes.
 */
import fs from 'node:fs';
import { type Bytes, toFs } from '../names.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
const BY_DESCRIPTOR = process.platform === 'linux' && fs.existsSync('/proc/self/fd');

/** Names in a directory, by what can be made of them. */
export interface FolderNames {
	files: Bytes[];
	directories: Bytes[];
	sockets: Bytes[];
	/** Those of `files` that are no regular files: links, FIFOs, devices. */
	odd: Set<Bytes>;
}

export class Folder {
	readonly fd: number;
	readonly #prefix: Bytes;

	/** @param path of the directory itself; a link is refused */
	constructor(path: Bytes) {
		this.fd = fs.openSync(toFs(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		this.#prefix = BY_DESCRIPTOR ? `/proc/self/fd/${this.fd}` : path;
	}

	/** Where an entry is, for `node:fs`. */
	at(name: Bytes): Bytes {
		return `${this.#prefix}/${name}`;
	}

	stat(): fs.BigIntStats {
		return fs.fstatSync(this.fd, { bigint: true });
	}

	/** What is in it: names of directories, of sockets, and of everything else. */
	names(): FolderNames {
		const names: FolderNames = { files: [], directories: [], sockets: [], odd: new Set() };
		// With a dot: the descriptor is a link, which must be followed.
		for (const entry of fs.readdirSync(toFs(this.at('.')), { encoding: 'latin1', withFileTypes: true })) {
			const { files, directories, sockets } = names;
			(entry.isDirectory() ? directories : entry.isSocket() ? sockets : files).push(entry.name);
			if (!entry.isFile()) names.odd.add(entry.name);
		}
		return names;
	}

	close(): void {
		fs.closeSync(this.fd);
	}
}

/** What is there, links not followed; null where nothing is. */
export function lookAt(path: Bytes): fs.BigIntStats | null {
	return fs.lstatSync(toFs(path), { bigint: true, throwIfNoEntry: false }) ?? null;
}
