/** The log that is replayed when a base backup is restored as a test. */
import type { Repository } from '../../../../records/repository';
import type { OpenBackup } from '../../../source';
import { planClusterRestore } from '../restore/plan';
import type { RecoveryTarget } from '../restore/recovery';
import type { ClusterDrillOptions } from './drill';

/** Up to which moment a drill restores: as far as there is log, or to any moment between the end of the base backup and that. */
export const DRILL_MOMENTS = ['newest', 'random'] as const;
export type DrillMoment = (typeof DRILL_MOMENTS)[number];

/**
 * Plans the log behind a base backup. Retention does not remove it meanwhile: the base backup that is verified needs it.
 * @param open opens backups one after the other
 */
export function logBehind(
	repository: Repository,
	open: (log: { group: string; labels: readonly string[] }, signal: AbortSignal) => AsyncIterable<OpenBackup>,
	moment: DrillMoment = 'newest',
): NonNullable<ClusterDrillOptions['logBehind']> {
	return async (base, signal) => {
		const readContents = async () => await Promise.resolve(null);
		const plan = async (target: RecoveryTarget) =>
			await planClusterRestore({ ...base, repository, target, readContents, signal });
		const newest = await plan({ kind: 'newest' });
		const time = moment === 'random' && newest.log ? await randomTime(repository, base, newest.log, signal) : null;
		const { target, log } = time === null ? newest : await plan({ kind: 'time', time });
		return { target, log: log && open(log, signal) };
	};
}

/**
 * A moment that a server reaches: behind the last transaction of the first piece of log, which goes beyond the end of the base backup, and
 * before the last one of all. Both by the server's clock; the base backup's end is by that of whoever made it.
 * @returns null where there is none
 */
async function randomTime(
	repository: Repository,
	base: { group: string; label: string },
	{ group, labels }: { group: string; labels: readonly string[] },
	signal: AbortSignal,
): Promise<Date | null> {
	const commits: number[] = [];
	for (const label of [labels[0]!, ...labels.toReversed()]) {
		const { lastCommit } = (await repository.readManifest(group, label, signal)).source.details;
		if (typeof lastCommit === 'string') commits.push(Date.parse(lastCommit));
		else if (commits.length === 0) return null;
		// Pieces in which nothing was committed have none.
		if (commits.length === 2) break;
	}
	const { finishedAt } = await repository.readManifest(base.group, base.label, signal);
	const from = Math.max(commits[0]! + 1, Date.parse(finishedAt));
	const left = (commits[1] ?? 0) - from;
	return left > 0 ? new Date(from + Math.floor(Math.random() * left)) : null;
}
