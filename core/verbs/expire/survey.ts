/** From a storage to a plan of retention: the backups, their parents, and whether the last runs failed. Changes nothing. */
import { abortError, BackupError, isBackupError, isOfStorage, messageOf } from '../../base/errors';
import { inParallel } from '../../base/in-parallel';
import { withWayBack } from '../../records/deleted';
import { FailedRuns } from '../../records/journal/failed-runs';
import { type Limits } from '../../base/limits';
import { withLimits } from '../run';
import type { BackupEntry, Repository } from '../../records/repository';
import { planProved } from './proof';
import type { GroupPlan } from '../../retention/plan';
import type { BackupFacts } from '../../retention/facts';
import type { RetentionPolicy } from '../../retention/policy';
import { completePolicy } from '../../retention/rules';
import { plannerOf } from '../../sources/registry';

/** Manifests read at the same time. */
const READERS = 16;

export interface SurveyRequest {
	repository: Repository;
	/** Only these; every group of the storage when absent. */
	groups?: readonly string[];
	policy: RetentionPolicy;
	/** @default the time when the backups have been listed */
	now?: Date;
	limits?: Partial<Limits>;
	signal: AbortSignal;
}

/** A group for which nothing can be planned, and why. */
export interface GroupFailure {
	group: string;
	error: BackupError;
}

/** The plans of several groups, by name. One group that cannot be planned is no reason to plan nothing for the others. */
export interface SurveyedPlans {
	groups: GroupPlan[];
	failures: GroupFailure[];
}

/** Plans, and what they were made from. */
export interface PlannedFacts extends SurveyedPlans {
	facts: BackupFacts[];
}

/**
 * What a policy keeps and expires of what lies in a storage. Nothing is changed. A group without backups is a failure of its
 * own, 'not-found'.
 * @throws BackupError 'invalid-input' for a policy that cannot be used; those of the storage
 */
export async function surveyRetention(request: SurveyRequest): Promise<SurveyedPlans> {
	// Refuses the policy before anything is listed.
	completePolicy(request.policy);
	return await withLimits({ ...request, advice: 'name one group at a time' }, async ({ signal, limited }) => {
		const repository = request.repository.through(limited(request.repository.storage));
		return await survey({ ...request, repository, signal });
	});
}

async function survey(request: SurveyRequest): Promise<SurveyedPlans> {
	const { repository, groups, policy, signal } = request;
	const failedRuns = new FailedRuns(repository.storage);
	const entries: BackupEntry[] = [];
	const missing: GroupFailure[] = [];
	if (!groups) entries.push(...(await repository.survey()).backups);
	for (const group of new Set(groups)) {
		const { backups } = await repository.survey(group);
		if (backups.length === 0) missing.push({ group, error: await noBackups(repository, group) });
		for (const entry of backups) entries.push(entry);
	}
	const planned = await planFor(repository, entries, policy, request.now ?? new Date(), failedRuns, signal);
	return { groups: planned.groups, failures: [...planned.failures, ...missing] };
}

export async function noBackups({ storage }: Repository, group: string): Promise<BackupError> {
	const error = new BackupError('not-found', `there are no backups of ${group} in ${storage.location}`, {
		hint: 'List the backups to see the names of the groups. A name that is not right would keep everything for ever.',
	});
	return await withWayBack(error, storage, `${group}/`);
}

/** Plans for backups that were listed. */
export async function planFor(
	repository: Repository,
	entries: readonly BackupEntry[],
	policy: RetentionPolicy,
	now: Date,
	failedRuns: FailedRuns,
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
	const facts = entries.map((entry) => (entry.type === 'full' ? entry : { ...entry, parents: parents.get(entry)! }));
	const contexts = await failedRuns.lastOf(entries, now, signal);
	const planned: PlannedFacts = { groups: [], failures: [], facts: [] };
	for (const [group, members] of Map.groupBy(facts, (each) => each.group)) {
		try {
			const plan = await plannerOf(group)?.(repository, members, signal);
			if (plan) {
				planned.groups.push(plan);
				for (const each of members) planned.facts.push(each);
				continue;
			}
			const proved = await planProved(repository, members, { policy, now, context: contexts.get(group) ?? {}, signal });
			planned.groups.push({ ...proved.plan, warnings: [...proved.plan.warnings, ...(warnings.get(group) ?? [])] });
			for (const each of proved.facts) planned.facts.push(each);
		} catch (error) {
			if (signal.aborted || !isBackupError(error) || isOfStorage(error.code)) throw error;
			planned.failures.push({ group, error });
		}
	}
	planned.groups.sort((a, b) => (a.group < b.group ? -1 : 1));
	return planned;
}
