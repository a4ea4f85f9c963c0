/** What runs leave that did not finish, and how it goes. */
import { BackupError, isBackupError, messageOf } from './errors';
import type { Lock } from './lock';
import { objectKey, type Repository } from './repository';
import { parseKey } from './survey';

/**
 * Removes what earlier, failed runs of a group left: objects without a manifest and unfinished uploads.
 * @param lock of the group: a half-written backup of another run looks the same
 * @returns what was done, for the run's warnings
 */
export async function removeLeftovers(repository: Repository, group: string, lock: Lock): Promise<string[]> {
	const { storage } = repository;
	const { leftovers } = await repository.survey(group);
	const owns = (key: string) => parseKey(key)?.group === group;
	// Asked after the listing: until now nobody else has written to the group, so that nothing listed is of a living run,
	// even if this one stands still before it removes it.
	await lock.assertHeld();
	let removed = await storage.removeUnfinished(`${group}/`, owns);
	let kept = 0;
	for (const key of leftovers.flatMap(({ keys }) => keys)) {
		try {
			await storage.remove(key);
			removed++;
		} catch (error) {
			if (!isBackupError(error, 'protected')) throw error;
			kept++;
		}
	}
	return [
		...(removed > 0 ? [`removed ${count(removed)} of earlier runs that did not finish`] : []),
		...(kept > 0 ? [`could not yet remove ${count(kept)} of earlier runs that the storage protects`] : []),
	];
}

function count(n: number): string {
	return `${n} leftover${n === 1 ? '' : 's'}`;
}

/**
 * Removes what a failed run stored: its own label only, for the group may belong to another run by now.
 * @returns the error to report: the run's own
 */
export async function cleanUp(repository: Repository, group: string, label: string, error: unknown): Promise<unknown> {
	const { storage } = repository;
	try {
		// The answer to writing it may be all that failed: then it is there, and has to go first.
		await storage.remove(objectKey(group, label, 'manifest.json'));
		await storage.removeUnfinished(`${group}/${label}/`);
		for (const { key } of await repository.objects(group, label)) await storage.remove(key);
		return error;
	} catch (cleanUpError) {
		if (!isBackupError(error)) return error;
		const left = `What it had stored could not be removed (${messageOf(cleanUpError)}); the next run removes it.`;
		return new BackupError(error.code, error.message, {
			hint: error.hint ? `${error.hint} ${left}` : left,
			cause: error.cause,
			details: error.details,
		});
	}
}
