/** What a backup says of what its source lost: itself, and before it as long as nobody has approved that. */
import { openLosses } from '../../records/approval';
import { type Loss, MAX_LOSSES } from '../../records/manifest';
import type { Repository } from '../../records/repository';
import type { NewestBackup } from '../../records/same-server';
import type { Shrunk } from '../../sources/source';

/**
 * What the source lost since the newest backup of its group, and all that stands in its manifest.
 * @param label of the backup that is being made
 * @throws BackupError of the storage
 */
export async function lossesOf(
	repository: Repository,
	newest: NewestBackup | null,
	{ label, shrunk = [], signal }: { label: string; shrunk?: readonly Shrunk[]; signal: AbortSignal },
): Promise<{ now: Loss[]; all: Loss[] }> {
	if (newest === null) return { now: [], all: [] };
	const { manifest } = newest;
	const now = shrunk.map((each) => ({ ...each, since: manifest.label, shownBy: label }));
	const entries = manifest.shrunk ? await repository.list(manifest.group) : [];
	const before = await openLosses(repository, manifest, entries, signal);
	// What is lost again is said once, by the newest loss: who approves an older one has not seen it.
	const still = before.filter(({ what }) => now.every((each) => each.what !== what));
	return { now, all: [...now, ...still].slice(0, MAX_LOSSES) };
}
