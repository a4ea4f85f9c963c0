/** The backups that a verb is asked to do something with. */
import { BackupError } from '../base/errors';
import { withWayBack } from './deleted';
import type { BackupEntry, Repository } from './repository';

/**
 * The backups of the named groups, or of all; never none: to do nothing must not look like success.
 * @throws BackupError 'not-found' also when only one of several groups has no backup
 */
export async function listSome(repository: Repository, groups?: readonly string[]): Promise<BackupEntry[]> {
	const [only, ...more] = groups ?? [];
	const entries = await repository.list(more.length === 0 ? only : undefined);
	const found = new Set(entries.map(({ group }) => group));
	const missing = (groups ?? []).filter((group) => !found.has(group));
	if (missing.length > 0 || entries.length === 0) throw await noBackup(repository, missing);
	return groups ? entries.filter(({ group }) => groups.includes(group)) : entries;
}

/** @param groups names or patterns for which there is none; empty where there is no backup at all */
export async function noBackup({ storage }: Repository, groups: readonly string[]): Promise<BackupError> {
	const what = groups.length > 0 ? `no backup of ${groups.join(', ')}` : 'no backup';
	const error = new BackupError('not-found', `there is ${what} in ${storage.location}`, {
		hint: 'Check the name of the group, and the location and prefix of the storage. A list of the backups shows which groups there are.',
	});
	const [only, ...more] = groups;
	return await withWayBack(error, storage, only !== undefined && more.length === 0 ? `${only}/` : '');
}
