/** A whole PostgreSQL cluster as a source: a copy of its files that the server makes, which a server can start from. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { OpenBackup, OpenSource, Source } from '../../../source';
import { toBackupError } from '../../connection/errors';
import { sqlStateOf } from '../../connection/sql-state';
import { type DatabaseTarget, describeTarget } from '../../connection/target';
import { serverMark } from '../../server-mark';
import { type Cluster, majorOf, readCluster } from '../cluster';
import { explain } from '../errors';
import { transportWarnings } from '../transport/change';
import { openTransport } from '../transport/open';
import type { RunningBase, Transport } from '../transport/transport';
import { type BaseBackupFacts, BACKUP_MANIFEST } from './base-backup';
import { type ClusterContents, formatContents } from './contents';
import { readableList } from './file-list';
import { cannotBuildOn } from './incremental';
import { CLUSTER } from './word';

/**
 * The cluster that a database belongs to.
 * @param target any database of it, with a role that may replicate, or read its files over SQL
 */
export function clusterSource(target: DatabaseTarget): Source {
	return {
		kind: CLUSTER,
		async open({ signal, stallTimeoutMs, base, previous }) {
			const patient = { patienceMs: stallTimeoutMs, ...target };
			const transport = await openTransport(patient, signal).catch((error: unknown) => {
				throw explain(error, target);
			});
			try {
				const cluster = await readCluster(transport);
				const warnings = transportWarnings(transport, previous);
				if (!(await holdLog(transport))) warnings.push(notHeld(target));
				const before = base as OpenBackup<ClusterContents> | null;
				const { backup, note } = await beginBackup(transport, cluster, before);
				const isFull = before === null || note !== null;
				if (note !== null) warnings.push(note);
				return opened({ transport, cluster, backup, isFull, warnings });
			} catch (error) {
				await transport.close();
				throw signal.aborted ? error : explain(toBackupError(error, target), target);
			}
		},
	};
}

interface Opened {
	transport: Transport;
	cluster: Cluster;
	backup: RunningBase;
	isFull: boolean;
	warnings: string[];
}

/**
 * Begins an incremental backup, or a full one where the server cannot make that.
 * @returns why it is full although it was to build on another
 */
async function beginBackup(
	transport: Transport,
	cluster: Cluster,
	base: OpenBackup<ClusterContents> | null,
): Promise<{ backup: RunningBase; note: string | null }> {
	const { segmentBytes, checksums } = cluster;
	const request = { major: majorOf(cluster), segmentBytes, checksums };
	let why = base && (cannotBuildOn(cluster, base) ?? transport.fullOnly);
	if (base && why === null) {
		try {
			return { backup: await transport.beginBase({ ...request, onto: base }), note: null };
		} catch (error) {
			// That its summaries do not go back so far, for one. A connection that is gone is no reason for a full one.
			if (sqlStateOf(error) === null && sqlStateOf((error as Error).cause) === null) throw error;
			why = (error as Error).message;
		}
	}
	const backup = await transport.beginBase({ ...request, onto: null });
	return { backup, note: why === null ? null : `made a full backup, because ${why}` };
}

function opened({ transport, cluster, backup, isFull, warnings }: Opened): OpenSource {
	let facts: BaseBackupFacts | undefined;
	return {
		...(isFull && { type: 'full' }),
		server: serverMark(cluster.systemIdentifier),
		async *parts() {
			for await (const { name, body } of backup.archives()) {
				if (name !== BACKUP_MANIFEST) yield { role: 'data', name, body };
				else yield { role: 'index', name, body: Readable.from(readableList(body), { objectMode: false }) };
			}
			facts = backup.facts();
			const { start, end, tablespaces } = facts;
			const { systemIdentifier, serverVersion, serverVersionNumber, segmentBytes, checksums } = cluster;
			const { settings, superuser } = cluster;
			const contents = formatContents({
				version: 1,
				...{ systemIdentifier, serverVersion, serverVersionNumber, segmentBytes, checksums },
				...{ start, end, tablespaces, settings, superuser },
			});
			yield { role: 'contents', name: 'contents.json', body: Readable.from([Buffer.from(contents)]) };
		},
		async finish() {
			const { start, end, tablespaces } = facts!;
			return await Promise.resolve({
				details: {
					serverVersion: cluster.serverVersion,
					timeline: start.timeline,
					walStart: start.lsn,
					walEnd: end.lsn,
					tablespaces: tablespaces.length,
					checksums: cluster.checksums,
					transport: transport.name,
				},
				warnings: [...warnings, ...backup.warnings],
			});
		},
		close: async () => await transport.close(),
	};
}

/**
 * Has the server keep the log that the backup needs, as long as this connection lives.
 * @returns false where the server has no place left for that
 */
async function holdLog(transport: Transport): Promise<boolean> {
	if (transport.noSlots !== null) return true; // told where the transport is
	try {
		await transport.createSlot(`n8n_backup_${randomBytes(8).toString('hex')}`, { temporary: true });
		return true;
	} catch (error) {
		// No slot is free, or the server allows none.
		if (sqlStateOf(error) === '53400' || sqlStateOf(error) === '55000') return false;
		throw error;
	}
}

function notHeld(target: DatabaseTarget): string {
	return `${describeTarget(target)} has no free replication slot: should it remove log that the backup needs, the backup fails; raise max_replication_slots`;
}
