/** Plans for a write-ahead log, from what the base backups of its cluster say of themselves. */
import { abortError, isBackupError, isOfStorage } from '../../../../base/errors';
import type { Manifest } from '../../../../records/manifest';
import type { BackupEntry, Repository } from '../../../../records/repository';
import type { BackupFacts } from '../../../../retention/facts';
import { type KeptBase, type LogEnd, planLog } from '../../../../retention/log';
import type { GroupPlan } from '../../../../retention/plan';
import { CLUSTER } from '../base/word';
import { baseGroupOf } from '../groups';
import { logRangeOf } from './position';
import { LOG } from './word';

/**
 * Plans for a group of log.
 * @param members every backup of one group, at least one
 * @returns null where the group holds something else: then a policy plans for it
 * @throws BackupError of the storage
 */
export async function planLogGroup(
	repository: Repository,
	members: readonly BackupFacts[],
	signal: AbortSignal,
): Promise<GroupPlan | null> {
	const { group } = members[0]!;
	const oldestFirst = members.toSorted((a, b) => a.startedAt - b.startedAt);
	const newest = await read(repository, oldestFirst.at(-1)!, signal);
	if (newest && newest.source.kind !== LOG) return null;
	const bases = await readBases(repository, baseGroupOf(group), signal);
	const ends = new Map<string, LogEnd | null>();
	for (const entry of bases === null || bases.length === 0 ? [] : oldestFirst) {
		const manifest = await read(repository, entry, signal);
		const end = manifest && endOf(manifest);
		ends.set(entry.label, end);
		// All that comes later stays as well, so that there is no gap.
		if (!end || bases!.some(({ server, start }) => server === end.server && end.end > start)) break;
	}
	return planLog(group, members, bases, ends);
}

/** @returns null where one of them cannot be read, or does not say which log it needs */
async function readBases(repository: Repository, group: string, signal: AbortSignal): Promise<KeptBase[] | null> {
	const bases: KeptBase[] = [];
	for (const entry of await repository.list(group)) {
		const manifest = await read(repository, entry, signal);
		if (manifest === null) return null;
		if (manifest.source.kind !== CLUSTER) continue;
		const range = logRangeOf(manifest);
		if (range === null) return null;
		bases.push({ label: entry.label, server: manifest.source.server, start: range.start });
	}
	return bases;
}

function endOf(manifest: Manifest): LogEnd | null {
	const range = logRangeOf(manifest);
	return range && { server: manifest.source.server, end: range.end };
}

/** @returns null where nobody can read it @throws BackupError of the storage, 'cancelled' */
async function read(
	repository: Repository,
	{ group, label }: BackupEntry,
	signal: AbortSignal,
): Promise<Manifest | null> {
	try {
		return await repository.readManifest(group, label, signal);
	} catch (error) {
		if (signal.aborted) throw abortError(signal);
		if (!isBackupError(error) || isOfStorage(error.code)) throw error;
		return null;
	}
}
