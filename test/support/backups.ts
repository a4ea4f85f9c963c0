/** Backups for tests of what is done with them: real dumps in memory, and ones whose contents a test has changed. */
import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import type { OpenSource } from '../../core/sources/source';
import { backUp } from '../../core/verbs/backup/backup';
import type { DecryptionKeys, Encryption } from '../../core/codecs/age/age';
import type { DatabaseFacts } from '../../core/sources/postgres/dump/contents';
import { DEFAULT_DUMP_OPTIONS, type PostgresDumpOptions, postgresSource } from '../../core/sources/postgres/dump/dump';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { Repository } from '../../core/records/repository';
import { MemoryStorage } from '../../core/storage/memory';
import type { Storage } from '../../core/storage/storage';

export interface MadeBackup {
	storage: Storage;
	repository: Repository;
	group: string;
	label: string;
}

export interface BackupOptions extends Partial<PostgresDumpOptions> {
	storage?: Storage;
	group?: string;
	encryption?: Encryption | null;
	proveWith?: DecryptionKeys;
	/** Makes contents that do not fit the dump. */
	changeContents?: (contents: DatabaseFacts) => DatabaseFacts;
}

/** Backs up a database; in the clear unless something else is asked for. */
export async function makeBackup(target: DatabaseTarget, options: BackupOptions = {}): Promise<MadeBackup> {
	const { storage = new MemoryStorage(), group = 'postgres/shop', encryption = null, proveWith } = options;
	const { changeContents = (contents: DatabaseFacts) => contents, ...dump } = options;
	const source = postgresSource(target, { ...DEFAULT_DUMP_OPTIONS, ...dump });
	const { manifest } = await backUp({
		storage,
		group,
		source: {
			kind: 'postgres',
			open: async (options) => withContents((await source.open(options))!, changeContents),
		},
		encryption,
		proveWith,
		signal: new AbortController().signal,
	});
	return { storage, repository: await Repository.open(storage), group, label: manifest.label };
}

/** The same source with other contents. */
export function withContents(open: OpenSource, change: (contents: DatabaseFacts) => DatabaseFacts): OpenSource {
	return {
		...open,
		async *parts() {
			for await (const part of open.parts()) {
				if (part.role !== 'contents') yield part;
				else {
					const contents = change((await json(part.body)) as DatabaseFacts);
					yield { ...part, body: Readable.from([Buffer.from(`${JSON.stringify(contents)}\n`)]) };
				}
			}
		},
	};
}
