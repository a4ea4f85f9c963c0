/** Restores a database from its backup: choose, look before the first byte is written, restore, compare. */
import { about } from '../../base/errors';
import type { Actor } from '../../records/journal/actor';
import type { DecryptionKeys } from '../../codecs/age/age';
import { recordRun, type RunEnd, type RunRecord } from '../../records/journal/journal';
import { type Limits, withLimits } from '../../base/limits';
import type { Comparison } from '../../sources/postgres/dump/compare';
import { assertOnly } from '../../sources/postgres/replay/only';
import { assertPlace, type RestorePlace } from '../../sources/postgres/restore/target';
import type { RewriteRules } from '../../sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../sources/postgres/connection/target';
import { startReading } from '../../records/locks/read-marks';
import type { Repository } from '../../records/repository';
import { Restore } from './steps';

export type { RestorePlace } from '../../sources/postgres/restore/target';
export { type BackupChoice, chooseForRestore } from './choice';

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
	/** What the database itself was given besides its contents, for people: "search_path", "the owner". */
	properties: string[];
	warnings: string[];
}

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
	const restoring = withLimits({ ...request, advice: 'restore a part of it' }, async ({ signal, limits, limited }) => {
		const repository = request.repository.through(limited(request.repository.storage));
		return await recorded({ ...request, repository, limits, signal });
	});
	// Which one it is, nobody has said where the newest was chosen.
	return await restoring.catch((error: unknown) => {
		throw about(`${request.group}/${request.label}`, error);
	});
}

type LimitedRequest = RestoreRequest & { limits: Limits };

async function recorded(request: LimitedRequest): Promise<RestoreResult> {
	const { group, label, actor, signal } = request;
	const { storage, warnings } = request.repository;
	const work = async (run: RunRecord): Promise<RestoreResult> => {
		const onProgress: RestoreRequest['onProgress'] = (progress) => {
			run.progress(progress.phase, progress.bytes, progress.totalBytes);
			request.onProgress?.(progress);
		};
		const reading = await startReading(storage, group, label, { verb: 'restore', signal });
		try {
			const result = await restore({ ...request, onProgress });
			run.warnings.push(...warnings, ...result.warnings);
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

async function restore(request: LimitedRequest): Promise<RestoreResult> {
	const startedAt = new Date();
	const start = performance.now();
	const { stallTimeoutMs } = request.limits;
	const server = { patienceMs: stallTimeoutMs, ...request.server };
	const facts = await new Restore({ ...request, server }, stallTimeoutMs).run();
	return {
		group: request.group,
		label: request.label,
		mode: request.into.mode,
		startedAt: startedAt.toISOString(),
		finishedAt: new Date().toISOString(),
		seconds: (performance.now() - start) / 1000,
		...facts,
	};
}
