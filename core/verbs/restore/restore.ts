/** Restores a database from its backup: choose, look before the first byte is written, restore, compare. */
import { about } from '../../base/errors';
import { recordRun, type RunEnd, type RunRecord } from '../../records/journal/journal';
import { type Limits } from '../../base/limits';
import { withLimits } from '../limits';
import { assertOnly } from '../../sources/postgres/replay/only';
import { assertPlace } from '../../sources/postgres/restore/target';
import { startReading } from '../../records/locks/read-marks';
import { Restore } from './steps';
import { RestoreRequest, RestoreResult } from './types';

export type { RestorePlace } from '../../sources/postgres/restore/target';
export { type BackupChoice, chooseForRestore } from './choice';

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
