/** Trying again what failed for a passing reason: exponential backoff with jitter, and an end. */
import { setTimeout as delay } from 'node:timers/promises';
import { abortError, BackupError, isBackupError } from './errors';
import { tell } from './events';

export interface RetryPolicy {
	/** How often to try in all; 1 means never again. */
	attempts: number;
	/** Milliseconds before the second attempt; doubles with each further one. */
	firstDelayMs: number;
	/** Milliseconds that no pause exceeds. */
	maxDelayMs: number;
}

/** About three seconds of pauses in all: longer than a restarted gateway needs, shorter than anybody's patience. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 5, firstDelayMs: 200, maxDelayMs: 10_000 };

/**
 * Whether the same request may succeed a moment later: no connection, a lost or stalled one, or a server that says so
 * (`details.transient`: HTTP 408, 429 and 5xx, S3's SlowDown and its kin). What was retried to its end is not transient.
 */
export function isTransient(error: unknown): error is BackupError {
	if (!isBackupError(error)) return false;
	const said = error.details?.transient;
	return typeof said === 'boolean' ? said : isBackupError(error, 'unreachable', 'connection-lost', 'stalled');
}

/**
 * Runs an operation until it succeeds, fails for good, or has failed `policy.attempts` times.
 * @param operation gets the number of the attempt, from 1
 * @throws the operation's error; after several attempts with their number in message and details. The signal's reason.
 */
export async function retry<T>(
	operation: (attempt: number) => Promise<T>,
	policy: RetryPolicy,
	signal?: AbortSignal,
): Promise<T> {
	for (let attempt = 1; ; attempt++) {
		if (signal?.aborted) throw abortError(signal);
		try {
			return await operation(attempt);
		} catch (error) {
			await pauseAfter(error, attempt, policy, signal);
		}
	}
}

/**
 * Waits before another attempt, for what cannot be one function call, such as going on with a stream.
 * @param failures how often it has failed in a row
 * @throws the error when it is not transient or the attempts are used up; the signal's reason
 */
export async function pauseAfter(
	error: unknown,
	failures: number,
	policy: RetryPolicy,
	signal?: AbortSignal,
): Promise<void> {
	if (signal?.aborted) throw abortError(signal);
	if (!isTransient(error)) throw error;
	if (failures >= policy.attempts) throw exhausted(error, failures);
	tell({ kind: 'retry', message: error.message, failures });
	await pause(backoff(policy, failures), signal);
}

/** Half of the pause is random, so that clients that failed together do not come back together. */
function backoff(policy: RetryPolicy, attempt: number): number {
	const full = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
	return full / 2 + (Math.random() * full) / 2;
}

/**
 * Waits, unless the signal ends it.
 * @param ms milliseconds
 * @throws the signal's reason
 */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
	try {
		await delay(ms, undefined, { signal });
	} catch (error) {
		throw signal?.aborted ? abortError(signal) : error;
	}
}

/** Marked as not transient, so that retries around retries do not multiply. */
function exhausted(error: BackupError, attempts: number): BackupError {
	const times = attempts === 1 ? '' : ` (tried ${attempts} times)`;
	return new BackupError(error.code, `${error.message}${times}`, {
		hint: error.hint,
		cause: error,
		details: { ...error.details, attempts, transient: false },
	});
}
