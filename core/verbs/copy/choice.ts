/** Which backups a destination lacks: decided from two listings, and from the evidence of copies that look complete. */
import type { CopyChoice } from './types';
import { hasEvidence } from './look';
import { nameOfVerification } from '../../records/evidence';
import { inParallel } from '../../base/in-parallel';
import type { BackupEntry, Repository } from '../../records/repository';
import { newestOfEach } from '../../records/newest';
import { newestReadable } from '../../records/readable-choice';

/** Copies whose evidence is looked at, at the same time. */
const READERS = 16;

/** The backups that are to be at the destination, oldest first within a group. */
export async function chooseForCopy(
	from: Repository,
	{ groups, newest }: CopyChoice,
	signal: AbortSignal,
): Promise<BackupEntry[]> {
	const entries = await listGroups(from, groups);
	if (!newest) return entries;
	return await newestReadable(from, entries, signal);
}

/** What a listing of the destination tells. */
export interface Lacking {
	/** Those of the chosen ones with which something is left to do there. */
	backups: BackupEntry[];
	/** For people: groups of which the destination has newer backups than the source. */
	warnings: string[];
}

/** What is left to do at the destination, and whether the source has lost something that the destination still has. */
export async function lackingAt(
	to: Repository,
	chosen: readonly BackupEntry[],
	groups: readonly string[] | undefined,
	signal: AbortSignal,
): Promise<Lacking> {
	const listed = await listGroups(to, groups);
	const there = new Map(listed.map((entry) => [`${entry.group}/${entry.label}`, entry]));
	const behind = await inParallel(chosen, READERS, async (entry) => {
		const copy = there.get(`${entry.group}/${entry.label}`);
		return !copy || lacksCompanions(copy, entry) || !(await wasReadBack(to, copy, entry, signal));
	});
	return { backups: chosen.filter((_, i) => behind[i]), warnings: newerThere(to, chosen, listed) };
}

/**
 * Whoever can delete at the source can take away the newest backups, and the older ones look as if nothing had happened. A copy
 * elsewhere remembers: nobody but this verb writes there, as a rule.
 */
function newerThere(to: Repository, chosen: readonly BackupEntry[], listed: readonly BackupEntry[]): string[] {
	const here = new Map(newestOfEach(chosen).map((entry) => [entry.group, entry]));
	return newestOfEach(listed).flatMap(({ group, label, startedAt }) => {
		const newest = here.get(group);
		if (!newest || newest.startedAt >= startedAt) return [];
		const what = `${to.storage.location} has a newer backup of ${group} (${label}) than the source (${newest.label})`;
		return [`${what}: unless somebody else copies there, it was removed from the source`];
	});
}

/** Whether a copy lacks what goes with a backup. */
function lacksCompanions(copy: BackupEntry, original: BackupEntry): boolean {
	const has = new Set(copy.verifications.map(nameOfVerification));
	return (
		original.verifications.some((each) => !has.has(nameOfVerification(each))) ||
		original.tags.some((tag) => !copy.tags.includes(tag))
	);
}

/** Whether a copy was read back where it lies. Evidence that the source has too came from there. */
async function wasReadBack(
	to: Repository,
	{ group, label, verifications }: BackupEntry,
	original: BackupEntry,
	signal: AbortSignal,
): Promise<boolean> {
	const known = new Set(original.verifications.map(nameOfVerification));
	const own = verifications.filter(({ ok }) => ok).map(nameOfVerification);
	return await hasEvidence(
		to,
		{ group, label },
		own.filter((name) => !known.has(name)),
		signal,
	);
}

async function listGroups(repository: Repository, groups: readonly string[] | undefined): Promise<BackupEntry[]> {
	if (!groups) return await repository.list();
	const lists: BackupEntry[][] = [];
	for (const group of new Set(groups)) lists.push(await repository.list(group));
	return lists.flat();
}
