/** Which backup is restored. */
import { BackupError } from './errors';
import type { BackupEntry } from './repository';

/** Which of several backups is meant. `before`: the newest that was started at this time or earlier. */
export type BackupChoice = { kind: 'newest' } | { kind: 'label'; label: string } | { kind: 'before'; time: Date };

/**
 * One backup of a list, which may be of one group or of several.
 * @throws BackupError 'not-found'
 */
export function chooseBackup(entries: readonly BackupEntry[], choice: BackupChoice): BackupEntry {
	const byTime = entries.toSorted((a, b) => a.startedAt - b.startedAt);
	const newest = byTime.at(-1);
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
