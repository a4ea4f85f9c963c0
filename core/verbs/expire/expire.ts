/**
 * Applies a retention policy to a group: under the group's lock it lists anew, plans anew, and removes what the plan
 * expires. What a crash leaves half-removed is no backup any more, says so, and is finished by the next one.
 */
import type { Actor } from '../../records/journal/actor';
import { abortError, BackupError, isBackupError } from '../../base/errors';
import { extendProtection } from './protection';
import { type Removal, removeExpired, type Skipped, untilOf } from './removal';
import { noBackups, type PlannedFacts, planFor } from './survey';
import { FailedRuns } from '../../records/journal/failed-runs';
import type { RunEnd } from '../../records/journal/journal';
import { assertGroup } from '../../records/label';
import { type Limits } from '../../base/limits';
import { type Run, runVerb, alreadyOpen } from '../run';
import type { Lock } from '../../records/locks/lock';
import { listReaders, type Reader } from '../../records/locks/read-marks';
import type { Repository } from '../../records/repository';
import type { GroupPlan } from '../../retention/plan';
import type { RetentionPolicy } from '../../retention/policy';
import { completePolicy } from '../../retention/rules';
import type { Protection } from '../../storage/storage';
import { assertRemovable } from '../../storage/append-only';
import type { Survey } from '../../records/catalog';

export type { Skipped } from './removal';
export { type GroupFailure, surveyRetention } from './survey';
export { FailedRuns } from '../../records/journal/failed-runs';

/** What to do besides waiting longer: each run goes on where the last one stopped. */
const ADVICE = 'run it again: it goes on';

export interface RetentionProgress {
	phase: 'removing' | 'protecting';
	/** Backups removed so far, and how many are to be. */
	removed: number;
	total: number;
	freedBytes: number;
}

export interface RetentionRequest {
	repository: Repository;
	group: string;
	policy: RetentionPolicy;
	/** @default the time when the group's lock was taken */
	now?: Date;
	/** How long to wait for another run in this group, milliseconds; not at all when absent. */
	lockWaitMs?: number;
	/** Protects what is kept, where the storage can, until the policy lets go of it. */
	extendProtection?: Protection['mode'];
	/** For several groups of one storage in a row: share one. */
	failedRuns?: FailedRuns;
	actor?: Actor;
	limits?: Partial<Limits>;
	signal: AbortSignal;
	onProgress?: (progress: RetentionProgress) => void;
}

export interface RetentionResult {
	group: string;
	/** What was decided, with the reasons for every backup. */
	plan: GroupPlan;
	/** Labels. */
	removed: string[];
	/** Bytes of what was removed and of what was resumed. */
	freedBytes: number;
	/** Expired, and still there: somebody reads or needs it, or the storage protects it. */
	skipped: Skipped[];
	/** Labels whose removal an earlier run had begun. */
	resumed: string[];
	/** Expired but held back, because something about the newest backups is not as it should be; see `plan.blocked`. */
	held: { backups: number; bytes: number };
	warnings: string[];
}

/**
 * Removes what the policy lets go of. A plan that is blocked removes nothing, which is a result and no error.
 * @throws BackupError 'invalid-input' for a policy that cannot be used; 'not-found' for a group without backups; 'locked'
 * when another run works in this group, or took its lock away; 'cancelled'; of the storage. Any of them may come after
 * some backups were removed: none is ever half a backup, and the next run goes on.
 */
export async function applyRetention(request: RetentionRequest): Promise<RetentionResult> {
	const { group, policy } = request;
	assertGroup(group);
	// Refuses the policy before anything is written.
	completePolicy(policy);
	assertRemovable(request.repository.storage);
	const { lockWaitMs, actor, limits, signal } = request;
	const { value, warnings } = await runVerb(
		{
			...{ verb: 'expire', group, actor, lockWaitMs, limits, signal, advice: ADVICE },
			open: alreadyOpen(request.repository),
		},
		async (run) =>
			await run.asWriter(run.repository, group, 'retention', async (lock, writing) => {
				return await apply({ ...request, repository: run.repository, signal: writing }, lock, run);
			}),
		describe,
	);
	return { ...value, warnings };
}

type Applied = Omit<RetentionResult, 'warnings'>;

async function apply(request: RetentionRequest, lock: Lock, run: Run): Promise<Applied> {
	const { repository, group, policy, signal } = request;
	const survey = await repository.survey(group);
	const unfinished = survey.leftovers.filter(({ expired }) => expired);
	if (survey.backups.length === 0 && unfinished.length === 0) throw await noBackups(repository, group);
	const { now = new Date(), failedRuns = new FailedRuns(repository.storage) } = request;
	const planned = await planFor(repository, survey.backups, policy, now, failedRuns, signal);
	if (planned.failures[0]) throw planned.failures[0].error;
	const plan = planned.groups[0] ?? emptyPlan(group);
	const readers = await listReaders(repository.storage, group);
	const removal: Removal = { removed: [], freedBytes: 0, skipped: [] };
	const resumed: string[] = [];
	try {
		await finishBegun(repository, unfinished, { lock, signal, resumed, removal });
		await unmarkKept(repository, survey, plan);
		await removePlanned(request, { planned, plan, readers, lock, signal, run }, removal);
	} catch (error) {
		throw afterRemoving(removal.removed.length + resumed.length, error);
	}
	if (request.extendProtection) {
		const kept = plan.backups.filter(({ action }) => action === 'keep');
		request.onProgress?.({ phase: 'protecting', ...progressOf(removal, plan) });
		run.warn(...(await extendProtection(repository, group, kept, request.extendProtection, signal)));
	}
	return { group, plan, ...removal, resumed, held: heldBack(plan) };
}

/** Removes the rest of backups whose manifest an earlier run has removed already. */
async function finishBegun(
	repository: Repository,
	unfinished: Survey['leftovers'],
	{ lock, signal, resumed, removal }: { lock: Lock; signal: AbortSignal; resumed: string[]; removal: Removal },
): Promise<void> {
	for (const leftover of unfinished) {
		if (signal.aborted) throw abortError(signal);
		await lock.assertHeld();
		try {
			await repository.removeLeftover(leftover);
			resumed.push(leftover.label);
			removal.freedBytes += leftover.storedBytes;
		} catch (error) {
			if (!isBackupError(error, 'protected')) throw error;
			const until = untilOf(error);
			const why = `what is left of it is protected: ${error.message}`;
			removal.skipped.push({ label: leftover.label, why, ...(until !== undefined && { until }) });
		}
	}
}

/** A backup that was about to be removed when a run was killed, and that stays now, is a backup like all others again. */
async function unmarkKept(repository: Repository, { backups }: Survey, plan: GroupPlan): Promise<void> {
	const kept = new Set(plan.backups.filter(({ action }) => action === 'keep').map(({ label }) => label));
	for (const { label, expiring } of backups) {
		if (expiring && kept.has(label)) await repository.keep(plan.group, label);
	}
}

async function removePlanned(
	{ repository, group, onProgress }: RetentionRequest,
	state: {
		planned: PlannedFacts;
		plan: GroupPlan;
		readers: readonly Reader[];
		lock: Lock;
		signal: AbortSignal;
		run: Run;
	},
	removal: Removal,
): Promise<void> {
	const { planned, plan, readers, lock, signal, run } = state;
	const expired = plan.backups.filter(({ action }) => action === 'expire');
	const onRemoved = () => {
		run.progress('removing', removal.freedBytes, plan.freedBytes);
		onProgress?.({ phase: 'removing', ...progressOf(removal, plan) });
	};
	await removeExpired({ repository, group, lock, facts: planned.facts, expired, readers, signal, onRemoved }, removal);
}

function progressOf({ removed, freedBytes }: Removal, plan: GroupPlan): Omit<RetentionProgress, 'phase'> {
	const total = plan.backups.reduce((count, { action }) => count + (action === 'expire' ? 1 : 0), 0);
	return { removed: removed.length, total, freedBytes };
}

/** How much would go if nothing held it back. */
export function heldBack(plan: GroupPlan): { backups: number; bytes: number } {
	const held = plan.backups.filter((backup) => backup.held);
	return { backups: held.length, bytes: held.reduce((sum, { storedBytes }) => sum + storedBytes, 0) };
}

function emptyPlan(group: string): GroupPlan {
	return { group, backups: [], blocked: [], warnings: [], keptBytes: 0, freedBytes: 0, nextExpiry: null };
}

/** Says that a run which failed had done something before. */
function afterRemoving(removed: number, error: unknown): unknown {
	if (removed === 0 || !isBackupError(error)) return error;
	const before = `${removed} ${removed === 1 ? 'backup was' : 'backups were'} removed before that; the next run goes on.`;
	return new BackupError(error.code, error.message, {
		hint: error.hint ? `${error.hint} ${before}` : before,
		cause: error,
		details: { ...error.details, removed },
	});
}

/** Blocked counts as degraded: that nothing is removed any more should be noticed before the storage is full. */
function describe({ plan, removed, resumed, skipped, freedBytes, held }: Applied): RunEnd {
	return {
		outcome: plan.blocked.length > 0 ? 'degraded' : 'ok',
		facts: {
			kept: plan.backups.filter(({ action }) => action === 'keep').length,
			removed: removed.length,
			resumed: resumed.length,
			skipped: skipped.length,
			held: held.backups,
			freedBytes,
			blocked: plan.blocked.map(({ risk }) => risk).join(',') || null,
			nextExpiry: plan.nextExpiry?.at.toISOString() ?? null,
		},
	};
}
