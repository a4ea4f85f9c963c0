/** Whether an incremental base backup is possible, which builds on the list of files of the one before. PostgreSQL 17 and later. */
import type { OpenBackup } from '../../../source';
import type { DatabaseTarget } from '../../connection/target';
import { type Cluster, majorOf, readCluster } from '../cluster';
import { askCluster } from '../session';
import type { ClusterContents } from './contents';

/** The first version that makes them. */
const FIRST_MAJOR = 17;

/** Why a server cannot make incremental backups, with the way out; null where it can. */
export function cannotBeIncremental(cluster: Cluster): string | null {
	if (majorOf(cluster) < FIRST_MAJOR)
		return `PostgreSQL ${majorOf(cluster)} makes no incremental backups; 17 and later do`;
	if (cluster.summarizesLog) return null;
	return 'the server keeps no summaries of its log: run ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf();';
}

/**
 * The same, asked of the server.
 * @throws BackupError of the connection, and as reading what a cluster is does
 */
export async function askWhetherIncremental(target: DatabaseTarget, signal: AbortSignal): Promise<string | null> {
	return await askCluster(target, signal, async (transport) => {
		const cluster = await readCluster(transport);
		return cannotBeIncremental(cluster) ?? transport.fullOnly;
	});
}

/**
 * Why the server cannot build on a backup; null where it can.
 * @param base what it is to build on
 */
export function cannotBuildOn(cluster: Cluster, { contents }: OpenBackup<ClusterContents>): string | null {
	const why = cannotBeIncremental(cluster);
	if (why !== null) return why;
	if (contents.systemIdentifier !== cluster.systemIdentifier) return 'the one before is of another cluster';
	return null;
}
