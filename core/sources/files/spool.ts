/** Indexes of a chain as files of a temporary folder, where blocking code can read them. */
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { OpenBackup } from '../source';
import type { FilesContents } from './contents';
import { indexOf } from './parts';

/**
 * Unpacks the indexes of a backup and of its parents.
 * @returns the files, that of the backup first, then those of its parents, nearest first: as `mergeIndexes` takes them
 * @throws BackupError as opening a part does
 */
export async function spoolIndexes(
	backup: OpenBackup<FilesContents>,
	folder: string,
	signal: AbortSignal,
): Promise<string[]> {
	const files: string[] = [];
	for (const each of [backup, ...backup.parents]) {
		const file = path.join(folder, `index-${files.length}`);
		const body = await each.open(indexOf(each.manifest));
		await pipeline(body, fs.createWriteStream(file, { mode: 0o600 }), { signal });
		files.push(file);
	}
	return files;
}
