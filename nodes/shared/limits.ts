/** How long a run may take, as the node's fields say it. */
import type { Limits } from '../../core/streams/pipeline';
import { notNegative, positive } from './values';

/** Fields of an "Options" collection; each is absent until the user adds it. */
export interface LimitFields {
	/** Hours. */
	hardTimeout?: number;
	/** Seconds. */
	stallTimeout?: number;
}

/** @throws BackupError 'invalid-input' */
export function readLimits(options: LimitFields): Limits {
	return {
		hardTimeoutMs: positive('Maximum Duration', options.hardTimeout ?? 24) * 3_600_000,
		stallTimeoutMs: positive('Stall Timeout', options.stallTimeout ?? 300) * 1000,
	};
}

/**
 * Bytes per second; undefined where nothing limits them.
 * @param megabytes of the option, per second; absent until the user adds it
 * @throws BackupError 'invalid-input'
 */
export function readRateLimit(megabytes: number | undefined): number | undefined {
	return megabytes ? positive('Rate Limit', megabytes) * 1_000_000 : undefined;
}

/** Longer than most runs; what waits longer is a schedule that is too tight. */
export const DEFAULT_LOCK_WAIT_MINUTES = 30;

/**
 * Milliseconds to wait for another run in the same group.
 * @param minutes of the option; absent until the user adds it
 * @throws BackupError 'invalid-input'
 */
export function readLockWait(minutes: number | undefined): number {
	return notNegative('Wait for Lock', minutes ?? DEFAULT_LOCK_WAIT_MINUTES) * 60_000;
}
