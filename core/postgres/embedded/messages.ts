/** What the main thread and the thread of the embedded database tell each other. */

/** What a thread is started with. */
export interface ThreadInput {
	/** `create`: makes the data directory and says so. `serve`: answers messages on it until it is ended. */
	task: 'create' | 'serve';
	/** The data directory. */
	folder: string;
	server: WebAssembly.Module;
	initdb: WebAssembly.Module;
	/** Modules below @electric-sql/pglite/contrib. */
	modules: readonly string[];
}

/** Field names as in `pg`. */
export interface Refusal {
	severity: string;
	/** SQLSTATE. */
	code: string;
	message: string;
	detail?: string;
	hint?: string;
	where?: string;
}

/** What the database said to one message of PostgreSQL's protocol, up to its "ready for query". */
export interface Answer {
	columns: Array<{ name: string; type: number }>;
	rows: Array<Array<string | null>>;
	/** Of the command that was completed, e.g. "COPY 80000"; null when none was. */
	tag: string | null;
	refusal: Refusal | null;
	warnings: string[];
	/** Whether a transaction is open (T), failed (E) or not open (I); null when the database did not say so at the end. */
	status: string | null;
}
