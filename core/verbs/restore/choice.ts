/** Which backup is restored. */
import { BackupError } from '../../base/errors';
import { AHEAD_MS } from '../../records/label';
import { chooseReadable, describeUnreadable, type Unreadable } from '../../records/readable-choice';
import type { BackupEntry, Repository } from '../../records/repository';

/** Which of several backups is meant. `before`: the newest that was started at this time or earlier. */
export type BackupChoice = { kind: 'newest' } | { kind: 'label'; label: string } | { kind: 'before'; time: Date };

/**
 * One backup of a list, and warnings of newer ones that are no more than a name. One that is chosen by its label is taken as it
 * is: what is wrong with it, the restore says.
 * @throws BackupError 'not-found'; 'invalid-manifest' when none can be read; those of the storage
 */
export async function chooseForRestore(
	repository: Repository,
	entries: readonly BackupEntry[],
	choice: BackupChoice,
	signal?: AbortSignal,
): Promise<{ label: string; warnings: string[] }> {
	if (choice.kind === 'label') return { label: chooseBackup(entries, choice).label, warnings: [] };
	const choose = (left: readonly BackupEntry[]) =>
		left.length === 0 && entries.length > 0 ? [] : [chooseBackup(left, choice)];
	const { chosen, unreadable } = await chooseReadable(repository, entries, choose, signal);
	if (chosen.length === 0) throw noneReadable(repository, unreadable);
	return { label: chosen[0]!.label, warnings: unreadable.map(describeUnreadable) };
}

/**
 * One backup of a list, which may be of one group or of several. What a clock that was wrong has dated in the future is
 * chosen by its label only: it would be the newest for years.
 * @param now milliseconds since 1970
 * @throws BackupError 'not-found'
 */
export function chooseBackup(
	entries: readonly BackupEntry[],
	choice: BackupChoice,
	now: number = Date.now(),
): BackupEntry {
	const all = entries.toSorted((a, b) => a.startedAt - b.startedAt);
	const byTime = choice.kind === 'label' ? all : all.filter(({ startedAt }) => startedAt <= now + AHEAD_MS);
	const newest = byTime.at(-1);
	if (!newest && all.length > 0) {
		const { group, label } = all[0]!;
		throw new BackupError('not-found', `every backup of ${group} is dated in the future`, {
			hint: `A clock is wrong: that of this machine, or that of the one that made them. Choose one by its label, e.g. ${label}.`,
		});
	}
	if (!newest) {
		throw new BackupError('not-found', 'there is no backup to choose from', {
			hint: 'Check the name of the group and the storage’s location and prefix.',
		});
	}
	if (choice.kind === 'newest') return newest;
	if (choice.kind === 'label') {
		const found = byTime.find(({ label }) => label === choice.label);
		if (found) return found;
		throw new BackupError('not-found', `there is no backup ${choice.label} in ${newest.group}`, {
			hint: `The newest is ${newest.label}, the oldest ${byTime[0]!.label}; there are ${byTime.length}.`,
		});
	}
	const found = byTime.findLast(({ startedAt }) => startedAt <= choice.time.getTime());
	if (found) return found;
	throw new BackupError('not-found', `no backup of ${newest.group} was made before ${choice.time.toISOString()}`, {
		hint: `The oldest is of ${new Date(byTime[0]!.startedAt).toISOString()}.`,
	});
}

function noneReadable(repository: Repository, unreadable: readonly Unreadable[]): BackupError {
	const { entry, why } = unreadable[0]!;
	const of = `backup${unreadable.length === 1 ? '' : 's'} of ${entry.group}`;
	return new BackupError('invalid-manifest', `no manifest can be read of the ${unreadable.length} ${of}: ${why}`, {
		hint: `Look at who can write to ${repository.storage.location}. What lies beside a manifest can be restored by hand.`,
	});
}
