/** Blocks of a tar as the server writes it: plain `ustar`, files and folders, one after the other. */
import { Header } from 'tar';
import { BackupError } from '../../../../base/errors';
import { pathOf } from '../base/tar-reader';

const BLOCK = 512;

/** Two blocks of zeros; memory of their own each time, since chunks belong to whoever takes them. */
export function tarEnd(): Buffer {
	return Buffer.alloc(2 * BLOCK);
}

export interface TarredEntry {
	path: string;
	isFolder?: boolean;
	size?: number;
	/** Seconds since 1970. */
	mtime: number;
	/** A group of the server's may read its files. */
	forGroup: boolean;
}

/**
 * What stands before the bytes of a file. Sizes and times that no octal number holds are written to base 256, as the server does it.
 * @throws BackupError 'unsupported' for a path that a header has no room for; the server refuses such a file as well
 */
export function tarHeader({ path, isFolder = false, size = 0, mtime, forGroup }: TarredEntry): Buffer {
	const block = Buffer.alloc(BLOCK);
	const own = isFolder ? 0o700 : 0o600;
	const header = new Header({
		...{ path: isFolder ? `${path}/` : path, type: isFolder ? 'Directory' : 'File', size },
		...{ mode: forGroup ? own | (isFolder ? 0o050 : 0o040) : own, mtime: new Date(mtime * 1000) },
		...{ uid: 0, gid: 0, uname: 'postgres', gname: 'postgres' },
	});
	// It says that something is better put into a pax record, also where a name is not ASCII: what stands there decides.
	header.encode(block, 0);
	if (pathOf(block) === path) return block;
	throw new BackupError('unsupported', `the server has a file with too long a name: ${path.slice(0, 300)}`, {
		hint: 'No server has such files of its own. Move it out of the server’s folder.',
	});
}

/** What fills the last block behind the bytes of a file. */
export function tarFilling(size: number): Buffer {
	return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}
