/** What `n8n-backup restore` must know of a kind of place to restore to. */
import type { Restored, Restorer, RestoreProgress } from '../../core/sources/source';
import type { RestoreResult } from '../../core/verbs/restore/types';

/** One kind of place to restore to. */
export interface RestoreWay<Result extends Restored> {
	restorer: Restorer<never, Result>;
	/** What is said behind the bytes while it runs. */
	progress: (progress: RestoreProgress) => string;
	/** Tells what came of it, but for its warnings and what differs. @param asOf how old it is, as a line of its own */
	show: (result: RestoreResult<Result>, asOf: string) => void;
}
