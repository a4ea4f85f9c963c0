/** Indexes of a chain as files of a temporary folder, where blocking code can read them. */
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { OpenBackup } from '../source';
import { toError } from './faults';
import { indexOf } from './parts';
import { isFull, noTemporarySpace } from './thread-faults';

/**
 * Unpacks the indexes of a backup and of its parents.
 * @returns the files, that of the backup first, then those of its parents, nearest first: as `mergeIndexes` takes them
 * @throws BackupError as opening a part does; 'storage-full' where there is no space for temporary files
 */
export async function spoolIndexes(backup: OpenBackup, folder: string, signal: AbortSignal): Promise<string[]> {
	const files: string[] = [];
	for (const each of [backup, ...backup.parents]) {
		const file = path.join(folder, `index-${files.length}`);
		const body = await each.open(indexOf(each.manifest));
		const into = fs.createWriteStream(file, { mode: 0o600 });
		await pipeline(body, into, { signal }).catch((error: unknown) => {
			throw error === into.errored && isFull(error) ? toError(noTemporarySpace()) : error;
		});
		files.push(file);
	}
	return files;
}
