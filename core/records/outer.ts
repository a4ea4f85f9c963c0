/** Storages that lie in another one: its retention, its copies and its lists would take the backups of both for one. */
import { BackupError, isBackupError } from '../base/errors';
import { limitStorage } from '../storage/limited';
import type { Storage } from '../storage/storage';
import { REPOSITORY_KEY } from './layout';
import { readText } from './small-objects';

/** It is one look at each level, and only before the first backup and in checks. */
const PATIENCE_MS = 20_000;

/**
 * Refuses a storage that lies in a folder or below a prefix in which others keep backups already.
 * @throws BackupError 'invalid-input'; 'cancelled'
 */
export async function assertNotInside(storage: Storage, signal?: AbortSignal): Promise<void> {
	for (const outer of storage.outer?.() ?? []) {
		try {
			if (!(await isRepository(outer, signal))) continue;
		} finally {
			await outer.close();
		}
		throw new BackupError('invalid-input', `${storage.location} lies in the storage ${outer.location}`, {
			hint: 'Choose a folder or prefix beside it, or that storage itself: it can hold any number of groups.',
		});
	}
}

async function isRepository(outer: Storage, signal?: AbortSignal): Promise<boolean> {
	try {
		const limited = limitStorage(outer, { signal, stallTimeoutMs: PATIENCE_MS });
		const { format, id } = JSON.parse(await readText(limited, REPOSITORY_KEY, signal)) as Record<string, unknown>;
		return typeof format === 'number' && typeof id === 'string';
	} catch (error) {
		if (signal?.aborted) throw error;
		// What may not be looked at, or is something else, says nothing against the storage in it.
		if (isBackupError(error) || error instanceof SyntaxError || error instanceof TypeError) return false;
		throw error;
	}
}
