/**
 * A connection that executes what a dump says, byte by byte as it stands there. `pg` writes statements as UTF-8, but a
 * dump is in the encoding of its database, and says so to the server itself.
 */
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { Client, Connection, Submittable } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

/** Rows on their way to the server, bytes: enough to keep both sides busy. */
const COPY_BUFFER_BYTES = 1024 * 1024;
const QUERY = 'Q'.charCodeAt(0);

/** Executes one statement and drops its rows. @throws what `pg` says of the server's refusal or a lost connection */
export async function execute(client: Client, pieces: readonly Buffer[]): Promise<void> {
	await new Promise<void>((resolve, reject) => {
		client.query(new RawStatement(pieces, resolve, reject));
	});
}

/**
 * Executes a COPY … FROM stdin with its rows, as fast as the server takes them.
 * @param onSent told after each slice of rows how many bytes it had
 * @returns how many rows the server took
 * @throws as {@link execute}, and errors of `rows` as they are; then the connection is of no further use
 */
export async function copyIn(
	client: Client,
	pieces: readonly Buffer[],
	rows: AsyncIterable<Buffer>,
	onSent: (bytes: number) => void,
): Promise<number> {
	const copy = copyFrom('', { highWaterMark: COPY_BUFFER_BYTES });
	const submit = copy.submit.bind(copy);
	copy.submit = (connection) => {
		submit(Object.create(connection, { query: { value: () => sendQuery(connection, pieces) } }) as Connection);
	};
	let refusal: Error | undefined;
	copy.on('error', (error) => (refusal = error));
	client.query(copy);
	for await (const slice of rows) {
		// The server refuses a row while others are still being sent.
		if (refusal) throw refusal;
		if (!copy.write(slice)) await once(copy, 'drain');
		onSent(slice.length);
	}
	if (refusal) throw refusal;
	copy.end();
	await finished(copy);
	return copy.rowCount;
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

/** Query: 'Q', length, text, a zero (PostgreSQL manual, "Message Formats"). The text is not copied. */
function sendQuery({ stream }: Connection, pieces: readonly Buffer[]): void {
	if (!stream.writable) return; // whoever waits for the answer hears of the lost connection
	const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
	const header = Buffer.alloc(5);
	header[0] = QUERY;
	header.writeUInt32BE(4 + length + 1, 1);
	stream.cork();
	stream.write(header);
	for (const piece of pieces) stream.write(piece);
	stream.write(Buffer.alloc(1));
	stream.uncork();
}
