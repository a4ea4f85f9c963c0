/** How long a run may take, how long it may stand still, and how fast it may be. */
import { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortError, BackupError } from './errors';
import { tell } from './events';

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
export const ENDING_MS = 60_000;

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

/** After so long without a movement, somebody who watches should know. */
const SLOW_MS = 15_000;

/** Looks once a second, tells when nothing moves, and ends the run when nothing moved for too long. */
export function watchStall(
	stallTimeoutMs: number,
	fail: (error: BackupError) => void,
	look: () => Movement,
): { stop(): void } {
	let last = { moved: 0, at: performance.now() };
	let told = 0;
	const timer = setInterval(
		() => {
			const { moved, waitingFor } = look();
			const waitedMs = performance.now() - last.at;
			if (moved !== last.moved || waitingFor === null) {
				last = { moved, at: performance.now() };
				told = 0;
			} else if (waitedMs >= stallTimeoutMs) {
				fail(
					new BackupError('stalled', `nothing moved for ${seconds(stallTimeoutMs)}; waiting for the ${waitingFor}`, {
						hint: 'Check the network and the load of both sides. If such pauses are normal here, raise the stall timeout.',
					}),
				);
			} else if (waitedMs >= (told + 1) * SLOW_MS) {
				told++;
				tell({ kind: 'slow', waitingFor, seconds: Math.round(waitedMs / 1000) });
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
