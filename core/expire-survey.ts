/** From a storage to a plan of retention: the backups, their parents, and whether the last runs failed. Changes nothing. */
import { abortError, BackupError, messageOf } from './errors';
import { inParallel } from './in-parallel';
import { readRuns } from './journal';
import type { BackupEntry, Repository } from './repository';
import { planRetention, type BackupFacts, type GroupContext, type RetentionPlan } from './retention/plan';
import type { RetentionPolicy } from './retention/policy';
import { completePolicy } from './retention/rules';
import type { Storage } from './storage/storage';

/** Manifests read at the same time. */
const READERS = 16;
/**
 * How far back the journal is read for failed runs, at most. A weekly schedule has failed again within it; what has
 * failed for longer is told by the age of the newest backup.
 */
const LOOK_BACK_MS = 14 * 24 * 3_600_000;

export interface SurveyRequest {
	repository: Repository;
	/** Only these; every group of the storage when absent. */
	groups?: readonly string[];
	policy: RetentionPolicy;
	/** @default the time when the backups have been listed */
	now?: Date;
	signal: AbortSignal;
}

/** A plan, and what it was made from. */
export interface PlannedFacts {
	plan: RetentionPlan;
	facts: BackupFacts[];
}

/**
 * What a policy keeps and expires of what lies in a storage. Nothing is changed.
 * @throws BackupError 'invalid-input' for a policy that cannot be used; 'not-found' for a group without backups
 */
export async function surveyRetention(request: SurveyRequest): Promise<RetentionPlan> {
	const { repository, groups, policy, signal } = request;
	// Refuses the policy before anything is listed.
	completePolicy(policy);
	const entries: BackupEntry[] = [];
	if (!groups) entries.push(...(await repository.survey()).backups);
	for (const group of new Set(groups)) {
		const { backups } = await repository.survey(group);
		if (backups.length === 0) throw noBackups(repository, group);
		for (const entry of backups) entries.push(entry);
	}
	return (await planFor(repository, entries, policy, request.now ?? new Date(), signal)).plan;
}

export function noBackups(repository: Repository, group: string): BackupError {
	return new BackupError('not-found', `there are no backups of ${group} in ${repository.storage.location}`, {
		hint: 'List the backups to see the names of the groups. A name that is not right would keep everything for ever.',
	});
}

/** Plans for backups that were listed. */
export async function planFor(
	repository: Repository,
	entries: readonly BackupEntry[],
	policy: RetentionPolicy,
	now: Date,
	signal: AbortSignal,
): Promise<PlannedFacts> {
	const warnings = new Map<string, string[]>();
	const parents = new Map<BackupEntry, readonly string[] | null>();
	const dependent = entries.filter(({ type }) => type !== 'full');
	await inParallel(dependent, READERS, async (entry) => {
		const { group, label } = entry;
		try {
			parents.set(entry, (await repository.readManifest(group, label, signal)).parents);
		} catch (error) {
			if (signal.aborted) throw abortError(signal);
			parents.set(entry, null);
			const unread = `what ${label} needs is not known: ${messageOf(error)}`;
			warnings.set(group, [...(warnings.get(group) ?? []), unread]);
		}
	});
	const facts = entries.map((entry) => ({ ...entry, parents: entry.type === 'full' ? [] : parents.get(entry)! }));
	const contexts = await lastFailures(repository.storage, entries, now, signal);
	const plan = planRetention(facts, policy, now, contexts);
	const groups = plan.groups.map((each) => ({
		...each,
		warnings: [...each.warnings, ...(warnings.get(each.group) ?? [])],
	}));
	return { plan: { ...plan, groups }, facts };
}

/** The newest failed run of each group, as far as it can be newer than the newest backup. */
async function lastFailures(
	storage: Storage,
	entries: readonly BackupEntry[],
	now: Date,
	signal: AbortSignal,
): Promise<Map<string, GroupContext>> {
	const newest = new Map<string, number>();
	for (const { group, startedAt } of entries) {
		newest.set(group, Math.max(newest.get(group) ?? 0, Math.min(startedAt.getTime(), now.getTime())));
	}
	const failures = new Map<string, GroupContext>();
	if (newest.size === 0) return failures;
	let from = now.getTime();
	for (const time of newest.values()) from = Math.min(from, time);
	const runs = await readRuns(storage, {
		from: new Date(Math.max(from, now.getTime() - LOOK_BACK_MS)),
		to: now,
		signal,
	});
	for (const { verb, group, state, code, startedAt } of runs) {
		// A run that found another one at work says nothing about the source.
		if (verb !== 'dump' || group === null || code === 'locked') continue;
		if (state !== 'failed' && state !== 'lost') continue;
		const at = new Date(startedAt);
		const known = failures.get(group)?.lastFailure;
		if (!known || at > known) failures.set(group, { lastFailure: at });
	}
	return failures;
}
