/**
 * A connection to a server that executes what a dump says, byte by byte as it stands there. `pg` writes statements as
 * UTF-8, but a dump is in the encoding of its database, and says so to the server itself.
 */
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { Client, Connection, Submittable } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { connect, disconnect } from '../connection/connection';
import { cleanText, toBackupError } from '../connection/errors';
import type { ReplaySession } from './session';
import { sqlStateOf } from '../connection/sql-state';
import { stopServer } from '../connection/cancel-request';
import type { DatabaseTarget } from '../connection/target';

/** Rows on their way to the server, bytes: enough to keep both sides busy. */
const COPY_BUFFER_BYTES = 1024 * 1024;
/** Statements up to this size are copied into one message. */
const ONE_WRITE_BYTES = 64 * 1024;
const QUERY = 'Q'.charCodeAt(0);
/** The server is going, gone, or takes nobody; or another one is, from which a foreign table wanted to read. */
const CONNECTION_LOST = /^(?:08...|57P0[1-5]|53300)$/;

/**
 * Connects. Aborting the signal breaks the connection at any later time as well.
 * @throws BackupError as {@link connect}
 */
export async function openServerSession(
	target: DatabaseTarget,
	{ signal }: { signal: AbortSignal },
): Promise<ReplaySession> {
	return new ServerSession(await connect(target, { signal }), target);
}

class ServerSession implements ReplaySession {
	onWarning: ((text: string) => void) | null = null;
	readonly #client: Client;
	readonly #target: DatabaseTarget;
	#closing: Promise<void> | undefined;

	constructor(client: Client, target: DatabaseTarget) {
		this.#client = client;
		this.#target = target;
		client.on('notice', ({ severity, message }) => {
			if (severity === 'WARNING') this.onWarning?.(cleanText(message ?? '', target));
		});
	}

	get inTransaction(): boolean {
		return this.#client.getTransactionStatus() !== 'I';
	}

	async execute(pieces: readonly Buffer[]): Promise<void> {
		await new Promise<void>((resolve, reject) => {
			this.#client.query(new RawStatement(pieces, resolve, reject));
		}).catch(async (error: unknown) => {
			throw await this.#refusal(error);
		});
	}

	async copyIn(pieces: readonly Buffer[], rows: AsyncIterable<Buffer>, onChunk: () => void): Promise<number> {
		const copy = copyFrom('', { highWaterMark: COPY_BUFFER_BYTES });
		const submit = copy.submit.bind(copy);
		copy.submit = (connection) => {
			submit(Object.create(connection, { query: { value: () => sendQuery(connection, pieces) } }) as Connection);
		};
		dropAfterRefusal(copy as CopyStream);
		let refusal: Error | undefined;
		copy.on('error', (error) => (refusal = error));
		this.#client.query(copy);
		for await (const slice of rows) {
			// The server refuses a row while others are still being sent.
			if (refusal) throw await this.#refusal(refusal);
			if (!copy.write(slice)) {
				await once(copy, 'drain').catch(async (error: unknown) => {
					throw await this.#refusal(error);
				});
			}
			onChunk();
		}
		if (refusal) throw await this.#refusal(refusal);
		copy.end();
		await finished(copy).catch(async (error: unknown) => {
			throw await this.#refusal(error);
		});
		return copy.rowCount;
	}

	async knows(setting: string): Promise<boolean> {
		try {
			const { rows } = await this.#client.query<{ known: boolean }>(
				'SELECT pg_catalog.current_setting($1, true) IS NOT NULL AS known',
				[setting],
			);
			return rows[0]!.known;
		} catch (error) {
			throw toBackupError(error, this.#target);
		}
	}

	async close(how: 'politely' | 'at once'): Promise<void> {
		this.#closing ??= how === 'politely' ? disconnect(this.#client) : abandon(this.#client, this.#target);
		await this.#closing;
	}

	/** A refusal of the statement as it is; anything else is an end of the connection. */
	async #refusal(error: unknown): Promise<Error> {
		const sqlState = sqlStateOf(error);
		const isLost = sqlState === null || (CONNECTION_LOST.test(sqlState) && !(await this.#answers()));
		return isLost ? toBackupError(error, this.#target) : (error as Error);
	}

	/** Whether the server is still there; a refusal, as in a transaction that failed, is an answer too. */
	async #answers(): Promise<boolean> {
		return await this.#client.query('SELECT 1').then(
			() => true,
			(error: unknown) => sqlStateOf(error) === '25P02',
		);
	}
}

/** What `pg-copy-streams` (7.0) does not say of itself. */
type CopyStream = ReturnType<typeof copyFrom> & {
	connection: Connection | null;
	flush(done?: () => void): void;
};

/**
 * After a refusal the stream has no connection any more, but goes on sending what it still has as soon as the socket takes
 * it: a TypeError that nobody could catch.
 */
function dropAfterRefusal(copy: CopyStream): void {
	const flush = copy.flush.bind(copy);
	copy.flush = (done) => (copy.connection ? flush(done) : done?.());
}

/** Ends the connection and what the server does for it. */
async function abandon(client: Client, target: DatabaseTarget): Promise<void> {
	client.connection.stream.destroy();
	// Public in `pg`, though its types do not say so.
	const { processID, secretKey } = client as Client & { processID: number; secretKey: number };
	const key = Buffer.alloc(8);
	key.writeInt32BE(processID, 0);
	key.writeInt32BE(secretKey, 4);
	await stopServer(target, key);
}

/** What `pg` wants of a query, reduced to success or failure. */
class RawStatement implements Submittable {
	readonly #pieces: readonly Buffer[];
	readonly #resolve: () => void;
	readonly #reject: (error: Error) => void;

	constructor(pieces: readonly Buffer[], resolve: () => void, reject: (error: Error) => void) {
		this.#pieces = pieces;
		this.#resolve = resolve;
		this.#reject = reject;
	}

	submit(connection: Connection): void {
		sendQuery(connection, this.#pieces);
	}

	handleReadyForQuery(): void {
		this.#resolve();
	}

	handleError(error: Error): void {
		this.#reject(error);
	}

	/** The server wants rows for a statement that has none in the dump: its refusal comes back as an error. */
	handleCopyInResponse(connection: Connection & { sendCopyFail(reason: string): void }): void {
		connection.sendCopyFail('the dump has no rows for this statement');
	}

	handleRowDescription(): void {}
	handleDataRow(): void {}
	handleCommandComplete(): void {}
	handleEmptyQuery(): void {}
	handleCopyData(): void {}
}

/**
 * Query: 'Q', length, text, a zero (PostgreSQL manual, "Message Formats"). A long text is not copied; a short message is
 * one write, for in a tunnel each write becomes a packet of its own, of which the second waits for the first.
 */
function sendQuery({ stream }: Connection, pieces: readonly Buffer[]): void {
	if (!stream.writable) return; // whoever waits for the answer hears of the lost connection
	const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
	const header = Buffer.alloc(5);
	header[0] = QUERY;
	header.writeUInt32BE(4 + length + 1, 1);
	const message = [header, ...pieces, Buffer.alloc(1)];
	if (length <= ONE_WRITE_BYTES) {
		stream.write(Buffer.concat(message));
		return;
	}
	stream.cork();
	for (const part of message) stream.write(part);
	stream.uncork();
}
