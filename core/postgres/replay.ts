/**
 * Restores a plain dump over an ordinary connection, as psql would with ON_ERROR_STOP: one session, one statement after
 * the other, each committed by itself, until the first error.
 */
import type { Readable } from 'node:stream';
import type { Client } from 'pg';
import { abortError, BackupError, isBackupError, messageOf } from '../errors';
import { connect, disconnect } from './connection';
import { cleanText, toBackupError } from './errors';
import { replayError } from './replay-errors';
import { copyIn, execute } from './session';
import { splitDump, type CopyStatement, type DumpItem, type SqlStatement } from './sql-splitter';
import { stopServer } from './stop';
import type { DatabaseTarget } from './target';
import { DumpTail } from './trailer';

export interface ReplayProgress {
	/** Of the dump, so far. */
	bytes: number;
	/** Executed, COPY included. */
	statements: number;
	/** That the server took by COPY. */
	rows: number;
}

export interface ReplayOptions {
	/** Ends the restore at once, on the server as well. */
	signal: AbortSignal;
	/** Called after each statement and while rows are sent. */
	onProgress?: (progress: Readonly<ReplayProgress>) => void;
	/** See {@link splitDump}. */
	maxStatementBytes?: number;
}

export interface ReplayResult extends ReplayProgress {
	/** Settings of the dump that this server does not know and that change nothing in what is restored. */
	skipped: string[];
	/** Warnings of the server, the first hundred. */
	warnings: string[];
}

const MAX_WARNINGS = 100;
/** Settings at the beginning of a dump that only newer servers know, with the values that mean as much as not to set them. */
const NEUTRAL_SETTING =
	/^SET (\w+_timeout|default_with_oids|row_security|default_table_access_method) = (?:0|false|off|heap);$/;
const CHOOSES_DATABASE = /^(?:CREATE|DROP) DATABASE\s/i;
const MAX_SETTING_BYTES = 256;

/**
 * Executes a plain dump in a database, which should be empty. What was executed before an error stays.
 * @param body the dump's bytes. It is destroyed when the restore fails; its own error wins over all others
 * @throws BackupError 'restore-failed' with the place, the statement and the server's words; 'incomplete' for a dump
 * without its last words; 'unsupported' and 'damaged' as {@link splitDump}; 'cancelled'; those of {@link connect}
 */
export async function replay(body: Readable, target: DatabaseTarget, options: ReplayOptions): Promise<ReplayResult> {
	const { signal } = options;
	let client: Client | undefined;
	let broken: Error | undefined;
	const onBroken = (error: Error) => {
		broken = error;
		client?.connection.stream.destroy(); // a statement may be running for hours
	};
	const onAbort = () => body.destroy(abortError(signal));
	body.on('error', onBroken);
	signal.addEventListener('abort', onAbort, { once: true });
	try {
		if (signal.aborted) throw abortError(signal);
		client = await connect(target, { signal });
		if (broken) throw broken;
		const result = await new Replay(client, target, options).run(body);
		await disconnect(client);
		return result;
	} catch (error) {
		body.destroy();
		// After a refusal the server waits for what comes next; in all other cases it may be at work.
		if (client) await (isBackupError(error, 'restore-failed') ? disconnect(client) : abandon(client, target));
		if (signal.aborted) throw abortError(signal);
		const first = broken ?? error;
		if (isBackupError(first)) throw first;
		throw new BackupError('incomplete', `the dump cannot be read to its end: ${cleanText(messageOf(first), target)}`, {
			hint: 'Look at what reads it from its storage, then run the restore again.',
			cause: first,
		});
	} finally {
		signal.removeEventListener('abort', onAbort);
	}
}

class Replay {
	readonly #client: Client;
	readonly #target: DatabaseTarget;
	readonly #options: ReplayOptions;
	readonly #tail = new DumpTail();
	readonly #result: ReplayResult = { bytes: 0, statements: 0, rows: 0, skipped: [], warnings: [] };

	constructor(client: Client, target: DatabaseTarget, options: ReplayOptions) {
		this.#client = client;
		this.#target = target;
		this.#options = options;
		client.on('notice', ({ severity, message }) => {
			const { warnings } = this.#result;
			if (severity === 'WARNING' && warnings.length < MAX_WARNINGS) warnings.push(cleanText(message ?? '', target));
		});
	}

	async run(body: Readable): Promise<ReplayResult> {
		const { maxStatementBytes } = this.#options;
		for await (const item of splitDump(this.#watch(body), { maxStatementBytes })) {
			await this.#perform(item);
			this.#report();
		}
		this.#assertComplete();
		if (this.#client.getTransactionStatus() !== 'I') {
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
		if (setting !== undefined && !(await this.#knows(setting))) {
			this.#result.skipped.push(text);
			return;
		}
		try {
			await execute(this.#client, statement.pieces);
		} catch (error) {
			throw replayError(error, this.#target, statement.pieces, statement);
		}
		this.#result.statements++;
	}

	async #copy(statement: CopyStatement): Promise<void> {
		let failure: Error | undefined;
		const rows = remembering(statement.rows, (error) => (failure = error));
		try {
			this.#result.rows += await copyIn(this.#client, statement.pieces, rows, () => this.#report());
		} catch (error) {
			if (failure) throw failure; // of the dump, not of the server
			throw replayError(error, this.#target, statement.pieces, statement);
		}
		this.#result.statements++;
	}

	async #knows(setting: string): Promise<boolean> {
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
