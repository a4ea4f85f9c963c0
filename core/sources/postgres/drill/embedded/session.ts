/** The embedded database as a place for the statements of a dump. */
import type { ReplaySession } from '../../replay/session';
import { copyMessages } from './copy-messages';
import { transcoderFor, type Transcoder } from './encoding';
import type { DatabaseAnswer, SqlRefusal } from './messages.ts';
import type { DatabaseProcess } from './process';
import { extendedMessage, queryMessage } from './wire';

const ENCODING = /^SET client_encoding = '([^']+)';$/;
const MAX_SETTING_BYTES = 100;
const DISCARD_ALL = Buffer.from('DISCARD ALL');

/** A refusal of a statement, with the fields of `pg`'s errors. */
export class EmbeddedError extends Error {
	override readonly name = 'EmbeddedError';
	/** SQLSTATE. */
	readonly code: string;
	readonly detail: string | undefined;
	readonly where: string | undefined;

	constructor({ code, message, detail, where }: SqlRefusal) {
		super(message);
		this.code = code;
		this.detail = detail;
		this.where = where;
	}
}

export class EmbeddedSession implements ReplaySession {
	onWarning: ((text: string) => void) | null = null;
	readonly #database: DatabaseProcess;
	#transcode: Transcoder = null;
	#status = 'I';
	/** Settings of a dump are in force. */
	#isUsed = false;

	constructor(database: DatabaseProcess) {
		this.#database = database;
	}

	get inTransaction(): boolean {
		return this.#status !== 'I';
	}

	/** @throws BackupError 'unsupported' for an encoding that it does not take */
	async execute(pieces: readonly Buffer[]): Promise<void> {
		const encoding = ENCODING.exec(shortText(pieces))?.[1];
		if (encoding !== undefined) {
			// The database hears nothing of it: it always gets UTF-8.
			this.#transcode = transcoderFor(encoding);
			return;
		}
		await this.#use(queryMessage(this.#convert(pieces)));
	}

	async copyIn(pieces: readonly Buffer[], rows: AsyncIterable<Buffer>, onChunk: () => void): Promise<number> {
		let taken = 0;
		let running: Promise<number> = Promise.resolve(0);
		// The database takes one message while the next one is filled; never are there more.
		for await (const message of copyMessages(this.#convert(pieces), this.#converted(rows, onChunk))) {
			taken += await running;
			running = this.#copy(message, taken);
			// Awaited with the next message; until then nobody else would hear of a failure.
			running.catch(() => undefined);
		}
		return taken + (await running);
	}

	async knows(setting: string): Promise<boolean> {
		const text = 'SELECT pg_catalog.current_setting($1, true) IS NOT NULL AS known';
		const { rows } = await this.#ask(extendedMessage(text, [setting]));
		return rows[0]?.[0] === 't';
	}

	/** Executes one statement with values, in a session as a new connection would have it. */
	async query(text: string, values: ReadonlyArray<string | null>): Promise<DatabaseAnswer> {
		if (this.#isUsed && !this.inTransaction) {
			await this.#ask(queryMessage([DISCARD_ALL]));
			this.#isUsed = false;
		}
		return await this.#ask(extendedMessage(text, values));
	}

	async close(): Promise<void> {
		await this.#database.stop();
	}

	async #copy(message: Buffer, before: number): Promise<number> {
		try {
			return Number(/^COPY (\d+)$/.exec((await this.#use(message)).tag ?? '')?.[1]);
		} catch (error) {
			throw error instanceof EmbeddedError ? withLine(error, before) : error;
		}
	}

	async #use(message: Buffer): Promise<DatabaseAnswer> {
		this.#isUsed = true;
		return await this.#ask(message);
	}

	async #ask(message: Buffer): Promise<DatabaseAnswer> {
		const answer = await this.#database.ask(message);
		this.#status = answer.status ?? 'I';
		for (const warning of answer.warnings) this.onWarning?.(warning);
		if (answer.refusal) throw new EmbeddedError(answer.refusal);
		return answer;
	}

	#convert(pieces: readonly Buffer[]): readonly Buffer[] {
		// At once: no character is cut at the end of a piece, one byte each.
		const transcode = this.#transcode;
		return transcode ? pieces.map((piece) => transcode(piece)) : pieces;
	}

	async *#converted(rows: AsyncIterable<Buffer>, onChunk: () => void): AsyncGenerator<Buffer, void> {
		for await (const slice of rows) {
			yield this.#transcode ? this.#transcode(slice) : slice;
			onChunk();
		}
	}
}

/** Rows come in several COPYs: the line that the database names is one of the last of them. */
function withLine(error: EmbeddedError, before: number): EmbeddedError {
	const where = error.where?.replace(/^(COPY .*?, line )(\d+)/, (_, words: string, line: string) => {
		return `${words}${before + Number(line)}`;
	});
	return new EmbeddedError({
		severity: 'ERROR',
		code: error.code,
		message: error.message,
		detail: error.detail,
		where,
	});
}

function shortText(pieces: readonly Buffer[]): string {
	const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
	return length > MAX_SETTING_BYTES ? '' : Buffer.concat(pieces).toString('latin1');
}
