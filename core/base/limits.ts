/** How long a run may take, how long it may stand still, and how fast it may be. */
import { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortError, BackupError, isBackupError } from './errors';
import { limitStorage } from '../storage/limited';
import type { Storage } from '../storage/storage';

export interface Limits {
	/** Stop when no byte moves for this long, milliseconds. */
	stallTimeoutMs: number;
	/** Stop when it takes longer than this, milliseconds. */
	hardTimeoutMs: number;
	/** Read the source no faster than this; no limit when absent. */
	bytesPerSecond?: number;
}

export const DEFAULT_LIMITS: Limits = { stallTimeoutMs: 5 * 60_000, hardTimeoutMs: 24 * 3_600_000 };

/** How long a run that was told to stop may tidy up before nobody waits for it any more. */
const ENDING_MS = 60_000;

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

/** What the work gives, unless it does not end within some time after the signal. */
export async function unlessStuck<T>(work: Promise<T>, signal: AbortSignal, endingMs = ENDING_MS): Promise<T> {
	let timer: NodeJS.Timeout | undefined;
	let onAbort = () => {};
	const stuck = new Promise<never>((_, reject) => {
		onAbort = () => {
			timer = setTimeout(() => {
				const { code, message, hint } = abortError(signal);
				const still = `${message}, and did not end within ${seconds(endingMs)} after that; it may still be doing something`;
				reject(new BackupError(code, still, { hint, cause: signal.reason }));
			}, endingMs);
		};
		if (signal.aborted) onAbort();
		else signal.addEventListener('abort', onAbort, { once: true });
	});
	try {
		return await Promise.race([work, stuck]);
	} finally {
		clearTimeout(timer);
		signal.removeEventListener('abort', onAbort);
	}
}

/** What a run has done so far. `moved` grows with every byte; `waitingFor` null: whoever takes the bytes is busy. */
export interface Movement {
	moved: number;
	waitingFor: string | null;
}

/** Looks once a second, and ends the run when nothing moved for too long. */
export function watchStall(
	stallTimeoutMs: number,
	fail: (error: BackupError) => void,
	look: () => Movement,
): { stop(): void } {
	let last = { moved: 0, at: performance.now() };
	const timer = setInterval(
		() => {
			const { moved, waitingFor } = look();
			if (moved !== last.moved || waitingFor === null) last = { moved, at: performance.now() };
			else if (performance.now() - last.at >= stallTimeoutMs) {
				fail(
					new BackupError('stalled', `nothing moved for ${seconds(stallTimeoutMs)}; waiting for the ${waitingFor}`, {
						hint: 'Check the network and the load of both sides. If such pauses are normal here, raise the stall timeout.',
					}),
				);
			}
		},
		Math.min(1000, stallTimeoutMs / 4),
	);
	return { stop: () => clearInterval(timer) };
}

/**
 * Ends a run that takes too long.
 * @param advice what to do besides raising the limit, e.g. "back up less at once"
 */
export function watchDuration(
	hardTimeoutMs: number,
	fail: (error: BackupError) => void,
	advice: string,
): { stop(): void } {
	const timer = sleepUntil(hardTimeoutMs, () =>
		fail(
			new BackupError('timed-out', `not done within ${seconds(hardTimeoutMs)}`, {
				hint: `Raise the maximum duration, or ${advice}.`,
			}),
		),
	);
	return { stop: () => timer.abort() };
}

/** A timer that may be longer than the 24.8 days of setTimeout. */
function sleepUntil(ms: number, then: () => void): AbortController {
	const stop = new AbortController();
	const MAX = 2 ** 31 - 1;
	void (async () => {
		for (let left = ms; left > 0; left -= MAX) await sleep(Math.min(left, MAX), undefined, { signal: stop.signal });
		then();
	})().catch((error: unknown) => {
		if (!stop.signal.aborted) throw error;
	});
	return stop;
}

function seconds(ms: number): string {
	return ms < 120_000 ? `${Math.round(ms / 1000)} seconds` : `${Math.round(ms / 60_000)} minutes`;
}

/** Lets bytes pass at a steady rate: sleeps as soon as it is ahead of time. */
export function throttle(bytesPerSecond: number, signal: AbortSignal): Transform {
	const start = performance.now();
	let passed = 0;
	return new Transform({
		transform(chunk: Buffer, _encoding, done) {
			passed += chunk.length;
			const aheadMs = (passed / bytesPerSecond) * 1000 - (performance.now() - start);
			if (aheadMs < 5) return done(null, chunk);
			sleep(aheadMs, undefined, { signal }).then(
				() => done(null, chunk),
				(error: Error) => done(error),
			);
		},
	});
}
