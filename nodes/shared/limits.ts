/** How long a run may take, as the node's fields say it. */
import type { Limits } from '../../core/pipeline';
import { positive } from './values';

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
