/** What a restore is asked for, and what it answers. */
import type { Limits } from '../../base/limits';
import type { DecryptionKeys } from '../../codecs/age/header';
import type { Actor } from '../../records/journal/actor';
import type { Repository } from '../../records/repository';
import type { DatabaseTarget } from '../../sources/postgres/connection/target';
import type { Comparison } from '../../sources/postgres/dump/compare';
import type { RewriteRules } from '../../sources/postgres/replay/rewrite';
import type { RestorePlace } from '../../sources/postgres/restore/target';

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
	/** For the journal. */
	actor?: Actor;
	signal: AbortSignal;
	onProgress?: (progress: RestoreProgress) => void;
	/** Rates are not limited here. */
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
	/** What the database itself was given besides its contents, for people: "search_path", "the owner". */
	properties: string[];
	warnings: string[];
}
