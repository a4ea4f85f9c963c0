import { Readable } from 'node:stream';
import { buildBackup } from '../support/build-backup';
import { manifestOf } from '../support/manifest';
import { BackupError } from '../../core/base/errors';
import { createLabel } from '../../core/records/label';
import { formatManifest } from '../../core/records/manifest';
import { Repository } from '../../core/records/repository';
import { objectKey } from '../../core/records/layout';
import { writeText } from '../../core/records/small-objects';
import { SETTLE_MS } from '../../core/records/only-if-absent';
import { MemoryStorage } from '../../core/storage/memory';
import { FaultyStorage } from '../support/faulty-storage';
import { OverwritingStorage } from '../support/overwriting-storage';
import { makeTinyBackup } from '../support/tiny-backups';

const GROUP = 'postgres/shop';

async function addBackup(repository: Repository, group: string, at: string): Promise<string> {
	return await buildBackup(repository, { group, at, bytes: 2 });
}

async function keys(storage: MemoryStorage): Promise<string[]> {
	const found: string[] = [];
	for await (const { key } of storage.list('')) found.push(key);
	return found;
}

describe('a repository', () => {
	it('is made once and found again', async () => {
		const storage = new MemoryStorage();
		const [first, second] = await Promise.all([
			Repository.open(storage, { create: true }),
			Repository.open(storage, { create: true }),
		]);
		expect(second.id).toBe(first.id);
		expect((await Repository.open(storage)).id).toBe(first.id);
	});

	describe('of a storage that cannot promise that one of several writers wins', () => {
		it('is one also when two first runs make it in the same moment, and remembers it', async () => {
			const storage = new OverwritingStorage();
			const [first, second] = await Promise.all([
				Repository.open(storage, { create: true }),
				Repository.open(storage, { create: true }),
			]);
			expect(second.id).toBe(first.id);
			const asked = storage.asked;
			const later = await Repository.open(storage, { create: true });
			expect(later).toMatchObject({ id: first.id, onlyIfAbsent: 'ignored' });
			expect(storage.asked).toBe(asked);
			expect(await keys(storage)).toEqual(['repository.json']);
		});

		it.each([
			['makes its runs look twice', 'ignored', true],
			['lets them go on at once where it can', 'kept', false],
		] as const)('%s', async (_, found, waits) => {
			const storage = new OverwritingStorage(found);
			await Repository.open(storage, { create: true });
			const start = performance.now();
			await makeTinyBackup(storage, GROUP);
			expect(performance.now() - start >= SETTLE_MS).toBe(waits);
		});

		it.each([
			['from before it was asked', {}],
			['of a later version, with a word for it that is not known', { onlyIfAbsent: 'perhaps' }],
		])('is used as it is %s', async (_, more) => {
			const storage = new OverwritingStorage();
			const text = {
				format: 1,
				id: '7f0e3a52-6f3c-4f0e-9f43-5f6f2f1c9f10',
				created: '2026-11-20T02:00:00.000Z',
				...more,
			};
			await writeText(storage, 'repository.json', JSON.stringify(text));
			expect(await Repository.open(storage, { create: true })).toMatchObject({ id: text.id, onlyIfAbsent: undefined });
			expect(storage.asked).toBe(0);
		});

		it('asks nothing with keys that may not delete, and of who only reads', async () => {
			const keeps = new (class extends OverwritingStorage {
				readonly appendOnly = true;
			})();
			await Repository.open(keeps, { create: true });
			await Repository.open(keeps);
			expect(keeps.asked).toBe(0);
			expect(await keys(keeps)).toEqual(['repository.json']);
		});

		it('is made also where the question could not be tidied up after', async () => {
			const storage = new FaultyStorage(new OverwritingStorage('kept'), [
				{ on: 'remove', key: /^check-/, then: { fail: new BackupError('access-denied', 'may not') } },
			]);
			expect(await Repository.open(storage, { create: true })).toMatchObject({ onlyIfAbsent: 'kept' });
		});
	});

	it('that is not there is an error that says where it was looked for', async () => {
		await expect(Repository.open(new MemoryStorage())).rejects.toMatchObject({
			code: 'not-found',
			message: expect.stringContaining('memory'),
		});
	});

	it.each([
		['a newer format', '{"format":2}', 'newer-format'],
		['a damaged descriptor', '{"format":1', 'invalid-manifest'],
	])('of %s is refused', async (_, text, code) => {
		const storage = new MemoryStorage();
		await writeText(storage, 'repository.json', text);
		await expect(Repository.open(storage, { create: true })).rejects.toMatchObject({ code });
	});

	it.each([
		['damaged', '{"format":1'],
		['lost', null],
	])('whose descriptor is %s is read all the same, with a warning', async (_, text) => {
		const storage = new MemoryStorage();
		const label = await addBackup(await Repository.open(storage, { create: true }), GROUP, '2026-11-20T02:00:00Z');
		await storage.remove('repository.json');
		if (text !== null) await writeText(storage, 'repository.json', text);
		const repository = await Repository.open(storage);
		expect(repository.warnings).toEqual([expect.stringContaining('repository.json')]);
		expect((await repository.list()).map((entry) => entry.label)).toEqual([label]);
		expect((await repository.readManifest(GROUP, label)).label).toBe(label);
	});

	it('has no groups of reserved names, whoever made objects there, and lists all others', async () => {
		const storage = new MemoryStorage();
		const repository = await Repository.open(storage, { create: true });
		const label = await addBackup(repository, GROUP, '2026-11-20T02:00:00Z');
		const planted = ['locks', 'runs', 'repository.json', `shop/${label}`].map((group) =>
			objectKey(group, label, 'manifest.json'),
		);
		for (const key of planted) await writeText(storage, key, '{}');
		const { backups, leftovers, unknown } = await repository.survey();
		expect(backups.map(({ group }) => group)).toEqual([GROUP]);
		expect(leftovers).toEqual([]);
		expect(unknown.keys).toEqual([planted.at(-1)]);
	});

	it('lists a backup exactly when its manifest exists', async () => {
		const repository = await Repository.open(new MemoryStorage(), { create: true });
		await writeText(repository.storage, objectKey(GROUP, createLabel('full', new Date()), 'dump.sql.zst'), 'x');
		expect(await repository.list()).toEqual([]);
		const label = await addBackup(repository, GROUP, '2026-11-20T02:00:00Z');
		expect(await repository.list()).toEqual([
			expect.objectContaining({ group: GROUP, label, type: 'full', startedAt: Date.parse('2026-11-20T02:00:00Z') }),
		]);
	});

	it('keeps groups with a common name prefix, and groups within groups, apart', async () => {
		const repository = await Repository.open(new MemoryStorage(), { create: true });
		for (const group of ['app', 'app-staging', 'app/inner']) await addBackup(repository, group, '2026-11-20T02:00:00Z');
		for (const group of ['app', 'app-staging', 'app/inner']) {
			expect((await repository.list(group)).map((entry) => entry.group)).toEqual([group]);
		}
		expect(await repository.list()).toHaveLength(3);
	});

	it('refuses a manifest that lies in the wrong place', async () => {
		const repository = await Repository.open(new MemoryStorage(), { create: true });
		const label = createLabel('full', new Date());
		await writeText(
			repository.storage,
			objectKey(GROUP, label, 'manifest.json'),
			formatManifest(manifestOf('postgres/crm', label)),
		);
		await expect(repository.readManifest(GROUP, label)).rejects.toMatchObject({
			code: 'invalid-manifest',
			message: expect.stringContaining('belongs to the backup postgres/crm'),
		});
	});

	it.each([
		['more parents than can be read', { parents: Array.from({ length: 1001 }, () => 'x') }, /parents/],
		['more warnings than fit into a megabyte', { warnings: ['x'.repeat(2_000_000)] }, /larger than a megabyte/],
	])('does not make a backup with %s', async (_, change, message) => {
		const repository = await Repository.open(new MemoryStorage(), { create: true });
		const label = createLabel('full', new Date());
		await expect(repository.writeManifest({ ...manifestOf(GROUP, label), ...change })).rejects.toMatchObject({
			...{ code: 'invalid-input', message: expect.stringMatching(message) },
		});
		expect(await repository.list()).toEqual([]);
	});

	it('does not read a manifest of more than a megabyte', async () => {
		const repository = await Repository.open(new MemoryStorage(), { create: true });
		const label = createLabel('full', new Date());
		await repository.storage.write(objectKey(GROUP, label, 'manifest.json'), Readable.from([Buffer.alloc(2_000_000)]));
		await expect(repository.readManifest(GROUP, label)).rejects.toBeInstanceOf(BackupError);
		await expect(repository.readManifest(GROUP, label)).rejects.toMatchObject({ code: 'damaged' });
	});

	describe('surveyed in one listing', () => {
		it('tells backups, leftovers and what is nobody’s apart, and keeps its own files out of it', async () => {
			const repository = await Repository.open(new MemoryStorage(), { create: true });
			const { storage } = repository;
			const label = await addBackup(repository, GROUP, '2026-11-20T02:00:00Z');
			const half = createLabel('full', new Date('2026-11-20T03:00:00Z'));
			await writeText(storage, objectKey(GROUP, half, 'dump.sql.zst'), 'half');
			for (const key of [
				'notes.txt',
				`${GROUP}/readme.txt`,
				'runs/2026-11-20/000001.json',
				'locks/postgres/shop.json',
			]) {
				await writeText(storage, key, 'x');
			}
			const survey = await repository.survey();
			expect(survey.backups.map((backup) => backup.label)).toEqual([label]);
			expect(survey.leftovers).toEqual([
				expect.objectContaining({
					group: GROUP,
					label: half,
					keys: [objectKey(GROUP, half, 'dump.sql.zst')],
					storedBytes: 4,
					expired: false,
				}),
			]);
			expect(survey.unknown).toEqual({ count: 2, keys: ['notes.txt', `${GROUP}/readme.txt`] });
		});

		it('counts what is nobody’s, and names the first hundred', async () => {
			const repository = await Repository.open(new MemoryStorage(), { create: true });
			for (let i = 0; i < 120; i++) await writeText(repository.storage, `photos/${i}.jpg`, 'x');
			const { unknown } = await repository.survey();
			expect([unknown.count, unknown.keys.length]).toEqual([120, 100]);
		});
	});

	describe('tags and pins', () => {
		it('show in the list', async () => {
			const repository = await Repository.open(new MemoryStorage(), { create: true });
			const label = await addBackup(repository, GROUP, '2026-11-20T02:00:00Z');
			await repository.writeTags(GROUP, label, ['release-7', 'audit', 'audit']);
			expect(await repository.writePin(GROUP, label, { at: '2026-11-21T00:00:00Z', reason: 'before the move' })).toBe(
				true,
			);
			expect(await repository.writePin(GROUP, label, { at: '2026-11-22T00:00:00Z', reason: null })).toBe(false);
			expect(await repository.list()).toMatchObject([{ tags: ['audit', 'release-7'], pinned: true }]);
			await repository.removePin(GROUP, label);
			await repository.removePin(GROUP, label);
			expect(await repository.list()).toMatchObject([{ pinned: false }]);
		});

		it.each(['', 'Audit', 'a b', '../x', '-a', 'a'.repeat(41)])('refuse %j', async (tag) => {
			const repository = await Repository.open(new MemoryStorage(), { create: true });
			const label = await addBackup(repository, GROUP, '2026-11-20T02:00:00Z');
			await expect(repository.writeTags(GROUP, label, ['good', tag])).rejects.toMatchObject({ code: 'invalid-input' });
			expect(await repository.list()).toMatchObject([{ tags: [] }]);
		});
	});

	describe('an expiry', () => {
		it('removes the backup, and nothing else', async () => {
			const repository = await Repository.open(new MemoryStorage(), { create: true });
			const label = await addBackup(repository, GROUP, '2026-11-20T02:00:00Z');
			const other = await addBackup(repository, GROUP, '2026-11-20T03:00:00Z');
			await repository.expire(GROUP, label, ['nothing keeps it']);
			expect(await keys(repository.storage as MemoryStorage)).toEqual([
				objectKey(GROUP, other, 'contents.json.zst'),
				objectKey(GROUP, other, 'dump.sql.zst'),
				objectKey(GROUP, other, 'manifest.json'),
				'repository.json',
			]);
		});

		it('that is broken off anywhere leaves the whole backup or a leftover that says so, and can be finished', async () => {
			for (let operations = 0; ; operations++) {
				const storage = new MemoryStorage();
				const repository = await Repository.open(storage, { create: true });
				const label = await addBackup(repository, GROUP, '2026-11-20T02:00:00Z');
				const breaking = await Repository.open(breakAfter(storage, operations));
				const broken = await breaking.expire(GROUP, label, ['x']).then(
					() => false,
					() => true,
				);
				const { backups, leftovers } = await repository.survey();
				if (!broken) {
					expect([operations, backups, leftovers]).toEqual([6, [], []]);
					return;
				}
				expect(backups.length + leftovers.length).toBe(1);
				if (backups.length === 1) {
					expect(backups).toMatchObject([{ expiring: operations > 0 }]);
					await repository.keep(GROUP, label);
					expect(await repository.objects(GROUP, label)).toHaveLength(3);
				} else {
					expect(leftovers).toMatchObject([{ expired: true }]);
					await repository.removeLeftover({ group: GROUP, label });
					expect(await keys(storage)).toEqual(['repository.json']);
				}
			}
		});

		it('never takes a backup for a leftover', async () => {
			const repository = await Repository.open(new MemoryStorage(), { create: true });
			const label = await addBackup(repository, GROUP, '2026-11-20T02:00:00Z');
			await expect(repository.removeLeftover({ group: GROUP, label })).rejects.toMatchObject({ code: 'invalid-input' });
			expect(await repository.list()).toHaveLength(1);
		});
	});
});

/** The storage, which goes away after so many writes, removals and listings. */
function breakAfter(storage: MemoryStorage, operations: number): MemoryStorage {
	let left = operations;
	const counted = new Set<PropertyKey>(['write', 'remove', 'list']);
	return new Proxy(storage, {
		get(target, name) {
			const value: unknown = Reflect.get(target, name, target);
			if (typeof value !== 'function') return value;
			return (...args: unknown[]) => {
				if (counted.has(name) && left-- <= 0) throw new BackupError('unreachable', 'the storage went away');
				return value.apply(target, args) as unknown;
			};
		},
	});
}
