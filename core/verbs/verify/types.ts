/** What a verification is asked for, and what it answers. */
import type { ErrorCode } from '../../base/errors';
import type { Limits } from '../../base/limits';
import type { DecryptionKeys } from '../../codecs/age/header';
import type { Depth } from '../../records/evidence';
import type { Actor } from '../../records/journal/actor';
import type { Repository } from '../../records/repository';
import type { AssertionResult, Comparison, Drill } from '../../sources/source';

export interface VerifyProgress {
	/** `stored`, `readable`, or what the drill does: `waiting`, `restoring`, `comparing`. */
	phase: string;
	/** Of this phase, so far. */
	bytes: number;
	totalBytes: number;
}

export interface VerifyRequest {
	repository: Repository;
	group: string;
	label: string;
	depth: Depth;
	/** null where no key is at hand: then only `stored` can be proved of an encrypted backup. */
	keys: DecryptionKeys | null;
	/**
	 * For depth `stored`: names of objects that the caller has just read whole where they lie, and found to be what the
	 * manifest says. Of them only the size is looked at again.
	 */
	alreadyRead?: ReadonlySet<string>;
	/** Restores as a test, one of each kind that can be restored here; needed for depth `restored` only. */
	drills?: readonly Drill[];
	limits?: Partial<Limits>;
	/** For the journal. */
	actor?: Actor;
	signal: AbortSignal;
	/** Called about once a second. */
	onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyResult {
	group: string;
	label: string;
	depth: Depth;
	/**
	 * `ok`: all that the depth asks for was proved. `bad`: it was proved that the backup is not what it should be; no
	 * other attempt will change that. `environment`: nothing was proved, for a reason outside of the backup.
	 */
	outcome: 'ok' | 'bad' | 'environment';
	/** null when it is ok. */
	code: ErrorCode | null;
	/** Lower case, for people. May name what the source holds. */
	message: string;
	hint: string | null;
	/** ISO 8601. */
	startedAt: string;
	finishedAt: string;
	seconds: number;
	/** How long the drill took until all was restored: the measured RTO. */
	restoreSeconds: number | null;
	comparison: Comparison | null;
	assertions: AssertionResult[];
	/** Where it was restored, for people. */
	scratch: string | null;
	/** Whether a trusted signer has signed the backup; false also where nothing was checked. */
	authentic: boolean;
	/** Name of the object beside the backup; null when nothing was proved. */
	evidence: string | null;
	warnings: string[];
}
