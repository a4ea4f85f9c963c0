/** How far the work of an accepted request is, as the journal tells it. */
import { type JournalRun, readRuns } from '../../records/journal/journal';
import { type KnownRequest, readRequest, type RequestEnd } from '../../records/requests';
import type { Repository } from '../../records/repository';

/** `lost`: it was accepted, has not ended, and nothing of it is at work any more. */
export type RequestState = 'running' | 'ok' | 'failed' | 'lost';

/** So long nothing may be in the journal between two runs of one request, milliseconds: a queue, a check before the first byte. */
const PATIENCE_MS = 10 * 60_000;

const DAY_MS = 24 * 3_600_000;

/** The runs of one request, the newest last. @throws BackupError of the storage */
export async function readRequestRuns(
	{ storage }: Repository,
	{ id, acceptedAt }: { id: string; acceptedAt: Date },
	signal: AbortSignal,
): Promise<JournalRun[]> {
	const span = { from: new Date(acceptedAt.getTime() - DAY_MS), to: new Date(Date.now() + DAY_MS), signal };
	return (await readRuns(storage, span)).filter(({ actor }) => actor?.request === id);
}

/** What the runs of a request have done. */
interface Work {
	/** Whether a run has done what was asked, of the group that was named; one of log that found nothing new has. */
	isDone: boolean;
	backups: RequestEnd['backups'];
	/** Of the last run that has failed. */
	code: string | null;
}

/**
 * What was done for a request, as the nodes behind it say, or the journal where they say nothing of it.
 * @param named backups that those nodes name
 * @throws BackupError of the storage
 */
export async function readWork(
	repository: Repository,
	id: string,
	named: RequestEnd['backups'],
	signal: AbortSignal,
): Promise<Work> {
	const known = await readRequest(repository.storage, id, signal);
	const isAsked = ({ group }: { group: string | null }) =>
		known?.asked.group === undefined || group === known.asked.group;
	if (named.some(isAsked)) return { isDone: true, backups: named, code: null };
	if (!known) return { isDone: false, backups: [], code: null };
	const runs = await readRequestRuns(repository, { id, acceptedAt: known.acceptedAt }, signal);
	const done = runs.filter(({ verb, state }) => verb === known.verb && (state === 'ok' || state === 'degraded'));
	return {
		isDone: done.some(isAsked),
		backups: done.flatMap(({ group, label }) => (group === null || label === null ? [] : [{ group, label }])),
		code: runs.findLast(({ code }) => code !== null)?.code ?? null,
	};
}

/**
 * How far a request is. Pure.
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
