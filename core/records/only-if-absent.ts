/** Whether a storage can promise that of several writers of one object only one wins: found out once, and remembered with the repository. */
import { isBackupError } from '../base/errors';
import type { OnlyIfAbsent, Storage } from '../storage/storage';
import { withProbe } from './probe';

/** Where nothing is promised, who wrote waits for so long, and looks whether somebody else has written over it at the same moment. Milliseconds. */
export const SETTLE_MS = 2_000;

/** Whether who wrote has to look again. Undefined where nobody has found out: then it is taken for promised. */
export function isUnsure(found: OnlyIfAbsent | undefined): boolean {
	return found === 'ignored' || found === 'refused';
}

/**
 * Finds it out by means of a small object.
 * @returns undefined for storages that always promise it, and where keys may not remove the object again: there are no locks
 */
export async function findOnlyIfAbsent(storage: Storage, signal?: AbortSignal): Promise<OnlyIfAbsent | undefined> {
	if (!storage.onlyIfAbsent || storage.appendOnly) return undefined;
	let found: OnlyIfAbsent | undefined;
	const words = 'n8n-nodes-backup was here to see what this storage promises; this file can be removed';
	try {
		await withProbe(
			storage,
			words,
			async (key) => {
				found = await storage.onlyIfAbsent?.(key, { signal });
			},
			signal,
		);
	} catch (error) {
		// The object stays where it may not be removed. Who makes a backup meets that again, and says so there.
		if (!isBackupError(error, 'access-denied') && !isBackupError(error, 'protected')) throw error;
	}
	return found;
}

/** What was found, and what that means, for people; continues a sentence. */
export function describeOnlyIfAbsent(found: OnlyIfAbsent): string {
	if (found === 'kept') return 'of several runs that write the same object at once, one wins';
	const does = found === 'ignored' ? 'ignores' : 'refuses';
	return `the server ${does} "only if absent" (If-None-Match of S3, the rename of SFTP), so that it cannot promise that one of several runs wins: each waits ${SETTLE_MS / 1000} s and looks whether its lock is still its own. Where several workers run n8n, do not let two of them back up the same source in the same moment`;
}
