/** What a copy is asked for, and what it answers: plain data, shared by one copy and by many. */
import type { Actor } from '../../records/journal/actor';
import type { ErrorCode } from '../../base/errors';
import type { Limits } from '../../base/limits';
import type { Repository } from '../../records/repository';
import type { Protection } from '../../storage/storage';

export interface CopyProgress {
	group: string;
	/** The backup that is being copied: the one asked for, or a parent of it. */
	label: string;
	phase: 'copying' | 'verifying';
	/** Of this phase of this backup, so far. */
	bytes: number;
	totalBytes: number;
}

/** What all ways to copy have in common. */
export interface CopyOptions {
	from: Repository;
	/** Forbids to remove the copies before their time; the destination must be able to. */
	protect?: Protection;
	/** Of each backup. The rate is that of each destination. */
	limits?: Partial<Limits>;
	/** How long to wait for another run that writes to the group at the destination, milliseconds. @default 0 */
	lockWaitMs?: number;
	actor?: Actor;
	signal: AbortSignal;
	/** Called about once a second. */
	onProgress?: (progress: CopyProgress) => void;
}

/** One backup. */
export interface CopySubject {
	group: string;
	label: string;
}

/** All that a destination lacks. */
export interface CopyChoice {
	/** Only these; all when absent. */
	groups?: readonly string[];
	/** Only the newest backup of each group. */
	newest?: boolean;
}

export interface CopyResult {
	group: string;
	label: string;
	/** For people: the location of the storage it was copied to. */
	destination: string;
	/** `copied`: it was not there, now is, and was read back. `present`: it was there before, whole. */
	status: 'copied' | 'present' | 'failed';
	/** Sent to the destination by this run, parents included. */
	bytes: number;
	/** In all. */
	seconds: number;
	/** Without the reading back. */
	copySeconds: number;
	/** Labels of the parents that had to come along. */
	parents: string[];
	/** Whether a trusted signer has signed the backup; false also where nothing was checked, and for a copy that failed. */
	authentic: boolean;
	/** Name of the object beside the copy that says it was read back; null when there is none of this run. */
	evidence: string | null;
	/** null when it did not fail. */
	code: ErrorCode | null;
	/** Lower case, for people. */
	message: string;
	hint: string | null;
	warnings: string[];
}

export interface CopySummary {
	/** `degraded`: some copies exist and some do not. */
	outcome: 'ok' | 'degraded' | 'failed';
	results: CopyResult[];
	/** About no single backup: a destination has newer ones than the source. */
	warnings: string[];
}
