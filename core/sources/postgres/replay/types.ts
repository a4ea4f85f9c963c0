/** What the execution of a dump is asked for, and what it answers. */
import type { CreateExtension } from '../drill/scratch-role';
import type { DatabaseFacts } from '../dump/contents';
import type { RewriteRules } from './rewrite';

export interface ReplayProgress {
	/** Of the dump, so far. */
	bytes: number;
	/** Executed, COPY included. */
	statements: number;
	/** That the server took by COPY. */
	rows: number;
}

export interface ReplayIntoOptions {
	/** Ends the restore at once, on the server as well. */
	signal: AbortSignal;
	/** What the dump must hold: what differs from the original's surroundings is blamed before the dump is. */
	contents?: DatabaseFacts;
	/** What to leave out or to change. Default: nothing. */
	rules?: RewriteRules;
	/** Called after each statement and while rows are sent. */
	onProgress?: (progress: Readonly<ReplayProgress>) => void;
	/** See {@link splitDump}. */
	maxStatementBytes?: number;
}

export interface ReplayOptions extends ReplayIntoOptions {
	/** How many connections may build indexes and check constraints at the same time. Default: 1. */
	connections?: number;
	/** Makes the extensions at the beginning of the dump, which the session's own user may not make. */
	createExtension?: CreateExtension;
}

export interface ReplayResult extends ReplayProgress {
	/** Statements that the rules left out. */
	leftOut: number;
	/** Statements that the server refused or does not know, and without which nothing is missing, as they begin. */
	skipped: string[];
	/** Of the server, and what of chosen tables could not be restored; the first hundred. */
	warnings: string[];
}
