/** The log that is replayed when a base backup is restored as a test. */
import type { Repository } from '../../../../records/repository';
import type { OpenBackup } from '../../../source';
import { planClusterRestore } from '../restore/plan';
import type { ClusterDrillOptions } from './drill';

/**
 * Plans the log behind a base backup, up to the newest moment. Retention does not remove it meanwhile: the base backup that is verified
 * needs it.
 * @param open opens backups one after the other
 */
export function logBehind(
	repository: Repository,
	open: (log: { group: string; labels: readonly string[] }, signal: AbortSignal) => AsyncIterable<OpenBackup>,
): NonNullable<ClusterDrillOptions['logBehind']> {
	return async ({ group, label }, signal) => {
		const readContents = async () => await Promise.resolve(null);
		const newest = { kind: 'newest' } as const;
		const { target, log } = await planClusterRestore({
			...{ repository, group, label, target: newest, readContents, signal },
		});
		return { target, log: log && open(log, signal) };
	};
}
