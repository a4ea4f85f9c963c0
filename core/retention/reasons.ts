/** Every word that a plan says to people, but for what blocks it. One place, so that the same thing has the same name. */
import type { Verification } from '../records/evidence';
import { formatHours } from './policy-text';
import type { Tier } from './rules';

const PERIOD: Record<Tier, string> = { hourly: 'hour', daily: 'day', weekly: 'week', monthly: 'month', yearly: 'year' };

/** A hundred thousand backups can expire for a handful of reasons: each once. */
const whyExpired = new Map<string, readonly string[]>();

export const REASONS = {
	last: (number: number) => `last ${number}`,
	/** @param name of the period */
	tier: (tier: Tier, name: string) => `${tier} ${name}`,
	/** For the newest verified backup of a period whose newest one is not verified. */
	tierVerified: (tier: Tier, name: string) => `${tier} ${name} (its newest that is verified)`,
	within: (hours: number) => `within ${formatHours(hours)}`,
	tagged: (tag: string) => `tagged ${tag}`,
	pinned: 'pinned',
	newestVerified: 'the newest that is verified',
	minimum: (number: number) => `at least ${number} stay`,
	parentOf: (label: string) => `parent of ${label}`,
	future: 'dated in the future',
	unreadable: 'nobody can say what would be lost',
	needsUnreadable: (label: string) => `needs ${label}, which cannot be read`,
	held: (causes: readonly string[]) => `held: ${causes.join('; ')}`,
	/** @param tiers in which other backups stay for its periods */
	expired: (tiers: readonly Tier[]): readonly string[] => {
		const known = whyExpired.get(tiers.join());
		if (known) return known;
		const why = [
			tiers.length > 0
				? `other backups stay for its ${list(tiers.map((tier) => PERIOD[tier]))}`
				: 'no rule of the policy keeps it',
		];
		whyExpired.set(tiers.join(), why);
		return why;
	},
} as const;

/** Why a backup cannot be relied on. */
export const FLAWS = {
	bad: ({ at, depth }: Verification) => `failed a verification (${depth}) of ${timeText(new Date(at))}`,
	unreadable: (why: string) => `cannot be read: ${why}`,
	missingParent: (what: string) => `cannot be restored: it needs ${what}, which is not there`,
	badParent: (label: string) => `cannot be restored: it needs ${label}, which failed a verification`,
	brokenParent: (label: string) => `cannot be restored: it needs ${label}, which cannot be restored`,
} as const;

/** `2026-11-20 02:15 UTC`. */
export function timeText(time: Date): string {
	return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** `a`, `a and b`, `a, b and c`. */
function list(words: readonly string[]): string {
	return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
