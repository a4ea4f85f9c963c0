/**
 * What this process and the one of the embedded database tell each other. A message is a length, in {@link HEAD_BYTES} bytes
 * and big-endian, and as many bytes: the first one is {@link ChildInput} as JSON, the others are PostgreSQL's protocol. Each
 * is answered with one, {@link ChildSays} as JSON.
 */

export const HEAD_BYTES = 4;
/** The descriptor after the standard ones. Nothing is written to it; its other end closes with the process that holds it. */
export const LIFELINE = 3;

export interface ChildInput {
	/** `create`: makes the data directory and says so. `serve`: answers messages on it until it is ended. */
	task: 'create' | 'serve';
	/** The data directory, below the one that the process was shut in with. */
	folder: string;
	/** The folder of @electric-sql/pglite's main module. */
	program: string;
	/** Modules below @electric-sql/pglite/contrib. */
	modules: readonly string[];
	/** Descriptors to close. */
	inherited: readonly number[];
}

/** null: it is ready. */
export type ChildSays = DatabaseAnswer | { broken: string } | null;

/** Field names as in `pg`. */
export interface SqlRefusal {
	severity: string;
	/** SQLSTATE. */
	code: string;
	message: string;
	detail?: string;
	hint?: string;
	where?: string;
}

/** What the database said to one message of PostgreSQL's protocol, up to its "ready for query". */
export interface DatabaseAnswer {
	columns: Array<{ name: string; type: number }>;
	rows: Array<Array<string | null>>;
	/** Of the command that was completed, e.g. "COPY 80000"; null when none was. */
	tag: string | null;
	refusal: SqlRefusal | null;
	warnings: string[];
	/** Whether a transaction is open (T), failed (E) or not open (I); null when the database did not say so at the end. */
	status: string | null;
}
