/** How often a group is backed up, as somebody said or as its own past tells. */
import { matchesGlob } from '../../base/glob';
import type { BackupEntry } from '../../records/catalog';
import { median } from './usual';

const HOUR_MS = 3_600_000;
/** Distances that tell the usual one. */
const DISTANCES = 10;
/** Missed by so many times what is usual, a backup is late, and then overdue. */
const LATE = 2;
const OVERDUE = 3;

/** What somebody expects. */
export interface Expectation {
	/** A group, or a pattern of groups with `*` and `?`. One without wildcards that has no backup is missing. */
	group: string;
	/** A backup at least every so many hours; null: as its own past tells. */
	everyHours: number | null;
}

/** When a group's next backup is late. */
export interface Rhythm {
	/** Between two backups, milliseconds; null where nobody can say. */
	everyMs: number | null;
	/** From the group's own past. */
	learnt: boolean;
	/** Age at which the newest backup is too old; infinite where nobody can say. */
	lateMs: number;
	overdueMs: number;
}

/** How often a group is expected to be backed up. The first expectation that names it counts. */
export function rhythmOf(group: string, entries: readonly BackupEntry[], expectations: readonly Expectation[]): Rhythm {
	const given = expectations.find((each) => matchesGlob(group, each.group))?.everyHours ?? null;
	if (given !== null) {
		const everyMs = given * HOUR_MS;
		return { everyMs, learnt: false, lateMs: everyMs, overdueMs: 2 * everyMs };
	}
	const everyMs = usualDistance(entries.map(({ startedAt }) => startedAt));
	if (everyMs === null) return { everyMs, learnt: true, lateMs: Infinity, overdueMs: Infinity };
	return { everyMs, learnt: true, lateMs: LATE * everyMs, overdueMs: OVERDUE * everyMs };
}

/** The median of the last distances between times; null for fewer than three times. */
export function usualDistance(times: readonly number[]): number | null {
	const last = times.slice(-DISTANCES - 1);
	return last.length < 3 ? null : median(last.slice(1).map((time, at) => time - last[at]!));
}

/** Groups that are expected by name and that nobody has. */
export function missingGroups(expectations: readonly Expectation[], groups: ReadonlySet<string>): string[] {
	return expectations.map(({ group }) => group).filter((group) => !/[*?]/.test(group) && !groups.has(group));
}
