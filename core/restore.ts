/** Restores a database from its backup: choose, look before the first byte is written, restore, compare. */
import type { Client } from 'pg';
import type { Actor } from './actor';
import { DEFAULT_LIMITS } from './backup';
import { abortError, BackupError, isBackupError, messageOf } from './errors';
import type { DecryptionKeys } from './filters/age';
import { recordRun, type RunEnd, type RunRecord } from './journal';
import { type Limits, watchDuration } from './limits';
import { type Comparison, queryOf } from './postgres/compare';
import { moveIntoPlace, swapDatabases } from './postgres/database-swap';
import { type Filled, fillDatabase } from './postgres/fill';
import { executeGlobals } from './postgres/globals';
import { assertOnly } from './postgres/only';
import { preflight } from './postgres/preflight';
import type { ReplayProgress } from './postgres/replay';
import {
	assertEmpty,
	assertPlace,
	createDatabase,
	dropDatabase,
	lookAtPlace,
	type RestorePlace,
	temporaryName,
	withClient,
} from './postgres/restore-target';
import type { RewriteRules } from './postgres/rewrite';
import { type DatabaseTarget, describeTarget } from './postgres/target';
import { startReading } from './reading';
import type { Repository } from './repository';
import { openForRestore, type OpenedBackup } from './restore-source';

export type { RestorePlace } from './postgres/restore-target';
export { type BackupChoice, chooseBackup } from './restore-choice';

export interface RestoreProgress {
	phase: 'preparing' | 'restoring' | 'comparing' | 'swapping';
	/** Of the dump, so far. */
	bytes: number;
	totalBytes: number;
	statements: number;
	rows: number;
}

export interface RestoreRequest {
	repository: Repository;
	group: string;
	label: string;
	/** null for a backup that is not encrypted. */
	keys: DecryptionKeys | null;
	/** Its database serves only to connect for CREATE DATABASE. */
	server: DatabaseTarget;
	into: RestorePlace;
	rules: RewriteRules;
	/** For indexes and constraints of a plain dump; 1 by default. */
	connections?: number;
	/** A pg_restore for backups in custom format, when it is not in PATH. */
	nativePath?: string;
	/** Go on although the server lacks extensions that the backup names: for a restore of a part that needs none of them. */
	allowMissingExtensions?: boolean;
	/** Restore the roles and memberships that were saved beside the dump first; those that exist stay as they are. */
	globals?: boolean;
	/** For the journal. */
	actor?: Actor;
	signal: AbortSignal;
	onProgress?: (progress: RestoreProgress) => void;
	/** Rates are not limited here. */
	limits?: Partial<Limits>;
}

export interface RestoreResult {
	group: string;
	label: string;
	/** The database that holds the backup now. */
	database: string;
	mode: RestorePlace['mode'];
	startedAt: string;
	finishedAt: string;
	/** From the first look to the end of the comparison: the measured RTO. */
	seconds: number;
	originalBytes: number;
	/** 0 where pg_restore did the work, which does not count. */
	statements: number;
	rows: number;
	comparison: Comparison;
	warnings: string[];
}

/** Nothing may interrupt what must not be left half done. */
const NEVER = new AbortController().signal;

/**
 * Restores a backup into a database and compares it with what was backed up. When it rejects, a new database is gone
 * again, a replaced one is as it was, and only an empty one may be half filled, which the error says. Row counts that differ
 * are a result: `comparison.ok` is false, and nothing is replaced.
 * @throws BackupError 'invalid-input', 'locked', 'not-found', 'already-exists', 'missing-requirements', 'wrong-identity', 'damaged' …
 * before anything was written; 'restore-failed', 'damaged', 'stalled', 'timed-out', 'cancelled' … later
 */
export async function restoreDatabase(request: RestoreRequest): Promise<RestoreResult> {
	assertPlace(request.into, request.server);
	assertOnly(request.rules.only);
	const { group, label, actor, signal } = request;
	const { storage } = request.repository;
	const work = async (run: RunRecord): Promise<RestoreResult> => {
		const onProgress: RestoreRequest['onProgress'] = (progress) => {
			run.progress(progress.phase, progress.bytes, progress.totalBytes);
			request.onProgress?.(progress);
		};
		const reading = await startReading(storage, group, label, { verb: 'restore', signal });
		try {
			const result = await restore({ ...request, onProgress });
			run.warnings.push(...result.warnings);
			return { ...result, warnings: run.warnings };
		} finally {
			await reading.stop();
			run.warnings.push(...reading.warnings);
		}
	};
	return await recordRun(storage, { verb: 'restore', group, label, actor, signal }, work, describe);
}

function describe({ mode, seconds, originalBytes, rows, comparison, warnings }: RestoreResult): RunEnd {
	return {
		outcome: comparison.ok ? 'ok' : 'failed',
		code: comparison.ok ? null : 'different',
		facts: {
			mode,
			seconds,
			originalBytes,
			rows,
			tables: comparison.tables,
			different: comparison.differences.length,
			warnings: warnings.length,
		},
	};
}

async function restore(request: RestoreRequest): Promise<RestoreResult> {
	const limits = { ...DEFAULT_LIMITS, ...request.limits };
	const stop = new AbortController();
	const signal = AbortSignal.any([request.signal, stop.signal]);
	const duration = watchDuration(limits.hardTimeoutMs, (error) => stop.abort(error), 'restore a part of it');
	const startedAt = new Date();
	const start = performance.now();
	try {
		const facts = await new Restore({ ...request, signal }, limits.stallTimeoutMs).run();
		return {
			group: request.group,
			label: request.label,
			mode: request.into.mode,
			startedAt: startedAt.toISOString(),
			finishedAt: new Date().toISOString(),
			seconds: (performance.now() - start) / 1000,
			...facts,
		};
	} catch (error) {
		throw signal.aborted && !isBackupError(error) ? abortError(signal) : error;
	} finally {
		duration.stop();
	}
}

type Outcome = Pick<RestoreResult, 'database' | 'originalBytes' | 'statements' | 'rows' | 'comparison' | 'warnings'>;

class Restore {
	readonly #request: RestoreRequest;
	readonly #stallTimeoutMs: number;
	readonly #warnings: string[] = [];

	constructor(request: RestoreRequest, stallTimeoutMs: number) {
		this.#request = request;
		this.#stallTimeoutMs = stallTimeoutMs;
	}

	async run(): Promise<Outcome> {
		const backup = await openForRestore(this.#request, this.#stallTimeoutMs);
		this.#report('preparing', backup, { bytes: 0, statements: 0, rows: 0 });
		const { mode } = this.#request.into;
		return mode === 'empty' ? await this.#intoEmpty(backup) : await this.#intoNew(backup, mode);
	}

	async #intoEmpty(backup: OpenedBackup): Promise<Outcome> {
		const { server, into, signal } = this.#request;
		const target = { ...server, database: into.database };
		await withClient(target, signal, async (client) => {
			await assertEmpty(client, target);
			await this.#prepare(client, backup, { createsDatabase: false });
		});
		try {
			return this.#outcome(into.database, backup, await this.#fill(backup, target));
		} catch (error) {
			throw addHint(error, `What was restored so far is still in ${describeTarget(target)}: it is half filled.`);
		}
	}

	/** Beside everything that is there, under a name of its own, which it gives up only when it is whole. */
	async #intoNew(backup: OpenedBackup, mode: 'new' | 'replace'): Promise<Outcome> {
		const { server, into, signal } = this.#request;
		const tablespace = await withClient(server, signal, async (client) => {
			const found = await lookAtPlace(client, into);
			const replaces = mode === 'replace' ? into.database : undefined;
			await this.#prepare(client, backup, { createsDatabase: true, replaces });
			return found?.tablespace;
		});
		const restored = temporaryName(into.database, 'restoring');
		try {
			signal.throwIfAborted();
			// Interrupted, the server might go on with it, and nobody would know.
			const made = await withClient(
				server,
				NEVER,
				async (client) => await createDatabase(client, restored, backup.contents, { tablespace }),
			);
			this.#warnings.push(...made);
			const filled = await this.#fill(backup, { ...server, database: restored });
			this.#report('swapping', backup, filled);
			return this.#outcome(await this.#place(restored, filled, mode), backup, filled);
		} catch (error) {
			throw await this.#giveBack(restored, error);
		}
	}

	/**
	 * Its last chance to be cancelled is before it: whoever breaks off a COMMIT cannot know which database has the name.
	 * @returns under which name the restored database can be found
	 */
	async #place(restored: string, { comparison }: Filled, mode: 'new' | 'replace'): Promise<string> {
		const { server, into, signal } = this.#request;
		signal.throwIfAborted();
		if (mode === 'new') {
			await moveIntoPlace(server, restored, into.database);
			return into.database;
		}
		if (!comparison.ok) {
			this.#warnings.push(
				`${into.database} was not replaced, because what was restored differs from the backup: look at it in ${restored}, then drop that`,
			);
			return restored;
		}
		this.#warnings.push(...(await swapDatabases(server, restored, into.database)));
		return into.database;
	}

	/** @returns the error to throw */
	async #giveBack(restored: string, error: unknown): Promise<unknown> {
		try {
			await dropDatabase(this.#request.server, restored);
			return error;
		} catch (dropError) {
			return addHint(
				error,
				`The unfinished database ${restored} could not be dropped (${messageOf(dropError)}): drop it.`,
			);
		}
	}

	/** Roles and preflight are one transaction: what was found missing leaves no roles behind. */
	async #prepare(
		client: Client,
		{ contents, globals }: OpenedBackup,
		place: { createsDatabase: boolean; replaces?: string },
	): Promise<void> {
		const { server, rules, allowMissingExtensions } = this.#request;
		const query = queryOf(client);
		await query('BEGIN');
		if (globals !== null) this.#warnings.push(...(await executeGlobals(client, globals, server)));
		this.#warnings.push(...(await preflight(query, server, contents, { rules, allowMissingExtensions, ...place })));
		await query('COMMIT');
	}

	async #fill(backup: OpenedBackup, target: DatabaseTarget): Promise<Filled> {
		const { rules, connections, nativePath, signal } = this.#request;
		const filled = await fillDatabase(backup, target, {
			rules,
			connections,
			nativePath,
			signal,
			onProgress: (phase, progress) => this.#report(phase, backup, progress),
		});
		this.#warnings.push(...filled.warnings);
		return filled;
	}

	#report(phase: RestoreProgress['phase'], backup: OpenedBackup, { bytes, statements, rows }: ReplayProgress): void {
		const totalBytes = backup.manifest.object.original.bytes;
		this.#request.onProgress?.({ phase, bytes, totalBytes, statements, rows });
	}

	#outcome(database: string, backup: OpenedBackup, { statements, rows, comparison }: Filled): Outcome {
		const { bytes } = backup.manifest.object.original;
		return { database, originalBytes: bytes, statements, rows, comparison, warnings: this.#warnings };
	}
}

function addHint(error: unknown, hint: string): unknown {
	if (!isBackupError(error)) return error;
	return new BackupError(error.code, error.message, {
		hint: error.hint ? `${error.hint} ${hint}` : hint,
		cause: error.cause,
		details: error.details,
	});
}
