/** Where the statements of a dump go: a connection to a server, or a database inside this process. */

/** One session of a database: its settings and its transaction last from one statement to the next. */
export interface ReplaySession {
	/**
	 * Executes one statement and drops its rows.
	 * @param pieces the statement as the dump has it, in the encoding that the dump has set
	 * @throws an error with the server's SQLSTATE as its `code` when the statement is refused (then the session goes on);
	 * a BackupError when the session is lost
	 */
	execute(pieces: readonly Buffer[]): Promise<void>;
	/**
	 * Executes a COPY … FROM stdin with its rows, as fast as they are taken.
	 * @param onChunk called after each slice of rows
	 * @returns how many rows were taken
	 * @throws as {@link execute}, and errors of `rows` as they are; after those the session is of no further use
	 */
	copyIn(pieces: readonly Buffer[], rows: AsyncIterable<Buffer>, onChunk: () => void): Promise<number>;
	/** Whether there is a setting of this name. @throws BackupError when the session is lost */
	knows(setting: string): Promise<boolean>;
	/** Whether a transaction block is open. */
	readonly inTransaction: boolean;
	/** Told of warnings, without secrets. */
	onWarning: ((text: string) => void) | null;
	/**
	 * Ends the session; `at once` ends what it executes as well, which then fails. Never fails itself; closing twice is
	 * allowed.
	 */
	close(how: 'politely' | 'at once'): Promise<void>;
}
