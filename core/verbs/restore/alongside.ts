/** Backups that are used beside the one that is restored, and whether all that is needed is there. */
import { BackupError } from '../../base/errors';
import { DEFAULT_LIMITS } from '../../base/limits';
import { withWayBack } from '../../records/deleted';
import { objectKey } from '../../records/layout';
import type { Manifest } from '../../records/manifest';
import type { OpenBackup } from '../../sources/source';
import type { Storage } from '../../storage/storage';
import { openBackup, type OpenOptions } from '../open-backup';
import type { RestoreRequest } from './types';

/** Opens each when the one before has been used, so that thousands of them need no more memory than one. */
export async function* openAlongside(
	{ group, labels }: NonNullable<RestoreRequest['alongside']>,
	options: OpenOptions,
): AsyncGenerator<OpenBackup> {
	const { repository, signal } = options;
	for (const label of labels) {
		const manifest = await repository.readManifest(group, label, signal);
		await assertThere(repository.storage, manifest);
		yield await openBackup([manifest], options);
	}
}

/** The same for whoever has the limits of no run. */
export function openerOf({ repository, keys }: Pick<OpenOptions, 'repository' | 'keys'>) {
	const { stallTimeoutMs } = DEFAULT_LIMITS;
	return (wanted: NonNullable<RestoreRequest['alongside']>, signal: AbortSignal) =>
		openAlongside(wanted, { repository, keys, signal, stallTimeoutMs });
}

/**
 * Looks whether the data of a backup is there before anything is written.
 * @throws BackupError 'not-found', 'damaged'
 */
export async function assertThere(storage: Storage, { group, label, parts }: Manifest): Promise<void> {
	for (const { name, stored } of parts.filter(({ role }) => role === 'data')) {
		const key = objectKey(group, label, name);
		const found = await storage.stat(key);
		if (found?.size === stored.bytes) continue;
		const what = found ? `has ${found.size} instead of ${stored.bytes} bytes` : 'is missing';
		const error = new BackupError(found ? 'damaged' : 'not-found', `${storage.location}/${key} ${what}`, {
			hint: 'The object was removed or changed after the backup was made. Use another backup.',
		});
		throw found ? error : await withWayBack(error, storage, key);
	}
}
