/** Databases that were backed up: what is stored, what is proved of it, and where else it lies. */
import { sizeText } from '../base/size-text';
import type { SortedItems } from './items';
import type { Priority } from './priority';
import type { Copied, StoredBackup, ReportedVerification } from './read';
import { type SectionEntry, entry } from './section';
import { comparedText, hintBelow, secondsText } from './words';

/** A stored backup with everything that other nodes said of it. */
export interface Backup extends StoredBackup {
	priority: boolean;
	verification: ReportedVerification | null;
	copies: Copied[];
	/** Whether it is bad, or gone: then it is none. */
	failed: boolean;
}

export interface BackupFailure {
	about: string;
	error: string;
	hint: string | null;
	priority: boolean;
}

export interface Backups {
	/** All that was stored and did not turn out to be bad. */
	good: Backup[];
	failed: BackupFailure[];
	notVerified: Backup[];
	/** Groups. */
	notCopied: string[];
	/** Groups of priority. */
	notRestored: string[];
	/** Copies of backups that this run did not make. */
	otherCopies: Copied[];
	/** Whether anything of it concerns a database of priority. */
	priority: boolean;
}

const isCopied = ({ status }: Copied) => status === 'copied' || status === 'present';
// Where n8n has no identity, nothing can be restored here, and that was chosen.
const isRestored = ({ proved, verification }: Backup) =>
	proved === false || (verification?.ok === true && verification.depth === 'restored');

/** Joins what the nodes said of the same backups. */
export function joinBackups(items: SortedItems, priority: Priority): Backups {
	const { stored, notStored, checks } = items;
	const verifications = Map.groupBy(items.verifications, keyOf);
	const copies = Map.groupBy(items.copies, keyOf);
	const backups = stored.map((backup) => {
		// An error of the whole node has no label: it is about every backup that has no verification of its own.
		const verification = (verifications.get(keyOf(backup)) ?? verifications.get('/'))?.[0] ?? null;
		// "environment" is no verdict: the scratch database, the storage or a setting stood in the way.
		const failed = verification !== null && !verification.ok && verification.outcome !== 'environment';
		return {
			...{ ...backup, verification, failed, priority: priority.includes(backup) },
			copies: copies.get(keyOf(backup)) ?? [],
		};
	});
	const known = new Set(stored.map(keyOf));
	const otherCopies = items.copies.filter((each) => !known.has(keyOf(each)));
	const good = backups.filter((backup) => !backup.failed);
	const failed = [
		...backups.filter((backup) => backup.failed).map(badBackup),
		...notStored.map(({ message, hint, ...each }) => {
			return { about: each.about, error: message, hint: hint || null, priority: priority.includes(each) };
		}),
		// Where something was begun, what the check found wrong is said by what failed because of it.
		...(stored.length + notStored.length > 0 ? [] : checks)
			.flatMap(({ problems }) => problems)
			.map(({ about, message, hint }) => ({ about, error: message, hint: hint || null, priority: priority.any })),
	];
	const groups = (list: Array<{ group: string }>) => list.map(({ group }) => group);
	const lacking = [
		...good.filter((each) => !each.copies.every(isCopied)),
		...otherCopies.filter((each) => !isCopied(each)),
	];
	const notRestored = good.filter((backup) => backup.priority && !isRestored(backup));
	return {
		...{ good, failed, otherCopies, notVerified: good.filter(({ verification }) => !verification?.ok) },
		notCopied: groups(lacking).map((group) => group || 'the second storage'),
		notRestored: groups(notRestored),
		priority:
			failed.some((each) => each.priority) ||
			notRestored.length > 0 ||
			good.some((each) => each.priority && !each.copies.every(isCopied)),
	};
}

function badBackup({ group, priority, verification }: Backup): BackupFailure {
	const { outcome, message, hint } = verification!;
	const what = outcome === 'bad' ? 'the backup is bad' : 'the backup cannot be verified';
	return { about: group, error: `${what}: ${message}`, hint: hint || null, priority };
}

/** An entry for each, failures first. */
export function backupEntries({ good, failed, otherCopies, notRestored }: Backups): SectionEntry[] {
	const priority = (is: boolean) => (is ? ' priority' : '');
	const nothingCopied = otherCopies.some(({ label }) => label === '');
	return [
		...failed.map((each) =>
			entry('failed', `FAILED${priority(each.priority)}`, each.about, [`${each.error}${hintBelow(each.hint ?? '')}`]),
		),
		...good.map((backup) => {
			const isDegraded = !backup.copies.every(isCopied) || (backup.priority && notRestored.includes(backup.group));
			const level = backup.warnings.length > 0 ? 'warning' : 'ok';
			return entry(
				isDegraded ? 'degraded' : backup.verification?.ok ? level : 'note',
				`stored${priority(backup.priority)}`,
				`${backup.group}/${backup.label}`,
				[sizesOf(backup), proof(backup), ...places(backup, nothingCopied), ...backup.warnings.map(warningText)],
			);
		}),
		...otherCopies.map((copy) => {
			const name = copy.label === '' ? copy.group : `${copy.group}/${copy.label}`;
			const level = copy.warnings.length > 0 ? 'warning' : 'ok';
			return entry(isCopied(copy) ? level : 'degraded', 'copy', name, [place(copy), ...copy.warnings.map(warningText)]);
		}),
	];
}

export function warningText(warning: string): string {
	return `warning: ${warning}`;
}

function sizesOf({ originalBytes, storedBytes, tables, files, objects, seconds, location, encrypted }: Backup): string {
	return [
		...[sizeText(originalBytes), `${sizeText(storedBytes)} stored`],
		...(tables === null ? [] : [`${tables} tables`]),
		...(files === null ? [] : [`${files} files`]),
		...(objects === null ? [] : [`${objects} objects`]),
		...[`${seconds} s`, location],
		...(encrypted ? [] : ['NOT ENCRYPTED']),
	].join(', ');
}

/** What is proved of a backup that did not fail. */
function proof({ verification }: Backup): string {
	if (!verification?.ok) {
		return `NOT VERIFIED: ${verification?.message || 'no verification ran'}${hintBelow(verification?.hint ?? '', '    ')}`;
	}
	const { depth, restoreSeconds } = verification;
	if (depth === 'restored') {
		return `verified: restored in ${secondsText(restoreSeconds)}, ${comparedText(verification)} as they were`;
	}
	if (depth === 'readable') return 'verified: opens and is complete; not restored';
	return 'verified: lies in the storage as it was written; not opened, for n8n has no identity';
}

/** Where else a backup lies. */
function places({ priority, copies }: Backup, nothingCopied: boolean): string[] {
	if (copies.length > 0) return copies.map(place);
	return priority && !nothingCopied ? ['in one location only: it was not copied'] : [];
}

function place({ status, destination, message, hint, label }: Copied): string {
	const where = destination || 'the second storage';
	if (status === 'copied') return `copied to ${where}, and read back`;
	if (status === 'present') return label === '' ? `nothing was missing in ${where}` : `was copied to ${where} before`;
	return `NOT COPIED to ${where}: ${message || 'no copy was made'}${hintBelow(hint, '    ')}`;
}

function keyOf({ group, label }: { group: string; label: string }): string {
	return `${label === '' ? '' : group}/${label}`;
}
