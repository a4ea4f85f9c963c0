/** What runs leave that did not finish, and how it goes. */
import { MANIFEST, objectKey } from '../../records/layout';
import { isBackupError, afterTidying } from '../../base/errors';
import type { Lock } from '../../records/locks/lock';
import { AHEAD_MS } from '../../records/label';
import { type BackupEntry, type Repository } from '../../records/repository';
import { storageTime } from '../../records/storage-clock';
import { describeLost, parseKey } from '../../records/catalog';

/** What is younger, by the storage's clock, may be missed by somebody: a manifest can be lost by accident. */
const GRACE_MS = 24 * 3_600_000;

/**
 * Removes what earlier, failed runs of a group left a day ago or earlier: objects without a manifest. Unfinished uploads,
 * which nobody can use, go at once, and so does what an expiry had begun to remove. What was a backup before stays.
 * @param lock of the group: a half-written backup of another run looks the same
 * @returns what was done, for the run's warnings
 */
export async function removeLeftovers(repository: Repository, group: string, lock: Lock): Promise<string[]> {
	const { storage } = repository;
	const { backups, leftovers } = await repository.survey(group);
	if (storage.appendOnly) return [...leftovers.filter(({ lost }) => lost).map(describeLost), ...datedAhead(backups)];
	const oldest = leftovers.length > 0 ? (await storageTime(storage, group)) - GRACE_MS : 0;
	const owns = (key: string) => parseKey(key)?.group === group;
	// Asked after the listing: until now nobody else has written to the group, so that nothing listed is of a living run,
	// even if this one stands still before it removes it.
	await lock.assertHeld();
	let removed = await storage.removeUnfinished(`${group}/`, owns);
	let kept = 0;
	const due = leftovers.filter(({ expired, lost, modifiedAt }) => expired || (!lost && modifiedAt.getTime() <= oldest));
	for (const key of due.flatMap(({ keys }) => keys)) {
		try {
			await storage.remove(key);
			removed++;
		} catch (error) {
			if (!isBackupError(error, 'protected')) throw error;
			kept++;
		}
	}
	const young = leftovers.filter(({ lost }) => !lost).length - due.length;
	return [
		...(removed > 0 ? [`removed ${count(removed)} of earlier runs that did not finish`] : []),
		...(kept > 0 ? [`could not yet remove ${count(kept)} of earlier runs that the storage protects`] : []),
		...(young > 0
			? [`left what ${young} earlier ${young === 1 ? 'run' : 'runs'} stored within the last 24 hours`]
			: []),
		...leftovers.filter(({ lost }) => lost).map(describeLost),
		...datedAhead(backups),
	];
}

/** Nothing chooses such a backup as the newest, and retention keeps it: somebody should know. */
function datedAhead(backups: readonly BackupEntry[]): string[] {
	const ahead = backups.filter(({ startedAt }) => startedAt > Date.now() + AHEAD_MS);
	if (ahead.length === 0) return [];
	const which = ahead.length === 1 ? ahead[0]!.label : `${ahead[0]!.label} and ${ahead.length - 1} more`;
	return [
		`dated in the future, by this machine’s clock: ${which}. A clock is or was wrong; a restore chooses them by their labels only`,
	];
}

function count(n: number): string {
	return `${n} leftover${n === 1 ? '' : 's'}`;
}

/**
 * Removes what a failed run stored: its own label only, for the group may belong to another run by now.
 * @returns the error to throw: the run's own
 */
export async function withoutLeftovers(
	repository: Repository,
	group: string,
	label: string,
	error: unknown,
): Promise<unknown> {
	const { storage } = repository;
	// What is no backup stays, until somebody removes it who may.
	if (storage.appendOnly) {
		const left = 'What it had stored stays, because the keys may not delete; prune removes it with others.';
		return isBackupError(error) ? error.withHint(left) : error;
	}
	const tidy = async () => {
		// The answer to writing it may be all that failed: then it is there, and has to go first.
		await storage.remove(objectKey(group, label, MANIFEST));
		await storage.removeUnfinished(`${group}/${label}/`);
		for (const { key } of await repository.objects(group, label)) await storage.remove(key);
	};
	const left = (why: string) => `What it had stored could not be removed (${why}); a run after a day removes it.`;
	return await afterTidying(error, tidy, left);
}
