/** How full a storage is, and when it will be full. */
import type { StorageFacts } from './facts';
import { type Reason, reason, type Verdict, verdictOf } from './reasons';
import { growthPerDay } from './usual';

const DAY_MS = 24 * 3_600_000;
const GROWTH_DAYS = 30;
/** Days until a storage is full, and free share of it, from which on it is a warning, and critical. */
const SOON_DAYS = 14;
const VERY_SOON_DAYS = 3;
const LITTLE = 0.1;
const VERY_LITTLE = 0.03;

/** One storage. */
export interface StorageStatus {
	location: string;
	verdict: Verdict;
	reasons: Reason[];
	usedBytes: number;
	/** Null where nobody knows. */
	freeBytes: number | null;
	totalBytes: number | null;
	/** What all backups together grow by, after what expires; null for less than a week of them. */
	growthPerDay: number | null;
	daysUntilFull: number | null;
	/** Largest first. */
	groups: Array<{ group: string; bytes: number; backups: number }>;
	/** Left by runs that did not end. */
	leftovers: number;
}

/** @param capacity bytes in all, where the storage itself cannot know */
export function judgeStorage(facts: StorageFacts, now: Date, capacity: number | null): StorageStatus {
	const { location, space, usedBytes, problems, leftovers } = facts;
	const total = capacity ?? space?.total ?? null;
	const free = capacity !== null ? Math.max(0, capacity - usedBytes) : (space?.free ?? null);
	const growth = growthOf(facts, now);
	const days = free === null || growth === null || growth <= 0 ? null : free / growth;
	const isUnreachable = facts.groups.length === 0 && problems.some((text) => text.startsWith('cannot be looked at'));
	const reasons = [
		...problems.map((text) =>
			isUnreachable ? reason('unreachable', 'critical', text) : reason('journal', 'warning', text),
		),
		...leftovers.lost.slice(0, 5).map((name) => reason('lost', 'critical', `${name} has lost its manifest`)),
		...fullReasons(free, total, days),
	];
	return {
		...{ location, verdict: verdictOf(reasons), reasons, usedBytes, freeBytes: free, totalBytes: total },
		...{ growthPerDay: growth, daysUntilFull: days, leftovers: leftovers.count },
		groups: facts.groups
			.map(({ group, entries }) => ({
				group,
				bytes: entries.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
				backups: entries.length,
			}))
			.sort((a, b) => b.bytes - a.bytes),
	};
}

function fullReasons(free: number | null, total: number | null, days: number | null): Reason[] {
	const share = free === null || total === null || total === 0 ? 1 : free / total;
	const isVery = share < VERY_LITTLE || (days !== null && days < VERY_SOON_DAYS);
	if (!isVery && share >= LITTLE && (days === null || days >= SOON_DAYS)) return [];
	const when =
		days === null ? '' : `; full in ${days < 1 ? 'less than a day' : `about ${Math.floor(days)} days`} at this pace`;
	return [
		reason(
			'nearly-full',
			isVery ? 'critical' : 'warning',
			`${(share * 100).toFixed(share < 0.1 ? 1 : 0)} % of it is free${when}`,
		),
	];
}

/** From the sums of what is there now, day by day: what has expired does not count, as if it had never been. */
function growthOf({ groups }: StorageFacts, now: Date): number | null {
	const today = Math.floor(now.getTime() / DAY_MS);
	const byDay = new Map<number, number>();
	for (const { entries } of groups) {
		for (const { startedAt, storedBytes } of entries) {
			const day = Math.floor(startedAt / DAY_MS);
			byDay.set(day, (byDay.get(day) ?? 0) + storedBytes);
		}
	}
	let sum = 0;
	const points: Array<[number, number]> = [];
	for (const day of [...byDay.keys()].sort((a, b) => a - b)) {
		sum += byDay.get(day)!;
		if (day >= today - GROWTH_DAYS && day <= today) points.push([day, sum]);
	}
	return growthPerDay(points);
}
