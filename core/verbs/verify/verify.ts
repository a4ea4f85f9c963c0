/** Verifies one backup, as deep as asked for, and keeps apart what is wrong with the backup from what is wrong around it. */
import { isAuthenticated } from '../../records/authority';
import type { RunEnd } from '../../records/journal/journal';
import { type Run, runVerb, alreadyOpen } from '../run';
import type { DrillResult } from '../../sources/source';
import { findChain } from './chain';
import { recordEvidence } from './record';
import { findManifest, type SeenManifest } from './manifest';
import { proveReadable } from './readable';
import { proveRestored } from './restored';
import { proveStored, type VerifiedBackup } from './stored';
import { assertRequest, everySecond, outcomeOf, success } from './run';
import type { VerifyRequest, VerifyResult } from './types';

export { newestReadable } from '../../records/readable-choice';
export { chooseForVerification, type VerifyChoice } from './choice';

/**
 * Verifies one backup. Whatever is wrong is a result, not an error. Retention leaves the backup alone meanwhile.
 * @throws BackupError 'cancelled'; 'invalid-input'; 'not-found' when there is no such backup; 'incomplete' when there
 * are objects of that label but no manifest
 */
export async function verifyBackup(request: VerifyRequest): Promise<VerifyResult> {
	assertRequest(request);
	const { group, label, actor, limits, signal } = request;
	const { value, warnings } = await runVerb(
		{
			...{ verb: 'verify', group, label, actor, limits, signal, advice: 'verify at a quieter time' },
			open: alreadyOpen(request.repository),
		},
		async (run) => await verify(request, run),
		describe,
	);
	return { ...value, warnings };
}

type Verified = Omit<VerifyResult, 'warnings'>;

function describe({ depth, outcome, code, seconds, restoreSeconds, comparison }: Verified): RunEnd {
	return {
		outcome: outcome === 'ok' ? 'ok' : 'failed',
		code,
		facts: {
			depth,
			outcome,
			seconds,
			...(restoreSeconds !== null && { restoreSeconds }),
			...comparison?.figures,
		},
	};
}

async function verify(request: VerifyRequest, run: Run): Promise<Verified> {
	const { group, label, depth } = request;
	const { repository, signal, limits, warn } = run;
	const hold = async (each: string) => await run.hold(group, each);
	const report = everySecond(request.onProgress);
	const startedAt = new Date();
	const seen: SeenManifest = { sha256: null };
	let drilled: DrillResult | null = null;
	let authentic = false;
	const found = await outcomeOf({ signal, cancel: request.signal }, async () => {
		await hold(label);
		const manifest = await findManifest(repository, group, label, seen, signal);
		const isAllowed = repository.authority.allowed?.has(`${group}/${label}`) ?? false;
		authentic = isAuthenticated(repository.authority, group, label);
		if (isAllowed) warn('whether it is signed was not looked at, because it was allowed by its name');
		const subject: VerifiedBackup = {
			repository,
			manifest,
			chain: await findChain(repository, manifest, hold, signal),
			keys: request.keys,
			stallTimeoutMs: limits.stallTimeoutMs,
			alreadyRead: request.alreadyRead ?? new Set(),
			signal,
			onProgress: (phase, bytes, totalBytes) => {
				run.progress(phase, bytes, totalBytes);
				report(phase, bytes, totalBytes);
			},
			warn,
		};
		if (depth === 'stored') await proveStored(subject);
		else if (depth === 'readable') await proveReadable(subject);
		else await proveRestored(subject, request.drills ?? [], (result) => (drilled = result));
		return success(manifest, depth, drilled);
	});
	const finishedAt = new Date();
	const drill = drilled as DrillResult | null;
	const result: Verified = {
		group,
		label,
		depth,
		...found.says,
		startedAt: startedAt.toISOString(),
		finishedAt: finishedAt.toISOString(),
		seconds: (finishedAt.getTime() - startedAt.getTime()) / 1000,
		restoreSeconds: drill?.restoreSeconds ?? null,
		comparison: drill?.comparison ?? null,
		assertions: drill?.assertions ?? [],
		scratch: drill?.scratch ?? null,
		authentic,
		evidence: null,
	};
	return result.outcome === 'environment' ? result : await recordEvidence(run, result, seen, found.withoutNames);
}
