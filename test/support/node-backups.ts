/** For tests of nodes that read backups: a folder with real backups of a small database, and credentials for it. */
import { withContents } from './backups';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ICredentialDataDecryptedObject } from 'n8n-workflow';
import { backUp } from '../../core/verbs/backup/backup';
import { generateIdentity, type KeyPair } from '../../core/codecs/age/keys';
import { DEFAULT_DUMP_OPTIONS, postgresSource } from '../../core/sources/postgres/dump/dump';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import type { Source } from '../../core/sources/source';
import { createStorage } from '../../core/storage/create';

export interface NodeBackups {
	folder: string;
	keys: KeyPair;
	/** For all of our nodes; every call gives new objects, free to change. */
	credentials(): Record<'postgres' | 'backupStorageApi' | 'backupEncryptionApi', ICredentialDataDecryptedObject>;
	/**
	 * Makes a backup of the database.
	 * @param options.lie its contents say that there was one more row
	 * @returns its label
	 */
	add(group: string, options?: { encrypted?: boolean; lie?: boolean }): Promise<string>;
	remove(): void;
}

/** An empty folder for backups of a database, with a new key pair. */
export async function nodeBackups(source: DatabaseTarget): Promise<NodeBackups> {
	const folder = mkdtempSync(join(tmpdir(), 'node-backups-'));
	const keys = await generateIdentity();
	return {
		folder,
		keys,
		credentials: () => ({
			postgres: {
				host: source.host,
				port: source.port,
				database: 'postgres',
				user: source.user,
				password: source.password!,
				ssl: 'disable',
			},
			backupStorageApi: { type: 'folder', path: folder },
			backupEncryptionApi: { method: 'recipients', recipients: keys.recipient, identity: keys.identity },
		}),
		async add(group, { encrypted = true, lie = false } = {}) {
			const honest = postgresSource(source, { ...DEFAULT_DUMP_OPTIONS, engine: 'builtin' });
			const { manifest } = await backUp({
				storage: createStorage({ type: 'folder', path: folder }),
				group,
				source: lie ? liar(honest) : honest,
				encryption: encrypted ? { recipients: [keys.recipient] } : null,
				signal: new AbortController().signal,
			});
			return manifest.label;
		},
		remove: () => rmSync(folder, { recursive: true, force: true }),
	};
}

/** A source that counts one row too many in its first table. */
function liar(source: Source): Source {
	return {
		kind: source.kind,
		open: async (options) =>
			withContents((await source.open(options))!, (contents) => {
				contents.tables[0]!.rows! += 1;
				return contents;
			}),
	};
}
