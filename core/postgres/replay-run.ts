/** One restore of a plain dump: takes its items, executes them, counts. */
import type { Readable } from 'node:stream';
import { BackupError } from '../errors';
import type { ReplayOptions, ReplayResult } from './replay';
import { replayError, type Place } from './replay-errors';
import type { ReplaySession } from './session';
import type { SessionPool } from './session-pool';
import { splitDump, type CopyStatement, type DumpItem, type SqlStatement } from './sql-splitter';
import { DumpTail } from './trailer';

const MAX_WARNINGS = 100;
/** Settings at the beginning of a dump that only newer servers know, with the values that mean as much as not to set them. */
const NEUTRAL_SETTING =
	/^SET (\w+_timeout|default_with_oids|row_security|default_table_access_method) = (?:0|false|off|heap);$/;
const CHOOSES_DATABASE = /^(?:CREATE|DROP) DATABASE\s/i;
const MAX_SETTING_BYTES = 256;

export class Replay {
	readonly #session: ReplaySession;
	readonly #place: Place;
	readonly #options: ReplayOptions;
	readonly #tail = new DumpTail();
	readonly #result: ReplayResult = { bytes: 0, statements: 0, rows: 0, skipped: [], warnings: [] };

	constructor(pool: SessionPool, session: ReplaySession, place: Place, options: ReplayOptions) {
		this.#session = session;
		this.#place = place;
		this.#options = options;
		pool.onWarning = (text) => {
			const { warnings } = this.#result;
			if (warnings.length < MAX_WARNINGS) warnings.push(text);
		};
	}

	async run(body: Readable): Promise<ReplayResult> {
		const { maxStatementBytes } = this.#options;
		for await (const item of splitDump(this.#watch(body), { maxStatementBytes })) {
			await this.#perform(item);
			this.#report();
		}
		this.#assertComplete();
		if (this.#session.inTransaction) {
			throw new BackupError('incomplete', 'the dump leaves a transaction open', {
				hint: 'Its last statements have no effect without a COMMIT. pg_dump writes no such dumps: look at its end.',
			});
		}
		return this.#result;
	}

	async *#watch(body: Readable): AsyncGenerator<Buffer, void> {
		// When it is left early, an error of its own would look like the first one.
		for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<unknown>) {
			if (!Buffer.isBuffer(chunk)) throw new BackupError('invalid-input', 'a dump must be a stream of bytes');
			this.#tail.add(chunk);
			this.#result.bytes += chunk.length;
			yield chunk;
		}
	}

	async #perform(item: DumpItem): Promise<void> {
		if (item.kind === 'command') {
			if (item.name !== 'connect') return; // nothing here would obey what they protect from
			throw choosesDatabase();
		}
		if (item.kind === 'copy') return await this.#copy(item);
		// Text after the last semicolon is the end of a dump that was cut off.
		if (!item.terminated) this.#assertComplete();
		await this.#execute(item);
	}

	async #execute(statement: SqlStatement): Promise<void> {
		const text = shortText(statement.pieces);
		if (CHOOSES_DATABASE.test(text)) throw choosesDatabase();
		const setting = NEUTRAL_SETTING.exec(text)?.[1];
		if (setting !== undefined && !(await this.#session.knows(setting))) {
			this.#result.skipped.push(text);
			return;
		}
		try {
			await this.#session.execute(statement.pieces);
		} catch (error) {
			throw replayError(error, this.#place, statement.pieces, statement);
		}
		this.#result.statements++;
	}

	async #copy(statement: CopyStatement): Promise<void> {
		let failure: Error | undefined;
		const rows = remembering(statement.rows, (error) => (failure = error));
		try {
			this.#result.rows += await this.#session.copyIn(statement.pieces, rows, () => this.#report());
		} catch (error) {
			if (failure) throw failure; // of the dump, not of the server
			throw replayError(error, this.#place, statement.pieces, statement);
		}
		this.#result.statements++;
	}

	#report(): void {
		const { bytes, statements, rows } = this.#result;
		this.#options.onProgress?.({ bytes, statements, rows });
	}

	#assertComplete(): void {
		if (this.#tail.isComplete()) return;
		throw new BackupError('incomplete', 'the dump has no proper end: pg_dump’s last words are missing', {
			hint: 'The dump was cut off, or is no plain dump. What was restored so far is not all: use another backup.',
		});
	}
}

async function* remembering<T>(source: AsyncIterable<T>, onError: (error: Error) => void): AsyncGenerator<T, void> {
	try {
		yield* source;
	} catch (error) {
		onError(error as Error);
		throw error;
	}
}

/** A short statement as text; nothing for others. */
function shortText(pieces: readonly Buffer[]): string {
	const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
	return length > MAX_SETTING_BYTES ? '' : Buffer.concat(pieces).toString('latin1');
}

function choosesDatabase(): BackupError {
	return new BackupError('unsupported', 'the dump creates or chooses its database itself', {
		hint: 'It was made with --create: make it without, or restore it with psql.',
	});
}
