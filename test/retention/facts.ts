/** Backups that exist only as facts. */
import type { Verification } from '../../core/records/evidence';
import type { BackupType } from '../../core/records/label';
import { type GroupPlan, planRetention } from '../../core/retention/plan';
import { type GroupContext } from '../../core/retention/facts';
import { type BackupFacts } from '../../core/retention/facts';
import { parsePolicy, type RetentionPolicy, RISKS } from '../../core/retention/policy';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

export interface Wanted extends Partial<Omit<BackupFacts, 'verifications' | 'label'>> {
	/** Four characters of the label, to tell backups of one second apart. @default 'aaaa' */
	suffix?: string;
	/** A good verification of depth `stored` a minute after the start, none, or these. @default true */
	verified?: boolean | Verification[];
}

/** @param start such as `2026-11-20T02:00:00Z` */
export function backup(start: string | number, wanted: Wanted = {}): BackupFacts {
	const { suffix = 'aaaa', verified = true, type = 'full', ...rest } = wanted;
	const startedAt = new Date(start).getTime();
	return {
		group: 'app',
		label: labelOf(new Date(startedAt), type, suffix),
		type,
		startedAt,
		storedBytes: 1000,
		dataBytes: wanted.storedBytes ?? 1000,
		pinned: false,
		approved: false,
		tags: [],
		expiring: false,
		parents: [],
		...rest,
		verifications: Array.isArray(verified) ? verified : verified ? [checked(startedAt + 60_000)] : [],
	};
}

export function checked(at: string | number, depth: Verification['depth'] = 'stored', ok = true): Verification {
	return { at: new Date(at).getTime(), depth, ok };
}

/** One every so many hours, the newest at the time given; oldest first. */
export function series(newest: string, count: number, everyHours: number, wanted: Wanted = {}): BackupFacts[] {
	const end = Date.parse(newest);
	return Array.from({ length: count }, (_, at) => backup(end - (count - 1 - at) * everyHours * HOUR, wanted));
}

/** The plan of the one group that these backups are of. */
export function planOne(
	backups: readonly BackupFacts[],
	policy: string | RetentionPolicy,
	now: string | number,
	context?: GroupContext,
): GroupPlan {
	const rules = typeof policy === 'string' ? parsePolicy(policy) : policy;
	const contexts = new Map(context ? [[backups[0]!.group, context]] : []);
	const { groups } = planRetention(backups, rules, new Date(now), contexts);
	expect(groups).toHaveLength(1);
	return groups[0]!;
}

export function kept(plan: GroupPlan): readonly string[] {
	return plan.backups.filter(({ action }) => action === 'keep').map(({ label }) => label);
}

export function expired(plan: GroupPlan): string[] {
	return plan.backups.filter(({ action }) => action === 'expire').map(({ label }) => label);
}

export function reasonsFor(plan: GroupPlan, { label }: BackupFacts): readonly string[] {
	return plan.backups.find((each) => each.label === label)!.reasons;
}

/** What is left when the plan has been carried out. */
export function apply(backups: readonly BackupFacts[], plan: GroupPlan): BackupFacts[] {
	const stays = new Set(kept(plan));
	return backups.filter(({ label }) => stays.has(label));
}

/** A policy that takes every risk, for tests of what it chooses. */
export function fearless(policy: RetentionPolicy): RetentionPolicy {
	return { ...policy, allow: [...RISKS] };
}

function labelOf(startedAt: Date, type: BackupType, suffix: string): string {
	return `${startedAt.toISOString().replace(/[-:]|\.\d+/g, '')}-${type}-${suffix}`;
}
