/** Base backups of real servers, and servers that start from them. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { generateIdentity } from '../../core/codecs/age/keys';
import { Repository } from '../../core/records/repository';
import { clusterSource } from '../../core/sources/postgres/physical/base/source';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import {
	type ClusterRestored,
	type ClusterRestoreOptions,
	clusterRestorer,
} from '../../core/sources/postgres/physical/restore/restorer';
import { MemoryStorage } from '../../core/storage/memory';
import { backUp, type BackupRequest } from '../../core/verbs/backup/backup';
import { restoreBackup } from '../../core/verbs/restore/restore';
import type { RestoreResult } from '../../core/verbs/restore/types';
import { type Major, type OwnServer, startPostgres } from './postgres';

export const NEVER = new AbortController().signal;
export const CLUSTER_GROUP = 'cluster/main';

/** Backups of one server in a storage in memory. */
export class ClusterBackups {
	readonly storage = new MemoryStorage();
	readonly #identity: Promise<{ identity: string; recipient: string }> = generateIdentity();

	async keys(): Promise<{ identities: string[] }> {
		return { identities: [(await this.#identity).identity] };
	}

	/** @returns the backup's label */
	async base(target: DatabaseTarget, more: Partial<BackupRequest> = {}): Promise<string> {
		const { recipient } = await this.#identity;
		const { manifest } = await backUp({
			...{ storage: this.storage, group: CLUSTER_GROUP, source: clusterSource(target) },
			...{ encryption: { recipients: [recipient] }, proveWith: await this.keys(), signal: NEVER },
			...more,
		});
		return manifest.label;
	}

	async restore(label: string, options: ClusterRestoreOptions): Promise<RestoreResult<ClusterRestored>> {
		const repository = await Repository.open(this.storage, { signal: NEVER });
		const restorer = clusterRestorer(options);
		return await restoreBackup({
			...{ repository, group: CLUSTER_GROUP, label, keys: await this.keys(), signal: NEVER },
			restorer,
		});
	}
}

/** A folder that the user of a server can reach; remove it in the end. */
export function reachableFolder(): string {
	const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'cluster-'));
	fs.chmodSync(folder, 0o755);
	return folder;
}

/** Starts a server in a restored folder; it replays its log first. */
export async function startRestored(major: Major, folder: string, password: string): Promise<OwnServer> {
	return await startPostgres(major, { restored: { folder, password } });
}
