/** What is missing, and may not be lost: a bucket with versions keeps what was deleted. */
import { type BackupError, isBackupError } from '../base/errors';
import type { Storage } from '../storage/storage';

const HAVE_BACK =
	'Something was deleted there, and the bucket still has it: docs/append-only.md says how to have it back.';

/**
 * How to have back what was deleted below a prefix; null where the storage keeps nothing of it, or does not tell.
 * @returns a sentence
 */
export async function wayBack(storage: Storage, prefix: string): Promise<string | null> {
	try {
		return (await storage.hasDeleted?.(prefix)) ? HAVE_BACK : null;
	} catch (error) {
		// Few keys may ask for versions, and the error that this goes with counts for more.
		if (isBackupError(error)) return null;
		throw error;
	}
}

/** The same error, which also says so where what it misses was deleted below a prefix and is kept. */
export async function withWayBack(error: BackupError, storage: Storage, prefix: string): Promise<BackupError> {
	const hint = await wayBack(storage, prefix);
	return hint === null ? error : error.withHint(hint);
}
