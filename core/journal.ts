/** The journal of a storage: every run writes down that it began, how far it is, and how it ended. */
import type { Actor, Verb } from './actor';
import type { ErrorCode } from './errors';
import type { Storage } from './storage/storage';

export type { Actor, Verb } from './actor';

export interface RunRequest {
	verb: Verb;
	/** null for a run about the whole storage. */
	group: string | null;
	/** Where it is known from the start. */
	label?: string | null;
	actor?: Actor;
	signal?: AbortSignal;
}

/** A run while it is under way. */
export interface RunRecord {
	readonly id: string;
	/** Notes how far the run is; the next sign of life takes it along. May be called as often as one likes. */
	progress(phase: string, bytes: number, totalBytes?: number): void;
	/**
	 * What went wrong with the journal, and whatever the run adds. Give this very array to the caller: what comes up
	 * while the end is being written is added to it.
	 */
	readonly warnings: string[];
}

/** How a run ended, in codes and figures: no secret, no name of a table, no message. */
export interface RunEnd {
	outcome: 'ok' | 'degraded' | 'failed';
	code?: ErrorCode | null;
	/** Where it became known on the way. */
	label?: string | null;
	facts: Record<string, string | number | boolean | null>;
}

/** A run as the journal tells of it. */
export interface Run {
	id: string;
	verb: Verb;
	group: string | null;
	label: string | null;
	actor: Actor | null;
	host: string;
	/** ISO 8601. */
	startedAt: string;
	finishedAt: string | null;
	/** `lost`: it began, and neither ended nor shows signs of life any more. */
	state: 'running' | 'ok' | 'degraded' | 'failed' | 'cancelled' | 'lost';
	code: ErrorCode | null;
	facts: RunEnd['facts'];
	/** Its last sign of life, of a run that has not ended. `at`: ISO 8601. */
	progress: { phase: string; bytes: number; totalBytes: number | null; at: string } | null;
}

/**
 * Does the work and writes down its start, its signs of life and its end. A journal that cannot be written is a warning:
 * it neither fails the work nor holds it up for more than some seconds.
 * @param describe how the run ended, of its result; work that throws has failed, or was cancelled
 * @throws what the work throws
 */
export async function recordRun<T>(
	_storage: Storage,
	_request: RunRequest,
	work: (run: RunRecord) => Promise<T>,
	_describe: (result: T) => RunEnd,
): Promise<T> {
	return await work({ id: '', progress: () => undefined, warnings: [] });
}

/** The runs that started in a span of time, oldest first. Entries that are damaged are left out, see {@link checkJournal}. */
export async function readRuns(
	_storage: Storage,
	_span: { from: Date; to: Date; signal?: AbortSignal },
): Promise<Run[]> {
	return [];
}

/** What is wrong with the chain of entries: one that is missing, changed, or not where it was written. */
export async function checkJournal(
	_storage: Storage,
	_span: { from: Date; to: Date; signal?: AbortSignal },
): Promise<Array<{ key: string; problem: string }>> {
	return [];
}
