/** What an incremental base backup builds on: the list of files of the one before, which the server must be told. PostgreSQL 17 and later. */
import type { Client } from 'pg';
import type { OpenBackup } from '../../../source';
import { type Cluster, majorOf } from '../cluster';
import { ReplicationCommand } from '../replication';
import type { ClusterContents } from './contents';
import { openList } from './parts';

/** The first version that makes them. */
const FIRST_MAJOR = 17;

/**
 * Why the server cannot make an incremental backup, with the way out; null where it can.
 * @param base what it is to build on
 */
export function cannotBuildOn(cluster: Cluster, { contents }: OpenBackup<ClusterContents>): string | null {
	if (majorOf(cluster) < FIRST_MAJOR)
		return `PostgreSQL ${majorOf(cluster)} makes no incremental backups; 17 and later do`;
	if (!cluster.summarizesLog) {
		return 'the server keeps no summaries of its log: run ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf();';
	}
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
