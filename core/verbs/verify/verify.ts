/** Verifies one backup, as deep as asked for, and keeps apart what is wrong with the backup from what is wrong around it. */
import { recordRun, type RunEnd, type RunRecord } from '../../records/journal/journal';
import { withLimits } from '../limits';
import type { DrillResult } from '../../sources/source';
import { findChain } from './chain';
import { type Reading, startReading } from '../../records/locks/read-marks';
import { record } from './record';
import { findManifest, type SeenManifest } from './manifest';
import { proveReadable } from './readable';
import { proveRestored } from './restored';
import { proveStored, type Subject } from './stored';
import { assertRequest, everySecond, judge, success } from './run';
import { LimitedVerifyRequest, VerifyRequest, VerifyResult } from './types';

export { newestReadable } from '../../records/readable-choice';
export { chooseForVerification, type VerifyChoice } from './choice';

/**
 * Verifies one backup. Whatever is wrong is a result, not an error. Retention leaves the backup alone meanwhile.
 * @throws BackupError 'cancelled'; 'invalid-input'; 'not-found' when there is no such backup; 'incomplete' when there
 * are objects of that label but no manifest
 */
export async function verifyBackup(request: VerifyRequest): Promise<VerifyResult> {
	assertRequest(request);
	const advice = 'verify at a quieter time';
	return await withLimits({ ...request, advice }, async ({ signal, limits, limited }) => {
		const repository = request.repository.through(limited(request.repository.storage));
		return await recorded({ ...request, repository, limits, signal, cancel: request.signal });
	});
}

async function recorded(request: LimitedVerifyRequest): Promise<VerifyResult> {
	const { repository, group, label, actor, signal } = request;
	const work = async (run: RunRecord): Promise<VerifyResult> => {
		const onProgress: VerifyRequest['onProgress'] = (progress) => {
			run.progress(progress.phase, progress.bytes, progress.totalBytes);
			request.onProgress?.(progress);
		};
		const readings: Reading[] = [];
		const hold = async (each: string) => {
			readings.push(await startReading(repository.storage, group, each, { verb: 'verify', signal }));
		};
		try {
			const result = await verify({ ...request, onProgress }, hold);
			run.warnings.push(...repository.warnings, ...result.warnings);
			return { ...result, warnings: run.warnings };
		} finally {
			// Not before the evidence lies beside the backup.
			for (const reading of readings) {
				await reading.stop();
				run.warnings.push(...reading.warnings);
			}
		}
	};
	return await recordRun(repository.storage, { verb: 'verify', group, label, actor, signal }, work, describe);
}

function describe({ depth, outcome, code, seconds, restoreSeconds, comparison, warnings }: VerifyResult): RunEnd {
	return {
		outcome: outcome === 'ok' ? 'ok' : 'failed',
		code,
		facts: {
			depth,
			outcome,
			seconds,
			...(restoreSeconds !== null && { restoreSeconds }),
			...comparison?.figures,
			warnings: warnings.length,
		},
	};
}

/** @param hold keeps retention from removing a backup that is being looked at */
async function verify(request: LimitedVerifyRequest, hold: (label: string) => Promise<void>): Promise<VerifyResult> {
	const { repository, group, label, depth, signal } = request;
	const startedAt = new Date();
	const warnings: string[] = [];
	const seen: SeenManifest = { sha256: null };
	let drilled: DrillResult | null = null;
	const verdict = await judge(request, async () => {
		await hold(label);
		const manifest = await findManifest(repository, group, label, seen, signal);
		const subject: Subject = {
			repository,
			manifest,
			chain: await findChain(repository, manifest, hold, signal),
			keys: request.keys,
			stallTimeoutMs: request.limits.stallTimeoutMs,
			alreadyRead: request.alreadyRead ?? new Set(),
			signal,
			onProgress: everySecond(request.onProgress),
			warn: (text) => void warnings.push(text),
		};
		if (depth === 'stored') await proveStored(subject);
		else if (depth === 'readable') await proveReadable(subject);
		else await proveRestored(subject, request.drills ?? [], (result) => (drilled = result));
		return success(manifest, depth, drilled);
	});
	const finishedAt = new Date();
	const drill = drilled as DrillResult | null;
	const result: VerifyResult = {
		group,
		label,
		depth,
		...verdict.says,
		startedAt: startedAt.toISOString(),
		finishedAt: finishedAt.toISOString(),
		seconds: (finishedAt.getTime() - startedAt.getTime()) / 1000,
		restoreSeconds: drill?.restoreSeconds ?? null,
		comparison: drill?.comparison ?? null,
		assertions: drill?.assertions ?? [],
		scratch: drill?.scratch ?? null,
		evidence: null,
		warnings,
	};
	return result.outcome === 'environment' ? result : await record(request, result, seen, verdict.withoutNames);
}
