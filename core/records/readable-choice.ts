/**
 * Choosing among backups of which some may be no more than a name: anyone who can write to a storage can make an object
 * called `manifest.json`, and it would be the newest of its group.
 */
import type { ErrorCode } from '../base/errors';
import { inParallel } from '../base/in-parallel';
import { NOT_AUTHENTIC } from './authority';
import { readable } from './proof';
import type { BackupEntry, Repository } from './repository';
import { newestOfEach } from './newest';

/** What says that there is no manifest to be read. One of a newer program is a backup: whoever meets it must hear of that. */
const NO_MANIFEST: readonly ErrorCode[] = ['invalid-manifest', 'damaged', 'not-found', ...NOT_AUTHENTIC];
/** Passed over in one choice before whatever is chosen then is taken as it is, and fails. */
const MAX_UNREADABLE = 1000;
/** Manifests read at the same time: of several groups. */
const READERS = 16;

/** A backup by its name, whose manifest nobody can read. */
export interface Unreadable {
	entry: BackupEntry;
	/** Lower case, for people. */
	why: string;
	/** What to do about it, sentences for people. */
	hint?: string;
}

/**
 * Chooses, looks whether what was chosen has a manifest, and chooses again among the others where it has none.
 * @param choose gets the backups that are left; there may be none
 * @returns what was chosen, and what would have been chosen instead if its manifest could be read
 * @throws what `choose` throws; those of the storage; 'cancelled'
 */
export async function chooseReadable(
	repository: Repository,
	entries: readonly BackupEntry[],
	choose: (entries: readonly BackupEntry[]) => BackupEntry[],
	signal?: AbortSignal,
): Promise<{ chosen: BackupEntry[]; unreadable: Unreadable[] }> {
	const unreadable = new Map<BackupEntry, Unreadable>();
	const looked = new Set<BackupEntry>();
	for (;;) {
		const left = entries.filter((entry) => !unreadable.has(entry));
		const chosen = choose(left);
		const open = chosen.filter((entry) => !looked.has(entry));
		if (open.length === 0 || unreadable.size >= MAX_UNREADABLE) return { chosen, unreadable: [...unreadable.values()] };
		await inParallel(open, READERS, async (entry) => {
			looked.add(entry);
			const { group, label } = entry;
			const read = async () => await repository.readManifest(group, label, signal);
			const found = await readable(read, { codes: NO_MANIFEST, signal });
			if ('why' in found) unreadable.set(entry, { entry, why: found.why, hint: found.hint });
		});
	}
}

/**
 * The newest backup of each group that can be read, and with it each one that would be newer if its manifest could be read: to
 * be looked at, or to fail, but not to hide the others. In the order of the list.
 */
export async function newestReadable(
	repository: Repository,
	entries: readonly BackupEntry[],
	signal?: AbortSignal,
): Promise<BackupEntry[]> {
	const { chosen, unreadable } = await chooseReadable(repository, entries, newestOfEach, signal);
	const wanted = new Set([...chosen, ...unreadable.map(({ entry }) => entry)]);
	return entries.filter((entry) => wanted.has(entry));
}

/** For the warnings of who goes on with an older backup. */
export function describeUnreadable({ entry, why }: Unreadable): string {
	return `${entry.group}/${entry.label} is newer, and was passed over because its manifest cannot be read: ${why}`;
}
