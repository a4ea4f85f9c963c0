/** Which backups a destination lacks: decided from two listings alone. */
import type { CopyChoice } from './copy-types';
import type { Verification } from './evidence';
import type { BackupEntry, Repository } from './repository';
import { newestOfEach } from './verify-choice';

/** The backups that are to be at the destination, oldest first within a group. */
export async function chooseForCopy(from: Repository, { groups, newest }: CopyChoice): Promise<BackupEntry[]> {
	const entries = await listGroups(from, groups);
	if (!newest) return entries;
	return newestOfEach(entries);
}

/** Those of the chosen ones with which something is left to do at the destination. */
export async function lackingAt(
	to: Repository,
	chosen: readonly BackupEntry[],
	groups: readonly string[] | undefined,
): Promise<BackupEntry[]> {
	const there = new Map((await listGroups(to, groups)).map((entry) => [`${entry.group}/${entry.label}`, entry]));
	return chosen.filter((entry) => {
		const copy = there.get(`${entry.group}/${entry.label}`);
		return !copy || isBehind(copy, entry);
	});
}

/** A copy that was never read back where it lies, or lacks what goes with a backup. */
function isBehind(copy: BackupEntry, original: BackupEntry): boolean {
	const known = new Set(original.verifications.map(nameOf));
	const has = new Set(copy.verifications.map(nameOf));
	return (
		!copy.verifications.some((each) => each.ok && !known.has(nameOf(each))) ||
		[...known].some((each) => !has.has(each)) ||
		original.tags.some((tag) => !copy.tags.includes(tag))
	);
}

function nameOf({ at, depth, ok }: Verification): string {
	return `${at} ${depth} ${ok}`;
}

async function listGroups(repository: Repository, groups: readonly string[] | undefined): Promise<BackupEntry[]> {
	if (!groups) return await repository.list();
	const lists: BackupEntry[][] = [];
	for (const group of new Set(groups)) lists.push(await repository.list(group));
	return lists.flat();
}
