/** Backups of any type and size without a database, and how two storages compare. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { DEFAULT_LIMITS } from '../../core/base/limits';
import { createLabel, parseLabel, type BackupType } from '../../core/records/label';
import type { StoredPart } from '../../core/records/manifest';
import { storeStream } from '../../core/streams/pipeline';
import { Repository } from '../../core/records/repository';
import { objectKey } from '../../core/records/layout';
import { MemoryStorage } from '../../core/storage/memory';
import type { Storage, WriteOptions } from '../../core/storage/storage';
import { verifyBackup } from '../../core/verbs/verify/verify';
import { manifestOf } from './manifest';
import { flip, GROUP, NEVER } from './small-backup';

export interface StoreOptions {
	group?: string;
	type?: BackupType;
	startedAt?: Date;
	/** Labels. */
	parents?: readonly string[];
	/** Random ones, in the clear. */
	bytes?: number;
	tags?: readonly string[];
}

let started = Date.UTC(2026, 10, 1);

/** A new repository in memory, at a location of its own. */
export async function newRepository(location = `memory:${randomBytes(4).toString('hex')}`): Promise<Repository> {
	return await Repository.open(new MemoryStorage(location), { create: true });
}

/** Stores a backup; without `startedAt` each is an hour younger than the one before. @returns its label */
export async function storeBackup({ storage }: Repository, options: StoreOptions = {}): Promise<string> {
	const { group = GROUP, type = 'full', parents = [], bytes = 200_000, tags = [] } = options;
	const startedAt = options.startedAt ?? new Date((started += 3_600_000));
	const label = createLabel(type, startedAt);
	const common = { storage, group, label, encryption: null, zstdLevel: 1, limits: DEFAULT_LIMITS, signal: NEVER };
	const body = Readable.from(chunksOf(bytes), { objectMode: false });
	const object = await storeStream({ ...common, name: 'dump.sql', body });
	const contents = await storeStream({ ...common, name: 'contents.json', body: Readable.from([Buffer.from('{}\n')]) });
	const parts: StoredPart[] = [
		{ role: 'data', ...object },
		{ role: 'contents', ...contents },
	];
	const manifest = manifestOf(group, label, { parents: [...parents], parts });
	const repository = await Repository.open(storage);
	await repository.writeManifest(manifest);
	await repository.writeTags(group, label, tags);
	return label;
}

function* chunksOf(bytes: number): Generator<Buffer> {
	for (let left = bytes; left > 0; left -= 1_000_000) yield randomBytes(Math.min(left, 1_000_000));
}

/** Keys and bytes of all that lies in a storage, without locks, journal and the repository's own file. */
export async function contentOf(storage: Storage): Promise<Map<string, Buffer>> {
	const found = new Map<string, Buffer>();
	for await (const { key } of storage.list('')) {
		if (parseLabel(key.split('/').at(-2) ?? '')) found.set(key, await buffer(await storage.read(key)));
	}
	return found;
}

/** Replaces an object, as somebody does who does not care for promises. */
export async function replace(storage: Storage, key: string, bytes: Buffer): Promise<void> {
	await storage.remove(key);
	await storage.write(key, Readable.from([bytes]));
}

/** A storage that keeps something else than the dump it is given, so many times. */
export function changing(storage: Storage, times: number): Storage {
	let left = times;
	return new Proxy(storage, {
		get(target, name) {
			if (name !== 'write') {
				const value: unknown = Reflect.get(target, name);
				return typeof value === 'function' ? (value.bind(target) as unknown) : value;
			}
			return async (key: string, body: Readable, options?: WriteOptions) => {
				if (!key.endsWith('dump.sql.zst') || left-- <= 0) return await target.write(key, body, options);
				const changed = flip(await buffer(body), 20);
				return await target.write(key, Readable.from([changed], { objectMode: false }), options);
			};
		},
	});
}

/** Replaces the text of a manifest's parents; its checksum stays right. */
export async function withParents(repository: Repository, label: string, parents: string[]): Promise<void> {
	const manifest = await repository.readManifest(GROUP, label);
	await repository.storage.remove(objectKey(GROUP, label, 'manifest.json'));
	await repository.writeManifest({ ...manifest, parents });
}

/**
 * What must hold of a destination at any moment: each backup that exists is whole, and has all that it needs.
 * @returns the labels of its backups
 */
export async function assertConsistent(storage: Storage): Promise<string[]> {
	if ((await storage.stat('repository.json')) === null) return [];
	const repository = await Repository.open(storage);
	const backups = await repository.list();
	const labels = backups.map(({ label }) => label);
	for (const { group, label } of backups) {
		const manifest = await repository.readManifest(group, label);
		expect(labels).toEqual(expect.arrayContaining(manifest.parents));
		const sizes = await Promise.all(
			manifest.parts.map(async ({ name }) => (await storage.stat(objectKey(group, label, name)))?.size),
		);
		expect(sizes).toEqual(manifest.parts.map(({ stored }) => stored.bytes));
	}
	return labels;
}

/** Verifies, without leaving evidence to be compared, that every backup lies there as it was written. */
export async function assertSound(storage: Storage): Promise<void> {
	const repository = await Repository.open(storage);
	for (const { group, label } of await repository.list()) {
		const verified = await verifyBackup({ repository, group, label, depth: 'stored', keys: null, signal: NEVER });
		expect(verified).toMatchObject({ outcome: 'ok' });
	}
}
