/** One restore of a plain dump: takes its items, changes them as the rules say, executes them, counts. */
import type { Readable } from 'node:stream';
import { BackupError, isBackupError } from '../../../base/errors';
import { PostData } from './post-data';
import { TableLocks } from './post-data-locks';
import type { ReplayResult } from './types';
import type { ReplayOptions } from './types';
import { isEverything } from './only';
import { needsAllowance } from './refusals';
import { excerpt, refusedStatement, replayError, type NamedTarget } from './errors';
import type { ServerAge } from './verdict';
import { differences, whyMissing } from './circumstances';
import { ExtensionPhase } from './extensions';
import {
	isHarmless,
	isSetting,
	neutralSetting,
	readsElsewhere,
	unknownParameter,
	type UnknownParameter,
} from './tolerance';
import { KEEP_ALL } from './rewrite';
import type { Sql } from './rewrite-only';
import { Rewriter } from './rewriter';
import { serverAge } from '../connection/server-age';
import type { ReplaySession } from './session';
import type { SessionPool } from './session-pool';
import { splitDump, type CopyStatement, type DumpItem, type SqlStatement } from './sql-splitter';
import { DumpTail } from '../dump/trailer';

const MAX_WARNINGS = 100;
const MAX_BEGINNING = 256;
const CHOOSES_DATABASE = /^(?:CREATE|DROP) DATABASE\s/i;

export class Replay {
	readonly #pool: SessionPool;
	readonly #session: ReplaySession;
	readonly #place: NamedTarget;
	readonly #options: ReplayOptions;
	readonly #rewriter: Rewriter;
	readonly #locks = new TableLocks();
	/** When several connections are allowed. */
	#postData: PostData | null = null;
	readonly #extensions = new ExtensionPhase();
	readonly #tail = new DumpTail();
	readonly #result: ReplayResult = { bytes: 0, statements: 0, rows: 0, leftOut: 0, skipped: [], warnings: [] };

	/** @throws BackupError 'invalid-input' for rules that cannot be followed */
	constructor(pool: SessionPool, session: ReplaySession, place: NamedTarget, options: ReplayOptions) {
		this.#pool = pool;
		this.#session = session;
		this.#place = place;
		this.#options = options;
		this.#rewriter = new Rewriter(options.rules ?? KEEP_ALL);
		pool.onWarning = (text) => this.#warn(text);
	}

	async run(body: Readable): Promise<ReplayResult> {
		const { maxStatementBytes, connections = 1 } = this.#options;
		if (connections > 1) {
			// The body may be slow to bring the next statement: without it, there is nothing to wait for.
			this.#postData = new PostData(this.#pool, this.#session, connections, () => body.destroy());
		}
		try {
			for await (const item of splitDump(this.#watch(body), { maxStatementBytes })) await this.#perform(item);
			await this.#postData?.idle();
		} catch (error) {
			throw this.#postData?.failure ?? error;
		}
		this.#assertComplete();
		if (this.#session.inTransaction) {
			throw new BackupError('incomplete', 'the dump leaves a transaction open', {
				hint: 'Its last statements have no effect without a COMMIT. pg_dump writes no such dumps: look at its end.',
			});
		}
		this.#rewriter.end();
		this.#result.leftOut = this.#rewriter.leftOut;
		for (const text of this.#rewriter.warnings) this.#warn(text);
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
		if (CHOOSES_DATABASE.test(beginning(item.pieces))) throw choosesDatabase();
		// Text after the last semicolon is the end of a dump that was cut off.
		if (item.kind === 'statement' && !item.terminated) this.#assertComplete();
		for (const statement of this.#rewriter.take(item)) {
			this.#assertAllowed(statement);
			if (statement.kind === 'copy') await this.#copy(statement);
			else await this.#execute(statement);
		}
	}

	/** @throws BackupError 'refused-statement' */
	#assertAllowed(statement: Sql): void {
		const allowance = needsAllowance(statement);
		if (allowance === null || this.#options.rules?.allow?.includes(allowance)) return;
		throw refusedStatement(allowance, this.#place, statement);
	}

	async #execute(statement: SqlStatement): Promise<void> {
		const locks = this.#postData && !this.#session.inTransaction ? this.#locks.of(statement) : null;
		if (this.#postData && locks) {
			const perform = (session: ReplaySession) => this.#executeIn(session, statement);
			return await this.#postData.add({ locks, perform });
		}
		await this.#postData?.idle();
		const text = beginning(statement.pieces);
		const setting = neutralSetting(text);
		if (setting !== null && !(await this.#session.knows(setting))) {
			this.#result.skipped.push(text);
			return;
		}
		await this.#executeIn(this.#session, statement);
		if (isSetting(text)) await this.#postData?.set(statement.pieces);
	}

	async #executeIn(session: ReplaySession, statement: SqlStatement): Promise<void> {
		const { pieces } = statement;
		try {
			const extension = this.#options.createExtension && this.#extensions.take(statement);
			if (extension) await this.#options.createExtension!(extension.name, extension.schema);
			else await session.execute(pieces);
		} catch (error) {
			const unknown = session.inTransaction ? null : unknownParameter(error, statement);
			if (unknown) return await this.#executeWithout(unknown, session, statement);
			const text = beginning(pieces);
			const { rules } = this.#options;
			const isUnfilled = readsElsewhere(error, text, rules);
			if ((!isUnfilled && !isHarmless(error, text, rules)) || session.inTransaction) {
				throw await this.#refused(error, session, statement);
			}
			if (isUnfilled) this.#warn(`not filled, as it reads from another server: ${excerpt(pieces)}`);
			this.#result.skipped.push(excerpt(pieces));
			return;
		}
		this.#result.statements++;
		this.#report();
	}

	/** A newer server than this one may have written it; nothing of what was backed up is missing without it. */
	async #executeWithout(
		{ name, pieces }: UnknownParameter,
		session: ReplaySession,
		statement: SqlStatement,
	): Promise<void> {
		this.#warn(
			`the server does not know the storage parameter ${name}, which was left out: ${excerpt(statement.pieces)}`,
		);
		if (pieces === null) this.#result.skipped.push(excerpt(statement.pieces));
		else await this.#executeIn(session, { ...statement, pieces });
	}

	async #copy(statement: CopyStatement): Promise<void> {
		await this.#postData?.idle();
		this.#extensions.take(statement);
		let failure: Error | undefined;
		const rows = remembering(statement.rows, (error) => (failure = error));
		try {
			this.#result.rows += await this.#session.copyIn(statement.pieces, rows, () => this.#report());
		} catch (error) {
			if (failure) throw failure; // of the dump, not of the server
			throw await this.#refused(error, this.#session, statement);
		}
		this.#result.statements++;
		this.#report();
	}

	async #refused(error: unknown, session: ReplaySession, statement: Sql): Promise<BackupError> {
		if (isBackupError(error)) return error;
		const { rules, contents } = this.#options;
		const isPart = !isEverything(rules?.only);
		// The session may have been lost since: that is not what went wrong first.
		const age = await serverAge(session, statement.dialect.serverMajor).catch((): ServerAge => 'unknown');
		const missing = session.inTransaction ? null : await whyMissing(session, error, contents).catch(() => null);
		const differs = session.inTransaction ? [] : await differences(session, contents).catch(() => []);
		return replayError(error, this.#place, statement, { serverAge: age, isPart, missing, differs });
	}

	#warn(text: string): void {
		const { warnings } = this.#result;
		if (warnings.length < MAX_WARNINGS) warnings.push(text);
	}

	#report(): void {
		const { bytes, statements, rows } = this.#result;
		this.#options.onProgress?.({ bytes, statements, rows });
	}

	#assertComplete(): void {
		if (this.#tail.isComplete()) return;
		throw new BackupError('incomplete', 'the dump has no proper end: pg_dump’s last words are missing', {
			hint: 'The dump was cut off, or is not a plain dump. What was restored so far is not all: use another backup.',
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

/** Enough of a statement to know its kind. */
function beginning(pieces: readonly Buffer[]): string {
	const first = Buffer.concat(pieces.slice(0, 8).map((piece) => piece.subarray(0, MAX_BEGINNING)));
	return first.toString('latin1', 0, MAX_BEGINNING);
}

function choosesDatabase(): BackupError {
	return new BackupError('unsupported', 'the dump creates or chooses its database itself', {
		hint: 'It was made with --create: make it without, or restore it with psql.',
	});
}
