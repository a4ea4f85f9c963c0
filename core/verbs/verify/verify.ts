/** Verifies one backup, as deep as asked for, and keeps apart what is wrong with the backup from what is wrong around it. */
import type { Actor } from '../../records/journal/actor';
import type { ErrorCode } from '../../base/errors';
import type { Depth } from '../../records/evidence';
import type { DecryptionKeys } from '../../codecs/age/age';
import { recordRun, type RunEnd, type RunRecord } from '../../records/journal/journal';
import { type Limits, withLimits } from '../../base/limits';
import type { Allowance } from '../../sources/postgres/replay/allowances';
import type { Assertion, AssertionResult } from '../../sources/postgres/drill/assertions';
import type { Comparison } from '../../sources/postgres/dump/compare';
import type { DrillResult } from '../../sources/postgres/drill/drill';
import type { RewriteRules } from '../../sources/postgres/replay/rewrite';
import type { Scratch } from '../../sources/postgres/drill/scratch-database';
import { type Reading, startReading } from '../../records/locks/read-marks';
import type { Repository } from '../../records/repository';
import { record } from './record';
import { findManifest, type SeenManifest } from './manifest';
import { proveReadable } from './readable';
import { proveRestored } from './restored';
import { proveStored, type Subject } from './stored';
import { assertRequest, everySecond, judge, success } from './run';

export type { Assertion, AssertionResult } from '../../sources/postgres/drill/assertions';
export type { Scratch } from '../../sources/postgres/drill/scratch-database';
export { newestReadable } from '../../records/readable-choice';
export { chooseForVerification, type VerifyChoice } from './choice';

export interface VerifyProgress {
	/** `waiting`: for the embedded database, while another verification of this process uses it. */
	phase: 'stored' | 'readable' | 'waiting' | 'restoring' | 'comparing';
	/** Of this phase, so far. */
	bytes: number;
	totalBytes: number;
}

export interface VerifyRequest {
	repository: Repository;
	group: string;
	label: string;
	depth: Depth;
	/** null where no key is at hand: then only `stored` can be proved of an encrypted backup. */
	keys: DecryptionKeys | null;
	/**
	 * For depth `stored`: names of objects that the caller has just read whole where they lie, and found to be what the
	 * manifest says. Of them only the size is looked at again.
	 */
	alreadyRead?: ReadonlySet<string>;
	/** Where to restore; needed for depth `restored` only. */
	scratch?: Scratch;
	/** Asked of the restored database. */
	assertions?: readonly Assertion[];
	/** How the dump is changed on its way into the scratch database. Default: without owners, privileges and subscriptions. */
	rules?: RewriteRules;
	/** What the dump may do in a drill that is refused otherwise. */
	allow?: readonly Allowance[];
	/** A pg_restore for backups in custom format, when it is not in PATH. */
	nativePath?: string;
	limits?: Partial<Limits>;
	/** For the journal. */
	actor?: Actor;
	signal: AbortSignal;
	/** Called about once a second. */
	onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyResult {
	group: string;
	label: string;
	depth: Depth;
	/**
	 * `ok`: all that the depth asks for was proved. `bad`: it was proved that the backup is not what it should be; no
	 * other attempt will change that. `environment`: nothing was proved, for a reason outside of the backup.
	 */
	outcome: 'ok' | 'bad' | 'environment';
	/** null when it is ok. */
	code: ErrorCode | null;
	/** Lower case, for people. May name tables. */
	message: string;
	hint: string | null;
	/** ISO 8601. */
	startedAt: string;
	finishedAt: string;
	seconds: number;
	/** How long the scratch database took to become whole: the measured RTO. */
	restoreSeconds: number | null;
	comparison: Comparison | null;
	assertions: AssertionResult[];
	/** Where it was restored, for people. */
	scratch: string | null;
	/** Name of the object beside the backup; null when nothing was proved. */
	evidence: string | null;
	warnings: string[];
}

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

/** What is asked for, as the limits let it be done. */
export type LimitedVerifyRequest = VerifyRequest & {
	limits: Limits;
	/** Of whoever asked: that it was cancelled is an error, that it takes too long a result. */
	cancel: AbortSignal;
};

async function recorded(request: LimitedVerifyRequest): Promise<VerifyResult> {
	const { repository, group, label, actor, signal } = request;
	const work = async (run: RunRecord): Promise<VerifyResult> => {
		const onProgress: VerifyRequest['onProgress'] = (progress) => {
			run.progress(progress.phase, progress.bytes, progress.totalBytes);
			request.onProgress?.(progress);
		};
		const mark: { reading?: Reading } = {};
		const leaveMark = async () => {
			mark.reading = await startReading(repository.storage, group, label, { verb: 'verify', signal });
		};
		try {
			const result = await verify({ ...request, onProgress }, leaveMark);
			run.warnings.push(...repository.warnings, ...result.warnings);
			return { ...result, warnings: run.warnings };
		} finally {
			// Not before the evidence lies beside the backup.
			await mark.reading?.stop();
			run.warnings.push(...(mark.reading?.warnings ?? []));
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
			...(comparison && { tables: comparison.tables, rows: comparison.rows, hashed: comparison.hashed }),
			warnings: warnings.length,
		},
	};
}

/** @param leaveMark keeps retention from removing what is being looked at */
async function verify(request: LimitedVerifyRequest, leaveMark: () => Promise<void>): Promise<VerifyResult> {
	const { repository, group, label, depth, signal } = request;
	const startedAt = new Date();
	const warnings: string[] = [];
	const seen: SeenManifest = { sha256: null };
	let drilled: DrillResult | null = null;
	const verdict = await judge(request, async () => {
		await leaveMark();
		const manifest = await findManifest(repository, group, label, seen, signal);
		const subject: Subject = {
			repository,
			manifest,
			keys: request.keys,
			stallTimeoutMs: request.limits.stallTimeoutMs,
			alreadyRead: request.alreadyRead ?? new Set(),
			signal,
			onProgress: everySecond(request.onProgress),
			warn: (text) => void warnings.push(text),
		};
		if (depth === 'stored') await proveStored(subject);
		else if (depth === 'readable') await proveReadable(subject);
		else {
			const { scratch, assertions = [], rules, allow, nativePath } = request;
			const test = { scratch: scratch!, assertions, rules, allow, nativePath };
			await proveRestored(subject, test, (result) => (drilled = result));
		}
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
