/** What a report says to programs: numbers, and what each thing is called that somebody may have to look at. */
import type { Backup, BackupFailure, Backups } from './backups';
import type { Drills } from './drills';
import type { ReportedRestore, ReportedVerification } from './read';
import type { Retained } from './read-upkeep';
import type { BlockedGroup, Retention } from './retention';

/** Of each list, so many are named; the counts say how many there are. */
const MOST = 500;

export interface ReportFacts {
	counts: Record<
		| 'stored'
		| 'failed'
		| 'notVerified'
		| 'notCopied'
		| 'notRestored'
		| 'copied'
		| 'proved'
		| 'bad'
		| 'notProved'
		| 'restored'
		| 'notRetained'
		| 'removed'
		| 'warnings'
		| 'otherItems',
		number
	>;
	/** `original` is before compression; `freed` is what retention removed. */
	bytes: Record<'original' | 'stored' | 'freed' | 'restored', number>;
	/** What the single backups, drills and restores took, together. */
	seconds: Record<'backup' | 'verification' | 'restore', number>;
	stored: Array<
		Pick<Backup, 'group' | 'label' | 'database' | 'originalBytes' | 'storedBytes' | 'seconds' | 'priority'>
	>;
	failed: BackupFailure[];
	/** "group/label" */
	notVerified: string[];
	/** Groups, as in all lists below that hold nothing but texts. */
	notCopied: string[];
	notRestored: string[];
	proved: Array<Pick<ReportedVerification, 'group' | 'label' | 'depth' | 'restoreSeconds'>>;
	bad: DrillFailure[];
	notProved: DrillFailure[];
	restored: Array<Pick<ReportedRestore, 'group' | 'label' | 'database' | 'ok' | 'seconds'>>;
	retention: Array<Omit<Retained, 'next' | 'warnings' | 'resumed' | 'skipped'>>;
	blocked: BlockedGroup[];
}

type DrillFailure = Pick<ReportedVerification, 'group' | 'label' | 'outcome' | 'message'>;

interface Joined {
	backups: Backups;
	drills: Drills;
	restores: readonly ReportedRestore[];
	retention: Retention;
	warnings: number;
	otherItems: number;
}

export function reportFacts({ backups, drills, restores, retention, warnings, otherItems }: Joined): ReportFacts {
	const { good, failed, notVerified, notCopied, notRestored } = backups;
	const copies = [...good.flatMap((backup) => backup.copies), ...backups.otherCopies];
	const all = [...retention.failed, ...retention.done];
	const restored = restores.filter(({ ok }) => ok);
	const verifications = [...good.flatMap(({ verification }) => verification ?? []), ...drills.proved];
	return {
		counts: {
			...{ stored: good.length, failed: failed.length, notVerified: notVerified.length },
			...{ notCopied: notCopied.length, notRestored: notRestored.length },
			copied: copies.filter(({ status }) => status === 'copied').length,
			...{ proved: drills.proved.length, bad: drills.bad.length, notProved: drills.notProved.length },
			...{ restored: restored.length, notRetained: retention.failed.length },
			removed: sum(all, ({ removed }) => removed.length),
			...{ warnings, otherItems },
		},
		bytes: {
			original: sum(good, ({ originalBytes }) => originalBytes),
			stored: sum(good, ({ storedBytes }) => storedBytes),
			freed: sum(all, ({ status, freedBytes }) => (status === 'applied' ? freedBytes : 0)),
			restored: sum(restored, ({ originalBytes }) => originalBytes),
		},
		seconds: {
			backup: sum(good, ({ seconds }) => seconds),
			verification: sum(verifications, ({ seconds }) => seconds),
			restore: sum(restored, ({ seconds }) => seconds),
		},
		stored: some(good, ({ group, label, database, originalBytes, storedBytes, seconds, priority }) => {
			return { group, label, database, originalBytes, storedBytes, seconds, priority };
		}),
		failed: some(failed),
		notVerified: some(notVerified, ({ group, label }) => `${group}/${label}`),
		...{ notCopied: some(notCopied), notRestored: some(notRestored) },
		proved: some(drills.proved, ({ group, label, depth, restoreSeconds }) => ({ group, label, depth, restoreSeconds })),
		...{ bad: some(drills.bad, drillFailure), notProved: some(drills.notProved, drillFailure) },
		restored: some(restores, ({ group, label, database, ok, seconds }) => ({ group, label, database, ok, seconds })),
		retention: some(all, ({ next, warnings: _, resumed, skipped, ...each }) => ({
			...each,
			...{ removed: some(each.removed), reasons: some(each.reasons) },
		})),
		blocked: some(retention.blocked),
	};
}

function drillFailure({ group, label, outcome, message }: ReportedVerification): DrillFailure {
	return { group, label, outcome, message };
}

function some<Item>(list: readonly Item[]): Item[];
function some<Item, Shown>(list: readonly Item[], shown: (item: Item) => Shown): Shown[];
function some<Item>(list: readonly Item[], shown: (item: Item) => unknown = (item) => item): unknown[] {
	return list.slice(0, MOST).map((item) => shown(item));
}

function sum<Item>(list: readonly Item[], of: (item: Item) => number): number {
	const total = list.reduce((before, item) => before + of(item), 0);
	return Math.round(total * 100) / 100;
}
