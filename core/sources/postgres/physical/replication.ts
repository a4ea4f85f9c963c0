/**
 * Commands of PostgreSQL's replication protocol, which give copies of a cluster's files and its write-ahead log. They go over
 * a connection that names a database: `pg_hba.conf` takes it for an ordinary one, so that no line of its own is needed.
 * (PostgreSQL manual, "Streaming Replication Protocol"; measured with 13 to 18.)
 */
import type { Client, Connection, Submittable } from 'pg';

/** One of the tables that a command answers with; `pg` gives what came as it came. */
export interface AnswerTable {
	columns: string[];
	rows: Array<Array<string | null>>;
}

export interface CommandHandlers {
	/** The server waits for what we copy to it. */
	onCopyIn?: () => void;
	/** The server begins to copy to us. With PostgreSQL before 15, once for each archive of a base backup. */
	onCopyOut?: () => void;
	/** The copy that goes both ways begins. */
	onCopyStart?: () => void;
	/** @param chunk its memory is used again after the call */
	onData?: (chunk: Buffer) => void;
	/** The server has copied all. */
	onCopyDone?: () => void;
}

/** What `pg` keeps from its types: the parts of a connection that a command of its own needs. */
interface Wire extends Connection {
	query(text: string): void;
	sendCopyFromChunk(chunk: Buffer): void;
	endCopyFrom(): void;
	on(event: string, listener: () => void): this;
	off(event: string, listener: () => void): this;
}

/** A command whose answer is copied to us while it comes. Give it to `client.query`, then wait for `done`. */
export class ReplicationCommand implements Submittable {
	/** The tables of the answer so far. */
	readonly answers: AnswerTable[] = [];
	/** Resolves when the command has ended, and rejects with what `pg` or a handler throws. */
	readonly done: Promise<void>;
	readonly #text: string;
	readonly #handlers: CommandHandlers;
	readonly #listeners: Array<[string, () => void]>;
	#wire: Wire | null = null;
	#failure: Error | null = null;
	#finish!: (error: Error | null) => void;

	constructor(text: string, handlers: CommandHandlers = {}) {
		this.#text = text;
		this.#handlers = handlers;
		const { onCopyOut, onCopyStart, onCopyDone } = handlers;
		const events = { copyOutResponse: onCopyOut, replicationStart: onCopyStart, copyDone: onCopyDone };
		this.#listeners = Object.entries(events).flatMap(([event, handle]) =>
			handle ? [[event, () => this.#guard(handle)]] : [],
		);
		this.done = new Promise((resolve, reject) => {
			this.#finish = (error) => {
				for (const [event, listener] of this.#listeners) this.#wire?.off(event, listener);
				if (error) reject(error);
				else resolve();
			};
		});
		// Who waits hears of it; a command that fails before somebody waits must not end the process.
		this.done.catch(() => undefined);
	}

	/** Lets the server go on, or not, with what it copies to us. */
	pause(): void {
		this.#wire?.stream.pause();
	}

	resume(): void {
		this.#wire?.stream.resume();
	}

	/** Sends a message of the copy to the server, or of the one that goes both ways. */
	send(message: Buffer): void {
		this.#wire?.sendCopyFromChunk(message);
	}

	/** Ends our side of it. */
	endCopy(): void {
		this.#wire?.endCopyFrom();
	}

	// What `pg` calls.

	submit(connection: Connection): void {
		this.#wire = connection as Wire;
		for (const [event, listener] of this.#listeners) this.#wire.on(event, listener);
		this.#wire.query(this.#text);
	}

	handleRowDescription({ fields }: { fields: Array<{ name: string }> }): void {
		this.answers.push({ columns: fields.map(({ name }) => name), rows: [] });
	}

	handleDataRow({ fields }: { fields: Array<string | null> }): void {
		this.answers.at(-1)?.rows.push(fields.map((field) => (field === null ? null : String(field))));
	}

	handleCopyInResponse(): void {
		this.#guard(() => this.#handlers.onCopyIn?.());
	}

	handleCopyData({ chunk }: { chunk: Buffer }): void {
		this.#guard(() => this.#handlers.onData?.(chunk));
	}

	/** After an error in the middle of a copy, nobody knows what comes next: that ends the connection. */
	#guard(handle: () => void): void {
		if (this.#failure) return;
		try {
			handle();
		} catch (error) {
			this.#failure = error as Error;
			this.#wire?.stream.destroy(error as Error);
		}
	}

	handleError(error: Error): void {
		// `pg` does not call handleReadyForQuery after an error.
		this.#finish(this.#failure ?? error);
	}

	handleReadyForQuery(): void {
		this.#finish(this.#failure);
	}

	handleCommandComplete(): void {}
	handleEmptyQuery(): void {}
	handlePortalSuspended(): void {}
}

/**
 * Runs a command that answers with tables.
 * @throws what `pg` throws
 */
export async function runCommand(client: Client, text: string): Promise<AnswerTable[]> {
	const command = new ReplicationCommand(text);
	client.query(command);
	await command.done;
	return command.answers;
}
