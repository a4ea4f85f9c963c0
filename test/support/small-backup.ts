/** A real backup of a small database in memory, and the ways to spoil it. */
import { openDump } from './dump-source';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { backUp } from '../../core/verbs/backup/backup';
import type { DecryptionKeys, Encryption } from '../../core/codecs/age/age';
import { generateIdentity } from '../../core/codecs/age/keys';
import { openStream } from '../../core/streams/pipeline';
import type { DatabaseFacts } from '../../core/sources/postgres/dump/contents';
import { DEFAULT_DUMP_OPTIONS, postgresSource } from '../../core/sources/postgres/dump/dump';
import type { EngineChoice } from '../../core/sources/postgres/dump/engines/choose';
import type { DumpFormat } from '../../core/sources/postgres/dump/engines/engine';
import { dumpOf } from '../../core/sources/postgres/kind';
import { openBackup } from '../../core/verbs/open-backup';
import { type DrillChange, withDrill } from './database-verbs';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { Repository } from '../../core/records/repository';
import { objectKey } from '../../core/records/layout';
import type { Source } from '../../core/sources/source';
import { MemoryStorage } from '../../core/storage/memory';
import type { Storage } from '../../core/storage/storage';
import type { VerifyRequest } from '../../core/verbs/verify/types';

export const GROUP = 'postgres/shop';
export const NEVER = new AbortController().signal;

export interface SmallBackup {
	repository: Repository;
	label: string;
	keys: DecryptionKeys;
	encryption: Encryption | null;
	/** What pg_dump wrote. */
	dump: string;
	contents: DatabaseFacts;
}

/** Backs a database up into a new storage in memory. */
export async function makeSmallBackup(
	target: DatabaseTarget,
	options: { clear?: boolean; format?: DumpFormat; engine?: EngineChoice } = {},
): Promise<SmallBackup> {
	const { identity, recipient } = await generateIdentity();
	const encryption = options.clear ? null : { recipients: [recipient] };
	const { format = 'plain', engine = 'auto' } = options;
	const source = postgresSource(target, { ...DEFAULT_DUMP_OPTIONS, format, engine });
	return await store(source, { identities: [identity] }, encryption);
}

/** The same backup, but made of another dump or with other contents: its manifest is right about both. */
export async function remake(
	backup: SmallBackup,
	change: { dump?: string; contents?: Partial<DatabaseFacts> },
): Promise<SmallBackup> {
	const source: Source = {
		kind: 'postgres',
		open: async () =>
			openDump({
				body: Readable.from([Buffer.from(change.dump ?? backup.dump)]),
				finish: async () => ({
					details: { format: 'plain', engineVersion: '18.3' },
					contents: { ...backup.contents, ...change.contents },
					warnings: [],
				}),
				close: async () => undefined,
			}),
	};
	return await store(source, backup.keys, backup.encryption);
}

async function store(source: Source, keys: DecryptionKeys, encryption: Encryption | null): Promise<SmallBackup> {
	const storage = new MemoryStorage();
	const { manifest } = await backUp({ storage, group: GROUP, source, encryption, signal: NEVER });
	const { label } = manifest;
	const repository = await Repository.open(storage);
	const used = encryption ? keys : null;
	const body = await openStream({ storage, group: GROUP, label, stream: dumpOf(manifest), keys: used, signal: NEVER });
	const dump = (await buffer(body)).toString();
	const opened = await openBackup([manifest], { repository, keys: used, signal: NEVER, stallTimeoutMs: 60_000 });
	const contents = opened.contents as DatabaseFacts;
	return { repository, label, keys, encryption, dump, contents };
}

export async function bytesOf({ repository, label }: SmallBackup, name: string): Promise<Buffer> {
	return await buffer(await repository.storage.read(objectKey(GROUP, label, name)));
}

/** The backup in a storage of its own, with some of its objects replaced, or removed by null. */
export async function spoil(backup: SmallBackup, changes: Record<string, Buffer | null>): Promise<SmallBackup> {
	const storage = new MemoryStorage();
	for (const key of await keysIn(backup.repository.storage)) {
		const name = key.startsWith(`${GROUP}/${backup.label}/`) ? key.split('/').at(-1)! : '';
		const bytes = name in changes ? changes[name]! : await buffer(await backup.repository.storage.read(key));
		if (bytes !== null) await storage.write(key, Readable.from([bytes]));
	}
	return { ...backup, repository: await Repository.open(storage) };
}

/** With one bit of one byte changed. */
export function flip(bytes: Buffer, at: number): Buffer {
	const changed = Buffer.from(bytes);
	changed[at]! ^= 1 << at % 8;
	return changed;
}

export function requestFor(
	{ repository, label, keys }: SmallBackup,
	depth: VerifyRequest['depth'],
	change: DrillChange = {},
): VerifyRequest {
	return { repository, group: GROUP, label, depth, keys, signal: NEVER, ...withDrill(change, depth) };
}

async function keysIn(storage: Storage): Promise<string[]> {
	const found: string[] = [];
	for await (const { key } of storage.list('')) found.push(key);
	return found;
}
