/** Restores a database from its backup: choose, look before the first byte is written, restore, compare. */
import { BackupError } from './errors';
import type { DecryptionKeys } from './filters/age';
import type { Limits } from './pipeline';
import type { Comparison } from './postgres/compare';
import type { RewriteRules } from './postgres/rewrite';
import type { DatabaseTarget } from './postgres/target';
import type { BackupEntry, Repository } from './repository';

/** Which of several backups is meant. `before`: the newest that was started at this time or earlier. */
export type BackupChoice = { kind: 'newest' } | { kind: 'label'; label: string } | { kind: 'before'; time: Date };

/**
 * Where a backup goes. `new`: a database that does not exist yet. `empty`: one that exists and holds nothing. `replace`:
 * over one that holds something; the backup is restored beside it, compared, and takes its place only then.
 */
export interface RestorePlace {
	mode: 'new' | 'empty' | 'replace';
	database: string;
	/** For `replace`: the database's name, typed a second time. */
	confirmation?: string;
}

export interface RestoreProgress {
	phase: 'preparing' | 'restoring' | 'comparing' | 'swapping';
	/** Of the dump, so far. */
	bytes: number;
	totalBytes: number;
	statements: number;
	rows: number;
}

export interface RestoreRequest {
	repository: Repository;
	group: string;
	label: string;
	/** null for a backup that is not encrypted. */
	keys: DecryptionKeys | null;
	/** Its database serves only to connect for CREATE DATABASE. */
	server: DatabaseTarget;
	into: RestorePlace;
	rules: RewriteRules;
	/** For indexes and constraints of a plain dump; 1 by default. */
	connections?: number;
	/** A pg_restore for backups in custom format, when it is not in PATH. */
	nativePath?: string;
	/** Go on although the server lacks extensions that the backup names: for a restore of a part that needs none of them. */
	allowMissingExtensions?: boolean;
	/** Restore the roles and memberships that were saved beside the dump first; those that exist stay as they are. */
	globals?: boolean;
	signal: AbortSignal;
	onProgress?: (progress: RestoreProgress) => void;
	limits?: Partial<Limits>;
}

export interface RestoreResult {
	group: string;
	label: string;
	/** The database that holds the backup now. */
	database: string;
	mode: RestorePlace['mode'];
	startedAt: string;
	finishedAt: string;
	/** From the first look to the end of the comparison: the measured RTO. */
	seconds: number;
	originalBytes: number;
	/** 0 where pg_restore did the work, which does not count. */
	statements: number;
	rows: number;
	comparison: Comparison;
	warnings: string[];
}

/**
 * One backup of a list, which may be of one group or of several.
 * @throws BackupError 'not-found'
 */
export function chooseBackup(entries: readonly BackupEntry[], choice: BackupChoice): BackupEntry {
	const byTime = entries.toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
	const newest = byTime.at(-1);
	if (!newest) {
		throw new BackupError('not-found', 'there is no backup to choose from', {
			hint: 'Check the name of the group and the storage’s location and prefix.',
		});
	}
	if (choice.kind === 'newest') return newest;
	if (choice.kind === 'label') {
		const found = byTime.find(({ label }) => label === choice.label);
		if (found) return found;
		throw new BackupError('not-found', `there is no backup ${choice.label} in ${newest.group}`, {
			hint: `The newest is ${newest.label}, the oldest ${byTime[0]!.label}; there are ${byTime.length}.`,
		});
	}
	const found = byTime.findLast(({ startedAt }) => startedAt.getTime() <= choice.time.getTime());
	if (found) return found;
	throw new BackupError('not-found', `no backup of ${newest.group} was made before ${choice.time.toISOString()}`, {
		hint: `The oldest is of ${byTime[0]!.startedAt.toISOString()}.`,
	});
}
