/**
 * Where keys lie below the base folder. The base may be reached through symbolic links (that is the administrator's
 * choice); below it none is followed: one that leads elsewhere would let objects leave the folder.
 */
import { realpathSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../base/errors';
import { errnoOf } from './errors';
import { assertKey, compareKeys, isKeySegment } from '../key';

/** A key's place on disk. */
export interface PlaceOnDisk {
	/** The base folder, without symbolic links. */
	base: string;
	/** The folder that holds the file. */
	dir: string;
	name: string;
	file: string;
}

/**
 * The base folder's real path. It is never created: a disk that is not mounted must not be filled below its mount point.
 * @throws BackupError 'bucket-not-found'
 */
export async function realBase(base: string): Promise<string> {
	try {
		const real = await fs.realpath(base);
		if ((await fs.stat(real)).isDirectory()) return real;
	} catch (error) {
		if (!isFileMissing(error)) throw error;
	}
	throw new BackupError('bucket-not-found', `the folder ${base} does not exist`, {
		hint: 'Create the folder, or mount the disk it lies on. It is not created by itself, so that a missing disk is noticed.',
	});
}

/** The folder without symbolic links; as it is called where it cannot be looked at. */
export function realIfThere(folder: string): string {
	try {
		return realpathSync(folder);
	} catch {
		return folder;
	}
}

/** @throws BackupError 'invalid-input', 'bucket-not-found' */
export async function placeOf(base: string, key: string): Promise<PlaceOnDisk> {
	assertKey(key);
	const real = await realBase(base);
	const segments = key.split('/');
	const name = segments.at(-1) ?? key;
	const dir = path.join(real, ...segments.slice(0, -1));
	return { base: real, dir, name, file: path.join(dir, name) };
}

/**
 * Whether a key's folder is there.
 * @throws BackupError 'access-denied' when a symbolic link lies on the way
 */
export async function fileExists({ dir }: PlaceOnDisk): Promise<boolean> {
	try {
		if ((await fs.realpath(dir)) !== dir) throw linked(dir);
		return true;
	} catch (error) {
		if (isFileMissing(error)) return false;
		throw error;
	}
}

/**
 * Makes a key's folder, one level at a time from the base, with nobody else allowed in.
 * @throws BackupError 'already-exists' when an object lies where a folder is needed, 'access-denied' for symbolic links
 */
export async function makeDir({ base, dir }: PlaceOnDisk): Promise<void> {
	let current = base;
	for (const segment of path.relative(base, dir).split(path.sep).filter(Boolean)) {
		const parent = current;
		current = path.join(current, segment);
		try {
			await fs.mkdir(current, 0o700);
			await syncDir(parent);
		} catch (error) {
			if (errnoOf(error) !== 'EEXIST') throw error;
			const stats = await fs.lstat(current);
			if (stats.isSymbolicLink()) throw linked(current);
			if (!stats.isDirectory()) {
				throw new BackupError('already-exists', `${current} is an object, so that nothing can be written below it`);
			}
		}
	}
}

/** Removes a folder and those above it, below the base, as long as they are empty. */
export async function tidyUp({ base, dir }: Pick<PlaceOnDisk, 'base' | 'dir'>): Promise<void> {
	for (let current = dir; current !== base; current = path.dirname(current)) {
		try {
			await fs.rmdir(current);
		} catch (error) {
			if (isFileMissing(error)) continue;
			// Not empty, or somebody else's folder: it stays, and so do those above it.
			if (['ENOTEMPTY', 'EEXIST', 'EACCES', 'EPERM', 'EBUSY', 'EROFS'].includes(errnoOf(error) ?? '')) return;
			throw error;
		}
	}
}

/** Makes the names in a folder survive a power failure. A folder that is gone has none. */
export async function syncDir(dir: string): Promise<void> {
	const handle = await fs.open(dir, 'r').catch((error: unknown) => {
		if (isFileMissing(error)) return null;
		throw error;
	});
	if (!handle) return;
	try {
		await handle.sync();
	} catch (error) {
		// Network and FUSE file systems without such a call keep names by themselves; there is nothing else to ask for.
		if (!['EINVAL', 'ENOTSUP', 'ENOSYS'].includes(errnoOf(error) ?? '')) throw error;
	} finally {
		await handle.close();
	}
}

export interface Found {
	key: string;
	dir: string;
	file: string;
}

/**
 * Every file whose key would start with `prefix`, by key ascending. Symbolic links, devices and names that cannot be
 * keys are left out; the caller says which names are.
 * @param keyName the last segment of the key that a file name stands for, or null to leave the file out
 */
export async function* walkFolder(
	base: string,
	prefix: string,
	keyName: (file: string) => string | null,
): AsyncGenerator<Found> {
	// Not recursive: of generators within generators, each would hand on everything that those below it find.
	const open = [{ dir: base, rest: (await sortedEntries(base, keyName, '')).reverse() }];
	for (;;) {
		const current = open.at(-1);
		if (!current) return;
		const next = current.rest.pop();
		if (!next) {
			open.pop();
			continue;
		}
		const { name, key } = next;
		const { dir } = current;
		if (!key.endsWith('/')) {
			// Not path.join, which looks at each part of the way again: there can be very many.
			if (key.startsWith(prefix)) yield { key, dir, file: `${dir}${path.sep}${name}` };
		} else if (key.startsWith(prefix) || prefix.startsWith(key)) {
			const below = path.join(dir, name);
			open.push({ dir: below, rest: (await sortedEntries(below, keyName, key)).reverse() });
		}
	}
}

/** What lies in a folder, by key. With its '/', a folder takes the place in the order of keys that its objects have. */
async function sortedEntries(
	dir: string,
	keyName: (file: string) => string | null,
	parent: string,
): Promise<Array<{ name: string; key: string }>> {
	const entries = await fs.readdir(dir, { withFileTypes: true }).catch((error: unknown) => {
		if (isFileMissing(error)) return []; // removed while we came here
		throw error;
	});
	const found = entries.flatMap((entry) => {
		if (entry.isDirectory())
			return isSubfolder(entry.name, parent) ? [{ name: entry.name, key: `${parent}${entry.name}/` }] : [];
		const segment = entry.isFile() ? keyName(entry.name) : null;
		return segment === null ? [] : [{ name: entry.name, key: `${parent}${segment}` }];
	});
	return found.sort((a, b) => compareKeys(a.key, b.key));
}

/** A disk's own lost+found, which only root may read, is no part of a storage at the disk's top. */
const isSubfolder = (name: string, parent: string) => isKeySegment(name) && !(parent === '' && name === 'lost+found');

/** ENOTDIR: a part of the way is a file, so that nothing can be there either. */
export function isFileMissing(error: unknown): boolean {
	return ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
}

function linked(dir: string): BackupError {
	return new BackupError('access-denied', `${dir} is reached through a symbolic link`, {
		hint: 'Links inside the folder are not followed. Use real folders, or set the link’s target as the storage’s folder.',
	});
}
