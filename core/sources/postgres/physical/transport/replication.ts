/** A cluster read over the replication protocol: the server makes the copy, and sends its log. */
import type { Client } from 'pg';
import type { OpenBackup } from '../../../source';
import { disconnect } from '../../connection/connection';
import type { DatabaseTarget } from '../../connection/target';
import { BaseBackup } from '../base/base-backup';
import type { ClusterContents } from '../base/contents';
import { openList } from '../base/parts';
import { ReplicationCommand, runCommand } from '../replication';
import { slotLiteral } from '../wal/slot-name';
import { LogStream } from '../wal/stream';
import type { BaseRequest, Identity, LogRequest, RunningBase, Transport } from './transport';

/** @param client of a connection for replication, which is the transport's from now on */
export function replicationTransport(client: Client, target: DatabaseTarget): Transport {
	return {
		name: 'replication',
		reason: null,
		client,
		noSlots: null,
		fullOnly: null,
		async identify(): Promise<Identity> {
			const [identity] = await runCommand(client, 'IDENTIFY_SYSTEM');
			const [systemIdentifier, timeline, flushed] = identity?.rows[0] ?? [];
			return { systemIdentifier: systemIdentifier ?? '', timeline: Number(timeline), flushed: flushed ?? '0/0' };
		},
		async createSlot(name, { temporary = false } = {}) {
			const how = `${temporary ? 'TEMPORARY ' : ''}PHYSICAL RESERVE_WAL`;
			await runCommand(client, `CREATE_REPLICATION_SLOT "${slotLiteral(name)}" ${how}`);
		},
		async dropSlot(name) {
			await runCommand(client, `DROP_REPLICATION_SLOT "${slotLiteral(name)}"`);
		},
		async beginBase({ major, onto }: BaseRequest): Promise<RunningBase> {
			if (onto !== null) await uploadList(client, onto);
			const backup = new BaseBackup(client, target, { major, incremental: onto !== null });
			await backup.begun();
			return backup;
		},
		readLog: (request: LogRequest) => new LogStream(client, target, request),
		async readHistory(timeline) {
			const [answer] = await runCommand(client, `TIMELINE_HISTORY ${timeline}`);
			return answer?.rows[0]?.[1] ?? '';
		},
		close: async () => await disconnect(client),
	};
}

/** Gives the server the list of files of a base backup, for a BASE_BACKUP on the same connection. @throws what `pg` throws; those of the storage */
async function uploadList(client: Client, base: OpenBackup<ClusterContents>): Promise<void> {
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
