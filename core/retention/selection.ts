/** What the rules of a policy choose by themselves, before any of the rules that no policy can override. */
import type { Calendar } from './calendar';
import { type HistoryEntry, isSound } from './history';
import type { Pace } from './pace';
import { REASONS } from './reasons';
import { type CompletePolicy, type Tier, TIERS } from './rules';

const HOUR = 3_600_000;

/** One rule that wants one backup. */
export interface Choice {
	entry: HistoryEntry;
	reason: string;
	/** It takes a place that another backup would have otherwise, so that one may expire for its sake. */
	fills: boolean;
	/** When the rule lets go of it if backups go on, milliseconds; infinite when no end is known. */
	until: number;
}

export interface Selection {
	/** By rule; a backup is there as often as rules want it. */
	choices: Choice[];
	/** The tiers in which another backup stays for the period of this one. */
	coveredTiers: (entry: HistoryEntry) => Tier[];
}

/** A period that has a backup. */
interface Filled {
	/** 0 for the newest one. */
	rank: number;
	verified: boolean;
}

export function select(
	entries: readonly HistoryEntry[],
	policy: CompletePolicy,
	calendar: Calendar,
	pace: Pace,
): Selection {
	const newestFirst = entries.filter(isSound).reverse();
	const periods = new Map<Tier, ReadonlyMap<number, Filled>>();
	const choices = newestFirst.slice(0, policy.last).map((entry, rank): Choice => {
		return { entry, reason: REASONS.last(policy.last), fills: true, until: pace.arrival(policy.last - rank) };
	});
	for (const tier of TIERS) {
		if (policy[tier] === 0) continue;
		const tierChoices = selectInTier(tier, newestFirst, policy[tier], calendar, pace);
		periods.set(tier, tierChoices.periods);
		choices.push(...tierChoices.choices);
	}
	return {
		choices: [...choices, ...selectWithin(entries, policy, pace.now), ...selectTagged(entries, policy)],
		coveredTiers: ({ time }) => TIERS.filter((tier) => periods.get(tier)?.has(calendar.periodOf(tier, time))),
	};
}

/** The newest sound backup of each period takes its place; while it is not verified, the newest verified one stays too. */
function selectInTier(
	tier: Tier,
	newestFirst: readonly HistoryEntry[],
	places: number,
	calendar: Calendar,
	pace: Pace,
): { choices: Choice[]; periods: Map<number, Filled> } {
	const choices: Choice[] = [];
	const periods = new Map<number, Filled>();
	const present = calendar.periodOf(tier, pace.now);
	for (const entry of newestFirst) {
		const period = calendar.periodOf(tier, entry.time);
		const filled = periods.get(period);
		if (filled ? filled.verified || !entry.verified : periods.size === places) continue;
		const rank = filled?.rank ?? periods.size;
		periods.set(period, { rank, verified: entry.verified });
		const name = calendar.nameOf(tier, entry.time);
		choices.push({
			entry,
			reason: filled ? REASONS.tierVerified(tier, name) : REASONS.tier(tier, name),
			fills: true,
			until:
				period === present && tier !== pace.finest
					? pace.arrival(1)
					: pace.fill(tier, places - rank, periods.has(present)),
		});
	}
	return { choices, periods };
}

/** Those that are bad as well: within this time, somebody may want to know why. */
function selectWithin(entries: readonly HistoryEntry[], { withinHours }: CompletePolicy, now: number): Choice[] {
	return entries.flatMap((entry) => {
		const until = entry.time + withinHours * HOUR;
		return !entry.future && until > now ? [{ entry, reason: REASONS.within(withinHours), fills: false, until }] : [];
	});
}

function selectTagged(entries: readonly HistoryEntry[], { tags }: CompletePolicy): Choice[] {
	return entries.flatMap((entry) =>
		[...new Set(tags)]
			.filter((tag) => entry.facts.tags.includes(tag))
			.map((tag) => ({ entry, reason: REASONS.tagged(tag), fills: false, until: Infinity })),
	);
}
