/** What an incremental base backup builds on: the list of files of the one before, which the server must be told. PostgreSQL 17 and later. */
import type { Client } from 'pg';
import type { OpenBackup } from '../../../source';
import type { DatabaseTarget } from '../../connection/target';
import { type Cluster, majorOf, readCluster } from '../cluster';
import { ReplicationCommand } from '../replication';
import { askCluster } from '../session';
import type { ClusterContents } from './contents';
import { openList } from './parts';

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
	return await askCluster(target, signal, async (client) => cannotBeIncremental(await readCluster(client)));
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

/**
 * Gives the server the list of files of a base backup, for a BASE_BACKUP on the same connection.
 * @throws what `pg` throws; those of the storage
 */
export async function uploadList(client: Client, base: OpenBackup<ClusterContents>): Promise<void> {
	const body = await openList(base);
	const command = await new Promise<ReplicationCommand>((resolve, reject) => {
		const begun: ReplicationCommand = new ReplicationCommand('UPLOAD_MANIFEST', { onCopyIn: () => resolve(begun) });
		begun.done.catch(reject);
		client.query(begun);
	});
	for await (const chunk of body as AsyncIterable<Buffer>) command.send(chunk);
	command.endCopy();
	await command.done;
}
