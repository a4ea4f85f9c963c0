/** What a restore is asked for, and what it answers. */
import type { Limits } from '../../base/limits';
import type { DecryptionKeys } from '../../codecs/age/header';
import type { Actor } from '../../records/journal/actor';
import type { Repository } from '../../records/repository';
import type { Restored, Restorer, RestoreProgress } from '../../sources/source';

export interface MeasuredRestoreProgress extends RestoreProgress {
	/** Of the data, as the source gave it. */
	totalBytes: number;
}

export interface RestoreRequest<Result extends Restored = Restored> {
	repository: Repository;
	group: string;
	label: string;
	/** Other backups that the restorer uses besides, in this order: the log behind a base backup. */
	alongside?: { group: string; labels: readonly string[] };
	/** null for a backup that is not encrypted. */
	keys: DecryptionKeys | null;
	/** Where and how: of the kind of source that the backup came from. */
	restorer: Restorer<unknown, Result>;
	/** For the journal. */
	actor?: Actor;
	signal: AbortSignal;
	onProgress?: (progress: MeasuredRestoreProgress) => void;
	/** Rates are not limited here. */
	limits?: Partial<Limits>;
}

/** What every restore answers, besides what its kind of source adds. */
export interface RestoreFacts {
	group: string;
	label: string;
	/** Of the data, as the source gave it. */
	originalBytes: number;
	/** When the backup was begun, ISO 8601: what is restored is as old as that. */
	backedUpAt: string;
	/** Whether a trusted signer has signed all of it; false also where nothing was checked. */
	authentic: boolean;
	startedAt: string;
	finishedAt: string;
	/** From the first look to the end of the comparison: the measured RTO. */
	seconds: number;
	warnings: string[];
}

export type RestoreResult<Result extends Restored = Restored> = RestoreFacts & Omit<Result, 'facts'>;
