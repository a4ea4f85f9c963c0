/** Removes small records that nobody asks for any more. */
import { isBackupError } from '../base/errors';
import type { Storage } from '../storage/storage';

/**
 * Removes what is older than so many milliseconds, by this machine's clock: an hour less, or more, does no harm. What may not be removed stays,
 * which is no reason to fail.
 * @param prefix of the keys
 * @throws BackupError of the storage
 */
export async function forgetOld(
	storage: Storage,
	prefix: string,
	{ olderThanMs, signal }: { olderThanMs: number; signal?: AbortSignal },
): Promise<void> {
	if (storage.appendOnly) return;
	const oldest = Date.now() - olderThanMs;
	for await (const { key, modifiedAt } of storage.list(prefix, { signal })) {
		if (modifiedAt.getTime() >= oldest) continue;
		try {
			await storage.remove(key, { signal });
		} catch (error) {
			if (!isBackupError(error, 'protected', 'access-denied')) throw error;
		}
	}
}
