/** What happened on each of the last days, for a calendar. */
import { assessEvidence } from '../../records/assessment';
import type { BackupEntry } from '../../records/catalog';
import type { JournalRun } from '../../records/journal/journal';

/** One day in a time zone. */
export interface DayCell {
	/** yyyy-mm-dd */
	day: string;
	backups: number;
	/** Of these, found bad by a verification. */
	bad: number;
	/** Runs that made none. */
	failed: number;
}

const DAYS = 30;
const DAY_MS = 24 * 3_600_000;

/** The last thirty days, oldest first, today last. Failed runs are known only as far back as the journal was read. */
export function daysOf(
	past: readonly BackupEntry[],
	runs: readonly JournalRun[],
	now: Date,
	timeZone: string,
): DayCell[] {
	// Swedish dates are written as ISO 8601 wants them.
	const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' });
	const cells = new Map<string, DayCell>();
	for (let back = DAYS - 1; back >= 0; back--) {
		// A day may have 23 hours: two steps may name the same one.
		const day = format.format(now.getTime() - back * DAY_MS);
		cells.set(day, { day, backups: 0, bad: 0, failed: 0 });
	}
	const from = now.getTime() - DAYS * DAY_MS;
	for (const { startedAt, verifications } of past) {
		const cell = startedAt < from ? undefined : cells.get(format.format(startedAt));
		if (!cell) continue;
		cell.backups++;
		if (assessEvidence(verifications).failed) cell.bad++;
	}
	for (const { verb, state, code, startedAt } of runs) {
		if (verb !== 'backup' || code === 'locked' || (state !== 'failed' && state !== 'lost')) continue;
		const cell = cells.get(format.format(Date.parse(startedAt)));
		if (cell) cell.failed++;
	}
	return [...cells.values()];
}
