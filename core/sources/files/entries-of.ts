/** The entries of a backup of files with its chain, for code that must not block. */
import { setImmediate as turn } from 'node:timers/promises';
import { BackupError } from '../../base/errors';
import { createTemporaryFolder, removeTemporaryFolder } from '../../base/temporary-folder';
import type { OpenBackup } from '../source';
import type { FilesContents } from './contents';
import { Fault } from './fault';
import { toError } from './faults';
import { FILES } from './kind';
import { mergeIndexes, type MergedEntry } from './merge';
import { spoolIndexes } from './spool';

/** So many entries are read before others get their turn. */
const ENTRIES_PER_TURN = 2000;

/**
 * Gives what a backup holds, in the order of its index, and lets others have their turn meanwhile.
 * @throws BackupError 'invalid-input' for a backup of something else; those of opening its parts
 */
export async function* entriesOf(
	backup: OpenBackup,
	signal: AbortSignal,
): AsyncGenerator<MergedEntry, void, undefined> {
	assertIndexed(backup);
	const folder = await createTemporaryFolder('archive');
	try {
		const files = await spoolIndexes(backup, folder, signal);
		let count = 0;
		for (const entry of mergeIndexes(files)) {
			if (++count % ENTRIES_PER_TURN === 0) {
				await turn();
				signal.throwIfAborted();
			}
			yield entry;
		}
	} catch (error) {
		throw error instanceof Fault ? toError(error) : error;
	} finally {
		await removeTemporaryFolder(folder);
	}
}

/** @throws BackupError 'invalid-input' for a backup of something else: files have an index, and so do objects of a bucket */
function assertIndexed({ manifest: { group, label, parts } }: OpenBackup): void {
	if (parts.some(({ role }) => role === 'index')) return;
	throw new BackupError('invalid-input', `${group}/${label} is not a backup of files`, {
		hint: 'Only archives of files and of buckets can be listed. Restore the backup, or look at its manifest.',
	});
}

/** @throws BackupError 'invalid-input' for a backup of something else */
export function assertFiles(backup: OpenBackup): asserts backup is OpenBackup<FilesContents> {
	const { group, label, source } = backup.manifest;
	if (source.kind !== FILES) {
		throw new BackupError('invalid-input', `${group}/${label} is not a backup of files`, {
			hint: 'Only archives of files can be listed. Restore the backup, or look at its manifest.',
		});
	}
}
