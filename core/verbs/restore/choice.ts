/** Which backup is restored. */
import { BackupError, isBackupError } from '../../base/errors';
import { withWayBack } from '../../records/deleted';
import { assessEvidence } from '../../records/assessment';
import { AHEAD_MS } from '../../records/label';
import { prove } from '../../records/proof';
import { chooseReadable, describeUnreadable, type Unreadable } from '../../records/readable-choice';
import type { BackupEntry, Repository } from '../../records/repository';

/** Which of several backups is meant. `before`: the newest that was started at this time or earlier. */
export type BackupChoice = { kind: 'newest' } | { kind: 'label'; label: string } | { kind: 'before'; time: Date };

/**
 * One backup of a group, and warnings of newer ones that were passed over: what is no more than a name, and what a verification
 * found bad. One that is chosen by its label is taken as it is: what is wrong with it, the restore says.
 * @throws BackupError 'not-found'; 'invalid-manifest' when none can be read; 'damaged' when all were found bad; those of the
 * storage
 */
export async function chooseForRestore(
	repository: Repository,
	entries: readonly BackupEntry[],
	choice: BackupChoice,
	signal?: AbortSignal,
): Promise<{ label: string; warnings: string[] }> {
	if (choice.kind === 'label') {
		const entry = await chooseNamed(repository, entries, choice);
		const failed = await findFailure(repository, entry, signal);
		return { label: entry.label, warnings: failed === null ? [] : [`${entry.group}/${entry.label} ${failed}`] };
	}
	const warnings: string[] = [];
	const bad = new Map<BackupEntry, string>();
	for (;;) {
		const left = entries.filter((entry) => !bad.has(entry));
		const choose = (some: readonly BackupEntry[]) =>
			some.length === 0 && entries.length > 0 ? [] : [chooseBackup(some, choice)];
		const { chosen, unreadable } = await chooseReadable(repository, left, choose, signal);
		const [entry] = chosen;
		if (!entry) throw noneLeft(repository, unreadable, [...bad.values()]);
		const failed = await findFailure(repository, entry, signal);
		if (failed === null) return { label: entry.label, warnings: [...unreadable.map(describeUnreadable), ...warnings] };
		const name = `${entry.group}/${entry.label}`;
		bad.set(entry, `${name} ${failed}`);
		warnings.push(`${name} is newer, and was passed over because it ${failed}`);
	}
}

async function chooseNamed(
	{ storage }: Repository,
	entries: readonly BackupEntry[],
	choice: Extract<BackupChoice, { kind: 'label' }>,
): Promise<BackupEntry> {
	try {
		return chooseBackup(entries, choice);
	} catch (error) {
		const group = entries[0]?.group;
		if (group === undefined || !isBackupError(error, 'not-found')) throw error;
		throw await withWayBack(error, storage, `${group}/${choice.label}/`);
	}
}

/** What a verification found wrong with a backup: what its evidence says, not what names say. Null when it is not bad. */
async function findFailure(repository: Repository, entry: BackupEntry, signal?: AbortSignal): Promise<string | null> {
	if (assessEvidence(entry.verifications).failed === null) return null;
	const proof = await prove(repository, entry, Date.now() + AHEAD_MS, signal);
	const failed = proof.readable ? assessEvidence(proof.verifications).failed : null;
	return failed && `failed a verification (${failed.depth}) at ${new Date(failed.at).toISOString()}`;
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

/** Why none was chosen of a list that is not empty. */
function noneLeft(repository: Repository, unreadable: readonly Unreadable[], bad: readonly string[]): BackupError {
	const { location } = repository.storage;
	if (bad.length > 0) {
		return new BackupError('damaged', `every backup that could be chosen is bad or cannot be read: ${bad[0]!}`, {
			hint: 'Choose one by its label to restore what is left of it, or look for a copy in another storage.',
		});
	}
	const { entry, why, hint } = unreadable[0]!;
	const look = `Look at who can write to ${location}. What lies beside a manifest can be restored by hand.`;
	const of = `backup${unreadable.length === 1 ? '' : 's'} of ${entry.group}`;
	return new BackupError('invalid-manifest', `no manifest can be read of the ${unreadable.length} ${of}: ${why}`, {
		hint: hint === undefined ? look : `${hint} ${look}`,
	});
}
