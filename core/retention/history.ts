/** The backups of one group in the order of their times, and which of them can be relied on. */
import { BackupError } from '../base/errors';
import { assessEvidence, isProved } from '../records/assessment';
import type { Verification } from '../records/evidence';
import { AHEAD_MS, BACKUP_TYPES } from '../records/label';
import { Chains } from './chains';
import type { BackupFacts } from './facts';
import { FLAWS } from './reasons';
import type { CompletePolicy } from './rules';

/** One backup in the history of its group. */
export interface HistoryEntry {
	/** In the history, from 0. */
	readonly place: number;
	readonly facts: BackupFacts;
	/** Start, milliseconds. */
	readonly time: number;
	/** Its time has not come yet: it stays, and counts for nothing. */
	readonly future: boolean;
	/** Why it cannot be restored, as far as known; null for a sound one. */
	readonly flaw: string | null;
	/** It, and all that it needs, has been verified as deep as the policy wants. */
	readonly verified: boolean;
	/** Its own evidence says that it is bad. */
	readonly failed: boolean;
	/** Nobody can read it, so nobody knows what it is: it stays, and counts for nothing. */
	readonly unreadable: boolean;
	/** It has a verification whose time has not come yet. */
	readonly futureEvidence: boolean;
}

export interface History {
	/** Oldest first. */
	entries: readonly HistoryEntry[];
	chains: Chains;
}

/** What its own evidence says of one backup. */
interface Verdict {
	failed: Verification | null;
	verified: boolean;
	restored: boolean;
	futureEvidence: boolean;
}

/** @throws BackupError 'invalid-input' when two backups have one label: what is said of one would be done to the other */
export function assess(
	backups: readonly BackupFacts[],
	policy: CompletePolicy,
	now: number,
	unreadable: ReadonlyMap<string, string>,
): History {
	const ordered = [...backups].sort(byTime);
	const chains = new Chains(ordered, placesOf(ordered));
	const limit = now + AHEAD_MS;
	const verdicts = ordered.map(({ verifications }) => judge(verifications, policy, limit));
	const flaws = findFlaws(ordered, verdicts, chains, unreadable);
	const unproved = chains.needing(
		placesWhere(verdicts, ({ verified }) => !verified),
		(place) => verdicts[place]!.restored,
	);
	const entries = ordered.map((facts, place): HistoryEntry => {
		const time = facts.startedAt;
		const flaw = flaws.get(place) ?? null;
		const verified = flaw === null && verdicts[place]!.verified && !unproved.has(place);
		const { futureEvidence, failed } = verdicts[place]!;
		return {
			...{ place, facts, time, flaw, verified, futureEvidence },
			future: time > limit,
			failed: failed !== null,
			unreadable: unreadable.has(facts.label),
		};
	});
	return { entries, chains };
}

/** Whether a backup can fill a place: it can be restored as far as known, and its time is one to go by. */
export function isSound({ future, flaw }: HistoryEntry): boolean {
	return !future && flaw === null;
}

function judge(verifications: readonly Verification[], { trust }: CompletePolicy, limit: number): Verdict {
	const assessment = assessEvidence(verifications, limit);
	return {
		failed: assessment.failed,
		verified: isProved(assessment, trust),
		restored: isProved(assessment, 'restored'),
		futureEvidence: assessment.future,
	};
}

function findFlaws(
	backups: readonly BackupFacts[],
	verdicts: readonly Verdict[],
	chains: Chains,
	unreadable: ReadonlyMap<string, string>,
): Map<number, string> {
	const flaws = new Map<number, string>();
	for (const [place, what] of chains.missing) flaws.set(place, FLAWS.missingParent(what));
	for (const [place, { failed }] of verdicts.entries()) if (failed) flaws.set(place, FLAWS.bad(failed));
	for (const [place, { label }] of backups.entries()) {
		const why = unreadable.get(label);
		if (why !== undefined) flaws.set(place, FLAWS.unreadable(why));
	}
	for (const [place, origin] of chains.needing([...flaws.keys()])) {
		if (flaws.has(place)) continue;
		const { label } = backups[origin]!;
		flaws.set(place, verdicts[origin]!.failed ? FLAWS.badParent(label) : FLAWS.brokenParent(label));
	}
	return flaws;
}

function placesWhere<T>(items: readonly T[], accept: (item: T) => boolean): number[] {
	return items.flatMap((item, place) => (accept(item) ? [place] : []));
}

/** Within a second, full backups come first: others may need them. */
function byTime(a: BackupFacts, b: BackupFacts): number {
	const types = BACKUP_TYPES.indexOf(a.type) - BACKUP_TYPES.indexOf(b.type);
	return a.startedAt - b.startedAt || types || (a.label < b.label ? -1 : a.label > b.label ? 1 : 0);
}

/** By label. */
function placesOf(ordered: readonly BackupFacts[]): Map<string, number> {
	const places = new Map<string, number>();
	for (const [place, { label }] of ordered.entries()) places.set(label, place);
	if (places.size === ordered.length) return places;
	const { group, label } = ordered.find((each, place) => places.get(each.label) !== place)!;
	throw new BackupError('invalid-input', `${group} has two backups of the name ${label}`, {
		hint: 'Give each backup once: a plan that names one twice could not be applied.',
	});
}
