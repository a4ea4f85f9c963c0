/** What is wrong with the newest backup of a group. As long as anything is, older ones may be the last good ones. */
import { AHEAD_MS } from '../records/label';
import { type HistoryEntry, isSound } from './history';
import type { Blocked } from './facts';
import type { GroupContext } from './facts';
import { timeText } from './reasons';
import type { CompletePolicy } from './rules';

const HOUR = 3_600_000;
/** How many backups tell the usual distance, and how many the usual size. */
export const USUAL_DISTANCE_OF = 10;
const USUAL_SIZE_OF = 7;
/** So many that nobody can read are an accident; more of them, and nothing is removed until somebody has looked. */
export const MAX_UNREADABLE = 10;
/** As many runs may be missed, and a day may pass in any case. */
const MISSED = 3;
const LEAST_MS = 24 * HOUR;

/** Something that is wrong, and in a few words what, for the reasons of all that is held. */
export interface FoundRisk extends Blocked {
	cause: string;
}

/**
 * All that is wrong, whether the policy allows it or not.
 * @param context of the group
 */
export function findRisks(
	entries: readonly HistoryEntry[],
	policy: CompletePolicy,
	now: number,
	{ lastFailure: failure = null, unreadable, unreadableEvidence }: GroupContext,
): FoundRisk[] {
	const past = entries.filter(({ future }) => !future);
	const newest = past.at(-1);
	if (!newest) return [];
	return [
		manyUnreadable((unreadable?.size ?? 0) + (unreadableEvidence?.size ?? 0)),
		unverified(newest, policy),
		bad(newest),
		runFailed(newest, failure, now),
		outdated(past, policy, now),
		lost(past) ?? shrunk(past, policy),
	].filter((risk) => risk !== null);
}

/** Somebody may be planting entries, so that sound backups expire for their sake. */
function manyUnreadable(count: number): FoundRisk | null {
	if (count <= MAX_UNREADABLE) return null;
	return {
		risk: 'unreadable',
		cause: 'too many entries cannot be read',
		message: `more than ${MAX_UNREADABLE} backups cannot be read, or have evidence that cannot be read`,
		hint: 'Find out who else writes to this storage, and whether it is damaged or needs a newer version of this program. Verify the backups; remove by hand what is not a backup.',
	};
}

function unverified({ facts, flaw, verified }: HistoryEntry, { trust }: CompletePolicy): FoundRisk | null {
	if (verified || flaw !== null) return null;
	const depth = trust === 'stored' ? '' : ` as deep as the policy wants (${trust})`;
	return {
		risk: 'unverified',
		cause: `the newest backup is not verified${depth}`,
		message: `the newest backup, ${facts.label}, is not verified${depth}`,
		hint: 'Verify it first. If this is allowed, older backups expire for the sake of one that nobody has proved: should it be unusable, the ones that were good may be gone.',
	};
}

function bad({ facts, flaw }: HistoryEntry): FoundRisk | null {
	if (flaw === null) return null;
	return {
		risk: 'failed',
		cause: 'the newest backup is bad',
		message: `the newest backup, ${facts.label}, ${flaw}`,
		hint: 'Make a good backup first. If this is allowed, good old backups expire although no good new one has come.',
	};
}

/** One dated in the future says nothing: it is reported elsewhere. */
function runFailed({ time }: HistoryEntry, failure: Date | null, now: number): FoundRisk | null {
	if (!failure || failure.getTime() <= time || failure.getTime() > now + AHEAD_MS) return null;
	return {
		risk: 'failed',
		cause: 'the last run failed',
		message: `the last run, of ${timeText(failure)}, failed to make a backup`,
		hint: 'Find out why, and let it run again. If this is allowed, good old backups expire while no new ones come.',
	};
}

function outdated(past: readonly HistoryEntry[], { expectEveryHours }: CompletePolicy, now: number): FoundRisk | null {
	const times = past.slice(-USUAL_DISTANCE_OF).map(({ time }) => time);
	const usual = median(times.slice(1).map((time, at) => time - times[at]!));
	const limit = expectEveryHours !== null ? expectEveryHours * HOUR : usual !== null ? usual * MISSED : Infinity;
	const allowed = expectEveryHours !== null ? limit : Math.max(limit, LEAST_MS);
	const newest = past.at(-1)!;
	const age = now - newest.time;
	if (age <= allowed) return null;
	return {
		risk: 'outdated',
		cause: 'the newest backup is older than expected',
		message: `the newest backup, ${newest.facts.label}, is ${ageText(age)} old; one is expected at least every ${ageText(allowed)}`,
		hint: 'Find out why no backups come any more. If this is allowed, old backups expire while no new ones come, down to the few that always stay.',
	};
}

/** By the newest that can be read: what nobody has approved is said again by each. */
function lost(past: readonly HistoryEntry[]): FoundRisk | null {
	const { label, shrunk = [] } = past.findLast(({ unreadable }) => !unreadable)?.facts ?? {};
	const [first, ...more] = shrunk;
	if (label === undefined || !first) return null;
	const others = more.length > 0 ? ` (and ${more.length} more)` : '';
	return {
		risk: 'shrunk',
		cause: 'the source lost much, and nobody has approved that',
		message: `${first.shownBy} has ${first.to} ${first.what}, and ${first.since} had ${first.from}${others}; nobody has approved that`,
		hint: `Look at the source: is everything there that should be? If it is, approve ${label} (n8n-backup approve, or Apply Retention: Approve). If this is allowed instead, the backups of what is missing expire.`,
	};
}

/**
 * The newest, and the newest full one: a tiny full backup does not become sound by the increments after it.
 * What is usual begins anew with what a person has approved.
 */
function shrunk(past: readonly HistoryEntry[], { shrinkPercent }: CompletePolicy): FoundRisk | null {
	const approved = past.findLast(({ facts }) => facts.approved)?.place ?? -1;
	const suspects = new Set([past.at(-1), past.findLast(({ facts }) => facts.type === 'full')]);
	for (const entry of suspects) {
		if (!entry || entry.place <= approved) continue;
		const { label, type } = entry.facts;
		const before = past
			.filter((each) => each.place >= approved && each.place < entry.place && each.facts.type === type && isSound(each))
			.slice(-USUAL_SIZE_OF);
		const usual = median(before.map(sizeOf));
		if (usual === null || sizeOf(entry) >= usual * (1 - shrinkPercent / 100)) continue;
		const percent = Math.floor((1 - sizeOf(entry) / usual) * 100);
		return {
			risk: 'shrunk',
			cause: 'the newest backup is suspiciously small',
			message: `${label} has ${sizeOf(entry)} bytes, ${percent} % less than usual: the ${type} backups before it have ${Math.round(usual)} (median of ${before.length})`,
			hint: 'Look at the source: is everything there that should be? If this is allowed, the backups of what is missing expire.',
		};
	}
	return null;
}

function sizeOf({ facts }: HistoryEntry): number {
	return facts.dataBytes;
}

function median(values: readonly number[]): number | null {
	if (values.length === 0) return null;
	const sorted = values.toSorted((a, b) => a - b);
	const middle = Math.floor(sorted.length / 2);
	return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** In hours up to two days, in days beyond. */
function ageText(milliseconds: number): string {
	const hours = Math.floor(milliseconds / HOUR);
	return hours <= 48 ? `${hours} hours` : `${Math.floor(hours / 24)} days`;
}
