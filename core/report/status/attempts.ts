/** What the journal says of a group's backup runs. */
import { BEAT_MS, STALE_AFTER_MS } from '../../records/heartbeat';
import type { JournalRun } from '../../records/journal/journal';
import { spanText } from './ages';
import { type Reason, reason } from './reasons';
import { median } from './usual';

/** A run while it is under way. */
export interface RunningRun {
	id: string;
	verb: string;
	group: string | null;
	host: string;
	startedAt: string;
	/** Null before its first heartbeat that can be read. */
	phase: string | null;
	bytes: number | null;
	totalBytes: number | null;
	/** Since its last heartbeat, milliseconds; null where that cannot be read. */
	silentMs: number | null;
}

/** Backup runs of one group. */
export interface Attempts {
	/** The newest that has ended. */
	last: { id: string; at: string; state: JournalRun['state']; code: string | null } | null;
	/** That failed since the last one that did not. */
	failuresInARow: number;
	/** When the newest run began that found nothing new, milliseconds since 1970; null where there is none. */
	unchangedAt: number | null;
	reasons: Reason[];
}

/** A run that takes so many times as long as usual is worth a look; but not the first minutes. */
const LONG = 3;
const LEAST_LONG_MS = 10 * 60_000;
/** So many failures are no accident any more. */
const MANY = 3;

/** @param runs of one group, oldest first */
export function attemptsOf(runs: readonly JournalRun[], now: Date): Attempts {
	// A run that found another one at work says nothing about the source.
	const backups = runs.filter(({ verb, code }) => verb === 'backup' && code !== 'locked');
	const ended = backups.filter(({ state }) => state !== 'running');
	const last = ended.at(-1) ?? null;
	const failuresInARow = ended.length - 1 - ended.findLastIndex(({ state }) => state === 'ok' || state === 'degraded');
	const reasons: Reason[] = [];
	if (last && failuresInARow > 0) {
		// Log that cannot be joined does not mend itself.
		const isLasting = last.code === 'broken-log';
		const severity = failuresInARow >= MANY || isLasting ? 'critical' : 'warning';
		const ago = spanText(now.getTime() - Date.parse(last.startedAt));
		const code = last.code ? ` (${last.code})` : '';
		const how =
			last.state === 'lost' ? 'ended without a word' : last.state === 'cancelled' ? 'was cancelled' : 'failed';
		const times = failuresInARow === 1 ? 'the last run' : `the last ${failuresInARow} runs`;
		if (last.state === 'lost') reasons.push(reason('stuck', severity, `${times}, ${ago} ago, ${how}`));
		else reasons.push(reason('failed', severity, `${times}, ${ago} ago, ${how}${code}`));
	}
	const unchanged = ended.findLast(({ state, facts }) => state === 'ok' && facts.unchanged === true);
	const usual = median(ended.filter(({ state }) => state === 'ok').map(durationOf));
	for (const run of backups.filter(({ state }) => state === 'running')) {
		const since = now.getTime() - Date.parse(run.startedAt);
		if (usual === null || since < Math.max(LONG * usual, LEAST_LONG_MS)) continue;
		const text = `a run is at work for ${spanText(since)}; usually it takes ${spanText(usual)}`;
		reasons.push(reason('long-running', 'warning', text));
	}
	return {
		last: last && { id: last.id, at: last.startedAt, state: last.state, code: last.code },
		failuresInARow,
		unchangedAt: unchanged ? Date.parse(unchanged.startedAt) : null,
		reasons,
	};
}

/** Runs that are under way, oldest first. */
export function runningRuns(runs: readonly JournalRun[], now: Date): RunningRun[] {
	return runs
		.filter(({ state }) => state === 'running')
		.map(({ id, verb, group, host, startedAt, progress }) => ({
			...{ id, verb, group, host, startedAt },
			phase: progress?.phase ?? null,
			bytes: progress?.bytes ?? null,
			totalBytes: progress?.totalBytes ?? null,
			silentMs: progress && Math.max(0, now.getTime() - Date.parse(progress.at)),
		}));
}

/** Whether a run has missed a heartbeat or more, and is not yet given up. */
export function isQuiet({ silentMs }: RunningRun): boolean {
	return silentMs !== null && silentMs > 2 * BEAT_MS && silentMs < STALE_AFTER_MS;
}

function durationOf({ startedAt, finishedAt }: JournalRun): number {
	return Date.parse(finishedAt ?? startedAt) - Date.parse(startedAt);
}
