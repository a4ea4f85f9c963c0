/** Base backups of real servers, and servers that start from them. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { generateIdentity } from '../../core/codecs/age/keys';
import type { Manifest } from '../../core/records/manifest';
import { Repository } from '../../core/records/repository';
import { clusterSource } from '../../core/sources/postgres/physical/base/source';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import {
	type ClusterRestored,
	type ClusterRestoreOptions,
	clusterRestorer,
} from '../../core/sources/postgres/physical/restore/restorer';
import { fetchLogFile } from '../../core/sources/postgres/physical/restore/fetch';
import type { RecoveryTarget } from '../../core/sources/postgres/physical/restore/recovery';
import { followLog, type FollowOptions } from '../../core/sources/postgres/physical/wal/follow';
import { slotName } from '../../core/sources/postgres/physical/wal/slot-name';
import { logSource } from '../../core/sources/postgres/physical/wal/source';
import { MemoryStorage } from '../../core/storage/memory';
import type { Storage } from '../../core/storage/storage';
import { backUp, backUpNews, type BackupRequest } from '../../core/verbs/backup/backup';
import { type ClusterPlan, planClusterRestore } from '../../core/sources/postgres/physical/restore/plan';
import { openBackup, readContents } from '../../core/verbs/open-backup';
import { restoreBackup } from '../../core/verbs/restore/restore';
import type { RestoreResult } from '../../core/verbs/restore/types';
import { type Major, type OwnServer, sql, startPostgres } from './postgres';
import { until } from './until';

export const NEVER = new AbortController().signal;
export const CLUSTER_GROUP = 'cluster/main';
export const LOG_GROUP = 'wal/main';

/** Backups of one server. */
export class ClusterBackups {
	readonly storage: Storage;
	/** The slot by which a server keeps its log for this storage. */
	readonly slot: string;
	readonly #identity: Promise<{ identity: string; recipient: string }> = generateIdentity();

	/** In memory where no other storage is given. */
	constructor(storage: Storage = new MemoryStorage()) {
		this.storage = storage;
		this.slot = slotName(storage.location, LOG_GROUP);
	}

	async keys(): Promise<{ identities: string[] }> {
		return { identities: [(await this.#identity).identity] };
	}

	async recipient(): Promise<string> {
		return (await this.#identity).recipient;
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

	/** Collects log. @returns what was stored; null where there was nothing new */
	async log(
		target: DatabaseTarget,
		{ startOver, ...more }: Partial<BackupRequest> & { startOver?: boolean } = {},
	): Promise<Manifest | null> {
		const { recipient } = await this.#identity;
		const result = await backUpNews({
			...{ storage: this.storage, group: LOG_GROUP, source: logSource(target, { slot: this.slot, startOver }) },
			...{ encryption: { recipients: [recipient] }, signal: NEVER },
			...more,
		});
		return result && result.manifest;
	}

	/** Collects log again and again. @param onRun what was stored; null where there was nothing new */
	async follow(
		target: DatabaseTarget,
		options: Omit<FollowOptions, 'slot'>,
		onRun: (stored: Manifest | null) => Promise<void> | void = () => undefined,
	): Promise<void> {
		const { recipient } = await this.#identity;
		await followLog(target, { ...options, slot: this.slot }, async (source) => {
			const result = await backUpNews({
				...{ storage: this.storage, group: LOG_GROUP, source, signal: options.signal },
				encryption: { recipients: [recipient] },
			});
			await onRun(result && result.manifest);
			return true;
		});
	}

	async plan(target: RecoveryTarget, label?: string): Promise<ClusterPlan> {
		const repository = await Repository.open(this.storage, { signal: NEVER });
		const keys = await this.keys();
		return await planClusterRestore({
			...{ repository, group: CLUSTER_GROUP, label, target, signal: NEVER },
			readContents: async (manifest) =>
				await readContents(manifest, { repository, keys, signal: NEVER, stallTimeoutMs: 60_000 }),
		});
	}

	/**
	 * Fetches one file of the log into the folder of a restored cluster, as its server would have it done.
	 * @param label of the base backup
	 * @returns its bytes; null where nothing of it is stored
	 */
	async fetch(label: string, file: string, folder: string): Promise<Buffer | null> {
		const repository = await Repository.open(this.storage, { signal: NEVER });
		const reading = { repository, keys: await this.keys(), signal: NEVER, stallTimeoutMs: 60_000 };
		const open = async (group: string, of: string) =>
			await openBackup([await repository.readManifest(group, of, NEVER)], reading);
		const to = path.join(folder, 'pg_wal', 'RECOVERYXLOG');
		const base = { group: CLUSTER_GROUP, label };
		const isThere = await fetchLogFile({ repository, base, file, to, open, upToGap: true, signal: NEVER });
		return isThere ? fs.readFileSync(to) : null;
	}

	/** Restores to a moment. */
	async restore(
		target: RecoveryTarget,
		options: ClusterRestoreOptions & { label?: string },
	): Promise<RestoreResult<ClusterRestored>> {
		const repository = await Repository.open(this.storage, { signal: NEVER });
		const plan = await this.plan(target, options.label);
		return await restoreBackup({
			...{ repository, group: CLUSTER_GROUP, label: plan.label, keys: await this.keys(), signal: NEVER },
			...(plan.log && { alongside: plan.log }),
			restorer: clusterRestorer({ ...options, target: plan.target }),
		});
	}
}

/** A folder that the user of a server can reach; remove it in the end. */
export function reachableFolder(): string {
	const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'cluster-'));
	fs.chmodSync(folder, 0o755);
	return folder;
}

/** Starts a server in a restored folder, and waits until it has replayed its log. */
export async function startRestored(major: Major, folder: string, password: string): Promise<OwnServer> {
	const server = await startPostgres(major, { restored: { folder, password } });
	// It answers questions before it has replayed all of its log.
	await until('the log has been replayed', async () => {
		const [state] = await sql<{ replaying: boolean }>(server.target(), 'SELECT pg_is_in_recovery() AS replaying');
		return !state!.replaying;
	});
	return server;
}
