/** Which backups a destination lacks: decided from two listings, and from the evidence of copies that look complete. */
import type { CopyChoice } from './types';
import { hasEvidence } from './look';
import { nameOfVerification } from '../../records/evidence';
import { inParallel } from '../../base/in-parallel';
import type { BackupEntry, Repository } from '../../records/repository';
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

/** Those of the chosen ones with which something is left to do at the destination. */
export async function lackingAt(
	to: Repository,
	chosen: readonly BackupEntry[],
	groups: readonly string[] | undefined,
	signal: AbortSignal,
): Promise<BackupEntry[]> {
	const there = new Map((await listGroups(to, groups)).map((entry) => [`${entry.group}/${entry.label}`, entry]));
	const behind = await inParallel(chosen, READERS, async (entry) => {
		const copy = there.get(`${entry.group}/${entry.label}`);
		return !copy || lacksCompanions(copy, entry) || !(await wasReadBack(to, copy, entry, signal));
	});
	return chosen.filter((_, i) => behind[i]);
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
