/** How far the work of an accepted request is. Pure. */
import type { JournalRun } from '../../records/journal/journal';
import type { KnownRequest } from '../../records/requests';

/** `lost`: it was accepted, has not ended, and nothing of it is at work any more. */
export type RequestState = 'running' | 'ok' | 'failed' | 'lost';

/** So long nothing may be in the journal between two runs of one request, milliseconds: a queue, a check before the first byte. */
const PATIENCE_MS = 10 * 60_000;

/**
 * @param runs of this request
 * @param now milliseconds since 1970
 */
export function requestState(
	{ acceptedAt, end }: KnownRequest,
	runs: readonly JournalRun[],
	now: number,
): RequestState {
	if (end) return end.outcome;
	if (runs.some(({ state }) => state === 'running')) return 'running';
	if (runs.some(({ state }) => state === 'lost')) return 'lost';
	// Somebody has stopped the execution, and with it what would have written down its end.
	if (runs.some(({ state }) => state === 'cancelled')) return 'failed';
	const signs = [acceptedAt.getTime(), ...runs.map(({ finishedAt }) => Date.parse(finishedAt ?? ''))];
	return now - Math.max(...signs.filter(Number.isFinite)) < PATIENCE_MS ? 'running' : 'lost';
}
