/** What policies did to groups, or would do, and why; and what killed runs have left. */
import { counted } from '../base/counted';
import { sizeText } from '../base/size-text';
import { warningText } from './backups';
import type { Leftovers, Retained } from './read-upkeep';
import { type SectionEntry, entry, type Outcome, type Section, worst } from './section';
import { hintBelow, namesText } from './words';

const DAY_MS = 86_400_000;
/** Of the backups of one group that expired, so many are named. */
const EXPIRED = 10;

/** A group of which nothing is removed, because something is wrong with its newest backup. */
export interface BlockedGroup {
	group: string;
	/** ISO 8601 */
	since: string;
	days: number;
	causes: Retained['blocked'];
}

export interface Retention {
	done: Retained[];
	failed: Retained[];
	blocked: BlockedGroup[];
	leftovers: Leftovers[];
}

/** @param blockedSince what was known before, ISO 8601 by group */
export function joinRetention(
	retained: readonly Retained[],
	leftovers: Leftovers[],
	blockedSince: Readonly<Record<string, unknown>>,
	now: Date,
): Retention {
	const done = retained.filter(({ status }) => status !== 'failed');
	const blocked = done
		.filter(({ status }) => status === 'blocked')
		.map(({ group, blocked: causes }) => {
			const known = Object.hasOwn(blockedSince, group) ? Date.parse(String(blockedSince[group])) : NaN;
			const since = Number.isNaN(known) ? now : new Date(Math.min(known, now.getTime()));
			const days = Math.floor((now.getTime() - since.getTime()) / DAY_MS);
			return { group, causes, days, since: since.toISOString() };
		});
	return { done, blocked, leftovers, failed: retained.filter(({ status }) => status === 'failed') };
}

/** What is to be remembered: a group that is not blocked any more is forgotten, one that nobody asked about is not. */
export function rememberBlocked(
	{ done, blocked }: Retention,
	before: Readonly<Record<string, unknown>>,
): Record<string, string> {
	const asked = new Set(done.map(({ group }) => group));
	const kept = Object.entries(before).flatMap(([group, since]) =>
		asked.has(group) || typeof since !== 'string' ? [] : [[group, since] as const],
	);
	return Object.fromEntries([...kept, ...blocked.map(({ group, since }) => [group, since] as const)]);
}

/**
 * A run for nothing but retention: a group that stays blocked is what it has to raise the alarm for.
 * @param alarmDays after so many days a blocked group is a failure
 */
export function retentionSection(retention: Retention, alarmDays: number): Section {
	const { done, failed, blocked, leftovers } = retention;
	const tooLong = blocked.some(({ days }) => days >= alarmDays);
	const outcome: Outcome = blocked.length > 0 || leftovers.some(({ message }) => message !== '') ? 'degraded' : 'ok';
	const planned = done.length > 0 && done.every(({ status }) => status === 'planned' || status === 'blocked');
	const applied = done.some(({ status }) => status === 'applied') || !planned;
	const going = done.filter(({ status }) => status !== 'blocked');
	const count = sum(going.map((each) => (each.status === 'applied' ? each.removed.length : each.expired)));
	const freed = sizeText(sum(going.map(({ freedBytes }) => freedBytes)));
	const names = (list: ReadonlyArray<{ group: string; days?: number }>) =>
		namesText(list.map(({ group, days = 0 }) => `${group || 'all groups'}${days > 0 ? ` for ${days} days` : ''}`));
	return {
		outcome: worst([failed.length > 0 || tooLong ? 'failed' : 'ok', outcome]),
		title: [
			...(failed.length > 0 ? [`Retention FAILED: ${names(failed)}`] : []),
			...(blocked.length > 0 ? [`Retention BLOCKED: ${names(blocked)}`] : []),
			...(done.length > 0
				? [`${applied ? 'Retention: removed' : 'Retention plan: would remove'} ${counted(count, 'backup')} (${freed})`]
				: []),
			...(failed.length + done.length === 0 && leftovers.length > 0 ? [leftoversTitle(leftovers)] : []),
		].join('; '),
		entries: retentionEntries(retention, tooLong ? 'failed' : 'degraded'),
	};
}

function leftoversTitle(leftovers: readonly Leftovers[]): string {
	if (leftovers.some(({ message }) => message !== '')) return 'Leftovers could not be looked for';
	const orphans = sum(leftovers.map((each) => each.orphans));
	return `Leftovers: ${orphans} incomplete backups ${leftovers.every(({ removed }) => removed) ? 'removed' : 'found'}`;
}

/** @param blockedLevel what a blocked group is in this run */
export function retentionEntries(
	{ failed, done, blocked, leftovers }: Retention,
	blockedLevel: SectionEntry['level'],
	failedLevel: SectionEntry['level'] = 'failed',
): SectionEntry[] {
	const days = new Map(blocked.map((each) => [each.group, each.days]));
	return [
		...failed.map(({ group, message, hint }) =>
			entry(failedLevel, 'retention FAILED', group || 'of all groups', [`${message}${hintBelow(hint)}`]),
		),
		...done.map((each) => {
			const level = each.warnings.length > 0 ? 'warning' : 'ok';
			const isBlocked = each.status === 'blocked';
			const state = isBlocked ? 'retention BLOCKED' : 'retention';
			const lines = linesOf(each, days.get(each.group) ?? 0);
			return entry(isBlocked ? blockedLevel : level, state, `${each.group}, ${each.policy}`, lines);
		}),
		...leftovers.flatMap(leftoverEntries),
	];
}

/** How many stay by which rule, what goes, and why. */
function linesOf(retained: Retained, days: number): string[] {
	const { status, kept, keptBytes, held, expired, removed, freedBytes, next } = retained;
	const planned = status === 'planned';
	const gone = planned
		? [`would remove ${expired} (${sizeText(freedBytes)}; a plan removes nothing)`]
		: [`removed ${removed.length} (${sizeText(freedBytes)} freed)`];
	const head = [
		`${planned ? 'would keep' : 'kept'} ${kept} (${sizeText(keptBytes)})`,
		...(held > 0 ? [`held back ${held}`] : []),
		...(status === 'blocked' ? [] : gone),
	].join(', ');
	const going = retained.reasons.filter(({ action }) => action === 'expire');
	const shown = status === 'blocked' ? [] : going.slice(0, EXPIRED);
	const more = status === 'blocked' ? 0 : going.length - shown.length;
	return [
		`${head}${next ? `; the next one expires ${next.day} UTC` : ''}`,
		`kept: ${rulesOf(retained)}`,
		...retained.blocked.map(({ message, hint }) => `nothing is removed: ${message}${hintBelow(hint, '    ')}`),
		...(days > 0 ? [`blocked for ${days} days`] : []),
		...shown.map(({ label, reasons }) => `expired ${label}: ${reasons.join(', ')}`),
		...(more > 0 ? [`and ${more} more`] : []),
		...(retained.resumed.length > 0
			? [`finished what an earlier run had begun to remove: ${namesText(retained.resumed)}`]
			: []),
		...retained.skipped.map(({ label, why }) => `${label} expired and is still there: ${why}`),
		...retained.warnings.map(warningText),
	];
}

/** How many backups each rule keeps: "48 × hourly, 30 × daily, 1 × pinned". */
function rulesOf({ reasons }: Retained): string {
	const counts = new Map<string, number>();
	for (const each of reasons.filter(({ action }) => action === 'keep').flatMap((backup) => backup.reasons)) {
		const rule = /^(hourly|daily|weekly|monthly|yearly|last|within|tagged|parent|held)\b/.exec(each)?.[0] ?? each;
		counts.set(rule, (counts.get(rule) ?? 0) + 1);
	}
	return [...counts].map(([rule, count]) => `${count} × ${rule}`).join(', ');
}

/** What killed runs have left in the storage, and objects of other programs; nothing where there is none. */
function leftoverEntries(leftovers: Leftovers): SectionEntry[] {
	const { message, hint, orphans, unfinished, staleLocks, freedBytes, removed, unknown } = leftovers;
	if (message !== '') {
		return [entry('degraded', 'leftovers could not be looked for', '', [`${message}${hintBelow(hint)}`])];
	}
	const counts = `${orphans} incomplete backups, ${unfinished} unfinished uploads, ${staleLocks} stale locks`;
	const fate = removed ? 'removed' : 'still there; Apply Retention removes them with "Prune"';
	const found = orphans + unfinished + staleLocks > 0;
	return [
		...(found
			? [entry('warning', 'leftovers of killed runs', '', [`${counts}, ${sizeText(freedBytes)}: ${fate}`])]
			: []),
		...(unknown.count > 0
			? [entry('warning', "files that are nobody's, never touched", '', [`${unknown.count}, e.g. ${unknown.example}`])]
			: []),
	];
}

function sum(values: readonly number[]): number {
	return values.reduce((total, value) => total + value, 0);
}
