/** Files that are no objects yet: how they are named, made, and found when their writer was killed. */
import { randomBytes } from 'node:crypto';
import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { errnoOf } from './errors';
import { isFileMissing, makeDir, walkFolder, type Found, type PlaceOnDisk } from './paths';
import type { Unfinished } from '../storage';

/** `.<name>.<random>.partial` while being written; `.<name>.publish` while getting its name without link(2). */
const LEFTOVER = /^\.(.+)\.(?:[0-9a-f]{12}\.partial|publish)$/;

/** A new file next to the one to be. A neighbour that is being tidied up may take the folder away: then once more. */
export async function createTemporary(place: PlaceOnDisk): Promise<[FileHandle, string]> {
	for (let attempt = 1; ; attempt++) {
		const temporary = path.join(place.dir, `.${place.name}.${randomBytes(6).toString('hex')}.partial`);
		try {
			await makeDir(place);
			return [await fs.open(temporary, 'wx', 0o600), temporary];
		} catch (error) {
			if (errnoOf(error) !== 'ENOENT' || attempt === 10) throw error;
		}
	}
}

/** Temporary files below a prefix. What is finished or removed meanwhile is left out. */
export async function* leftovers(base: string, prefix: string): AsyncGenerator<Found & Unfinished> {
	for await (const found of walkFolder(base, prefix, (file) => LEFTOVER.exec(file)?.[1] ?? null)) {
		const stats = await fs.lstat(found.file).catch((error: unknown) => {
			if (isFileMissing(error)) return null;
			throw error;
		});
		if (stats) yield { ...found, startedAt: stats.mtime };
	}
}
