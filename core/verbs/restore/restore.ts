/** Restores a backup, whatever it is of: look before the first byte is written, restore, compare. */
import { about, BackupError } from '../../base/errors';
import type { Limits } from '../../base/limits';
import { recordRun, type RunEnd, type RunRecord } from '../../records/journal/journal';
import { objectKey } from '../../records/layout';
import { type Reading, startReading } from '../../records/locks/read-marks';
import { dataSize, type Manifest } from '../../records/manifest';
import type { Storage } from '../../storage/storage';
import type { Restored } from '../../sources/source';
import { kindOf } from '../../sources/registry';
import { readChain } from '../chain';
import { withLimits } from '../limits';
import { openBackup } from '../open-backup';
import type { RestoreFacts, RestoreRequest, RestoreResult } from './types';

export { type BackupChoice, chooseForRestore } from './choice';

/**
 * Restores a backup, with all that it needs, and compares the result with what was backed up. Retention leaves all of it alone
 * meanwhile. What differs is a result: `comparison.ok` is false.
 * @throws BackupError 'invalid-input' when it is a backup of another kind than the restorer's, 'locked', 'not-found',
 * 'wrong-identity', 'damaged' … before anything was written; those of the restorer; 'timed-out', 'cancelled'
 */
export async function restoreBackup<Result extends Restored>(
	request: RestoreRequest<Result>,
): Promise<RestoreResult<Result>> {
	const restoring = withLimits({ ...request, advice: 'restore a part of it' }, async ({ signal, limits, limited }) => {
		const repository = request.repository.through(limited(request.repository.storage));
		return await recorded({ ...request, repository, limits, signal });
	});
	// Which one it is, nobody has said where the newest was chosen.
	return await restoring.catch((error: unknown) => {
		throw about(`${request.group}/${request.label}`, error);
	});
}

type LimitedRequest<Result extends Restored> = RestoreRequest<Result> & { limits: Limits };

type Ended<Result> = RestoreFacts & Result;

async function recorded<Result extends Restored>(request: LimitedRequest<Result>): Promise<RestoreResult<Result>> {
	const { repository, group, label, actor, signal } = request;
	const { storage } = repository;
	const work = async (run: RunRecord): Promise<Ended<Result>> => {
		run.warnings.push(...repository.warnings);
		const readings: Reading[] = [];
		const hold = async (each: string) => {
			readings.push(await startReading(storage, group, each, { verb: 'restore', signal }));
		};
		try {
			return await restore(request, run, hold);
		} finally {
			for (const reading of readings) {
				await reading.stop();
				run.warnings.push(...reading.warnings);
			}
		}
	};
	const ended = await recordRun(storage, { verb: 'restore', group, label, actor, signal }, work, describe);
	const { facts: _, ...result } = ended;
	return result;
}

function describe({ seconds, originalBytes, comparison, facts, warnings }: Ended<Restored>): RunEnd {
	return {
		outcome: comparison.ok ? 'ok' : 'failed',
		code: comparison.ok ? null : 'different',
		facts: { ...facts, seconds, originalBytes, warnings: warnings.length },
	};
}

async function restore<Result extends Restored>(
	request: LimitedRequest<Result>,
	run: RunRecord,
	hold: (label: string) => Promise<void>,
): Promise<Ended<Result>> {
	const { repository, group, label, keys, restorer, signal } = request;
	const { stallTimeoutMs } = request.limits;
	const startedAt = new Date();
	const start = performance.now();
	const chain = (await readChain(repository, group, label, hold, signal)).map(({ manifest }) => manifest);
	const manifest = chain.at(-1)!;
	assertKind(manifest, restorer.kind);
	const backup = await openBackup(chain, { repository, keys, signal, stallTimeoutMs });
	for (const each of chain) await assertThere(repository.storage, each);
	const totalBytes = dataSize(manifest).originalBytes;
	const result = await restorer.restore(backup, {
		signal,
		stallTimeoutMs,
		warn: (text) => void run.warnings.push(text),
		onProgress: (progress) => {
			run.progress(progress.phase, progress.bytes, totalBytes);
			request.onProgress?.({ ...progress, totalBytes });
		},
	});
	return {
		group,
		label,
		originalBytes: totalBytes,
		startedAt: startedAt.toISOString(),
		finishedAt: new Date().toISOString(),
		seconds: (performance.now() - start) / 1000,
		...result,
		warnings: run.warnings,
	};
}

/** @throws BackupError 'invalid-input', 'unsupported' */
function assertKind(manifest: Manifest, kind: string): void {
	const { noun } = kindOf(manifest);
	if (manifest.source.kind === kind) return;
	throw new BackupError('invalid-input', `${manifest.group}/${manifest.label} is a backup of ${noun}`, {
		hint: 'Choose another backup, or the command or node that restores what this one holds.',
	});
}

/**
 * Looks whether the data of a backup is there before anything is written.
 * @throws BackupError 'not-found', 'damaged'
 */
async function assertThere(storage: Storage, { group, label, parts }: Manifest): Promise<void> {
	for (const { name, stored } of parts.filter(({ role }) => role === 'data')) {
		const key = objectKey(group, label, name);
		const found = await storage.stat(key);
		if (found?.size === stored.bytes) continue;
		const what = found ? `has ${found.size} instead of ${stored.bytes} bytes` : 'is missing';
		throw new BackupError(found ? 'damaged' : 'not-found', `${storage.location}/${key} ${what}`, {
			hint: 'The object was removed or changed after the backup was made. Use another backup.',
		});
	}
}
