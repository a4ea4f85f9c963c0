/** Repositories in memory, how two storages compare, and the ways to change what is stored. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { parseLabel } from '../../core/records/label';
import { Repository } from '../../core/records/repository';
import { objectKey } from '../../core/records/layout';
import { MemoryStorage } from '../../core/storage/memory';
import type { Storage, WriteOptions } from '../../core/storage/storage';
import { verifyBackup } from '../../core/verbs/verify/verify';
import { flip, GROUP, NEVER } from './small-backup';

/** A new repository in memory, at a location of its own. */
export async function newRepository(location = `memory:${randomBytes(4).toString('hex')}`): Promise<Repository> {
	return await Repository.open(new MemoryStorage(location), { create: true });
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
