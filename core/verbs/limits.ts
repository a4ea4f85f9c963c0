/** The limits that a whole run of a verb is under. */
import { abortError, isBackupError } from '../base/errors';
import { ENDING_MS, DEFAULT_LIMITS, Limits, watchDuration, unlessStuck } from '../base/limits';
import type { Storage } from '../storage/storage';
import { limitStorage } from '../storage/limited';

/** What a run may do: how long in all, and how long without a sign. */
export interface RunLimits {
	limits?: Partial<Limits>;
	/** Of whoever started the run. */
	signal: AbortSignal;
	/** What to do besides raising the limit when it takes too long, e.g. "back up less at once". */
	advice: string;
}

/**
 * Does the whole of a run under its limits. The work gets a signal that aborts when it was cancelled or takes too long, and
 * every storage that it uses goes through `limited`, so that no call of it waits for ever. Should something not listen to
 * any of that, the run fails all the same some time later.
 * @throws what the work throws; 'timed-out', 'cancelled'
 */
export async function withLimits<T>(
	{ limits, signal, advice }: RunLimits,
	work: (run: { signal: AbortSignal; limits: Limits; limited: (storage: Storage) => Storage }) => Promise<T>,
): Promise<T> {
	const all = { ...DEFAULT_LIMITS, ...limits };
	const hard = new AbortController();
	const duration = watchDuration(all.hardTimeoutMs, (error) => hard.abort(error), advice);
	const either = AbortSignal.any([signal, hard.signal]);
	const limited = (storage: Storage) => limitStorage(storage, { stallTimeoutMs: all.stallTimeoutMs, signal: either });
	try {
		if (either.aborted) throw abortError(either);
		// The journal's record of the run has given up before, and has written that down.
		return await unlessStuck(work({ signal: either, limits: all, limited }), either, 2 * ENDING_MS);
	} catch (error) {
		// What failed because it was stopped says so in many ways.
		throw either.aborted && !isBackupError(error) ? abortError(either) : error;
	} finally {
		duration.stop();
	}
}
