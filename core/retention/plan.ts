/** What a policy keeps and expires, and why: decided from a list and a time alone, for each group by itself. */
import { BackupError } from '../base/errors';
import { Calendar } from './calendar';
import { BackupFacts, Blocked, GroupContext } from './facts';
import { guard, refuseToKeepNothing } from './guards';
import { assess, type History } from './history';
import { Keeping } from './keeping';
import { Pace } from './pace';
import { REASONS } from './reasons';
import { reliedOn } from './reliance';
import { findRisks } from './risks';
import { type CompletePolicy, completePolicy, type RetentionPolicy } from './rules';
import { select, type Selection } from './selection';
import { warn } from './warnings';

export interface PlannedBackup {
	label: string;
	/** Milliseconds since 1970; there can be very many, and a Date takes six times the memory. */
	startedAt: number;
	storedBytes: number;
	action: 'keep' | 'expire';
	/** Why, for people; never empty. */
	reasons: readonly string[];
	/** It would expire if the plan were not blocked. */
	held: boolean;
	/**
	 * The earliest time the policy lets go of it if backups go on: one at the start of every coming period of the policy's
	 * finest tier, all of them good. A period that is not over counts for it in the finest tier only: in a coarser one, the
	 * next backup takes its place. With fewer backups it stays longer. Null when no end is known (pins, tags, what only the
	 * rules of `guards.ts` keep, policies without tiers), for what is held, and for what expires.
	 */
	keptUntil: Date | null;
}

export interface GroupPlan {
	group: string;
	/** Oldest first, every one. */
	backups: PlannedBackup[];
	blocked: Blocked[];
	warnings: string[];
	keptBytes: number;
	freedBytes: number;
	/** Which kept one goes first if backups go on; null when none is known to, and while the plan is blocked. */
	nextExpiry: { label: string; at: Date } | null;
}

export interface RetentionPlan {
	groups: GroupPlan[];
}

/**
 * Plans for any number of groups. Changes nothing, and depends on nothing but its arguments.
 * @param contexts by group
 * @throws BackupError 'invalid-input' for a policy or a time that cannot be used, two backups of one name, or a plan that
 * would keep nothing of a group
 */
export function planRetention(
	backups: readonly BackupFacts[],
	policy: RetentionPolicy,
	now: Date,
	contexts: ReadonlyMap<string, GroupContext> = new Map(),
): RetentionPlan {
	return { groups: planGroups(backups, policy, now, contexts).map(({ plan }) => plan) };
}

/** A plan, and the backups because of which others expire: the plan is as good as what their names say of them. */
export interface ReliantPlan {
	plan: GroupPlan;
	/** Labels. */
	reliedOn: string[];
}

/** As {@link planRetention}, with what each plan relies on. */
export function planGroups(
	backups: readonly BackupFacts[],
	policy: RetentionPolicy,
	now: Date,
	contexts: ReadonlyMap<string, GroupContext> = new Map(),
): ReliantPlan[] {
	const complete = completePolicy(policy);
	assertTimes(backups, now);
	const calendar = new Calendar(complete.timeZone);
	const time = now.getTime();
	const pace = new Pace(calendar, complete, time);
	const groups = [...Map.groupBy(backups, ({ group }) => group)].sort(([a], [b]) => (a < b ? -1 : 1));
	return groups.map(([group, members]) => {
		const context = contexts.get(group) ?? {};
		const history = assess(members, complete, time, context.unreadable ?? new Map());
		const selection = select(history.entries, complete, calendar, pace);
		return planGroup(group, history, selection, complete, time, context);
	});
}

function planGroup(
	group: string,
	history: History,
	{ choices, coveredTiers }: Selection,
	policy: CompletePolicy,
	now: number,
	context: GroupContext,
): ReliantPlan {
	const { entries } = history;
	const keeping = new Keeping(history);
	for (const { entry, reason, until } of choices) keeping.add(entry, reason, until);
	guard(keeping, policy);
	const risks = findRisks(entries, policy, now, context);
	const blocking = risks.filter(({ risk }) => risk === 'unreadable' || !policy.allow.includes(risk));
	if (blocking.length === 0) refuseToKeepNothing(group, keeping);
	const held = blocking.length > 0 ? REASONS.held(blocking.map(({ cause }) => cause)) : null;
	const kept = keeping.toReasons();
	const backups = entries.map((entry): PlannedBackup => {
		const { label, startedAt, storedBytes } = entry.facts;
		const flaws = entry.flaw === null ? [] : [entry.flaw];
		const own = kept.get(entry.place);
		const reasons =
			own?.reasons ?? (held !== null ? [held] : flaws.length > 0 ? [] : REASONS.expired(coveredTiers(entry)));
		return {
			label,
			startedAt,
			storedBytes,
			action: own || held !== null ? 'keep' : 'expire',
			reasons: flaws.length > 0 ? [...reasons, ...flaws] : reasons,
			held: !own && held !== null,
			keptUntil: own && Number.isFinite(own.until) ? new Date(own.until) : null,
		};
	});
	const allowed = risks.filter((risk) => !blocking.includes(risk));
	const plan: GroupPlan = {
		group,
		backups,
		blocked: blocking.map(({ cause: _, ...blocked }) => blocked),
		warnings: warn(history, allowed, context, now),
		keptBytes: bytesOf(backups, 'keep'),
		freedBytes: bytesOf(backups, 'expire'),
		nextExpiry: held !== null ? null : nextExpiry(backups),
	};
	return { plan, reliedOn: reliedOn(keeping, choices, policy).map(({ facts }) => facts.label) };
}

function bytesOf(backups: readonly PlannedBackup[], wanted: PlannedBackup['action']): number {
	return backups.reduce((sum, { action, storedBytes }) => (action === wanted ? sum + storedBytes : sum), 0);
}

function nextExpiry(backups: readonly PlannedBackup[]): GroupPlan['nextExpiry'] {
	let next: GroupPlan['nextExpiry'] = null;
	for (const { label, keptUntil: at } of backups) if (at && (!next || at < next.at)) next = { label, at };
	return next;
}

function assertTimes(backups: readonly BackupFacts[], now: Date): void {
	if (isFinite(now.getTime()) && backups.every(({ startedAt }) => isFinite(startedAt))) return;
	throw new BackupError('invalid-input', 'a retention plan needs a valid time', {
		hint: 'Give the plan a time, and every backup its start.',
	});
}
