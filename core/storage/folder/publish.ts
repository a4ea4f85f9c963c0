/** Giving a finished file its name without ever replacing another one. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { errnoOf } from './errors';
import { isFileMissing, syncDir, type PlaceOnDisk } from './paths';

/**
 * How file systems say that they have no hard links. EIO is what rclone's and some other mounts in user space answer; where
 * it does mean a broken disk, the rename that is tried instead says so.
 */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EIO'];

/**
 * Gives a finished file its name, so that it survives a power failure. The temporary name may be left.
 * @returns false when the name was taken
 */
export async function publish(temporary: string, place: PlaceOnDisk): Promise<boolean> {
	if (!(await link(temporary, place))) return false;
	try {
		await syncDir(place.dir);
		return true;
	} catch (error) {
		await fs.rm(place.file, { force: true });
		throw error;
	}
}

async function link(temporary: string, place: PlaceOnDisk): Promise<boolean> {
	try {
		await fs.link(temporary, place.file);
		return true;
	} catch (error) {
		if (errnoOf(error) === 'EEXIST') return false;
		if (NO_LINKS.includes(errnoOf(error) ?? '')) return await renameGuarded(temporary, place);
		throw error;
	}
}

/**
 * For FAT and some network shares. rename(2) would replace an existing file, so that a second name, which only one
 * writer can create, guards the look and the rename. A writer killed in between leaves it; `removeUnfinished` removes it.
 */
async function renameGuarded(temporary: string, place: PlaceOnDisk): Promise<boolean> {
	const guard = path.join(place.dir, `.${place.name}.publish`);
	try {
		await (await fs.open(guard, 'wx', 0o600)).close();
	} catch (error) {
		if (errnoOf(error) === 'EEXIST') return false;
		throw error;
	}
	try {
		if (await exists(place.file)) return false;
		await fs.rename(temporary, place.file);
		return true;
	} finally {
		await fs.rm(guard, { force: true });
	}
}

async function exists(file: string): Promise<boolean> {
	try {
		await fs.lstat(file);
		return true;
	} catch (error) {
		if (isFileMissing(error)) return false;
		throw error;
	}
}
