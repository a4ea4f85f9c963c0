/** What the thread that copies a SQLite database is given, and what it says. */

/** What is known of a copy. */
export interface CopyFacts {
	/** What `PRAGMA integrity_check` says of the copy: `ok`, or at most ten sentences. */
	integrity: string[];
	/** Exact numbers of rows, by table; a table that cannot be counted here is left out. */
	rows: Record<string, number>;
}

/**
 * Why there is no copy. `damaged`: SQLite cannot read it. `locked`: somebody holds it locked, or left a journal that must be rolled
 * back first. `no-database`: it only begins like one.
 */
export type CopyRefusal = 'damaged' | 'locked' | 'no-database';

/** The copy, or why there is none. */
export type DatabaseCopy = { file: string; facts: CopyFacts } | { refused: CopyRefusal };

export interface SnapshotJob {
	from: string;
	/** The file to make; it does not exist. */
	to: string;
	/** How long to wait for whoever holds the database locked, milliseconds. */
	busyMs: number;
}

/** In the place of a result code of SQLite: the system refused something. */
export const NOT_OF_SQLITE = -1;

export type CopyMessage = { kind: 'copied'; facts: CopyFacts } | { kind: 'failed'; code: number; message: string };
