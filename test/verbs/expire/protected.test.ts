/** Retention and objects that S3 protects: reported, never half removed, and protected for as long as they stay. */
import { applyRetention, type RetentionRequest } from '../../../core/verbs/expire/expire';
import { pinBackup, unpinBackup } from '../../../core/verbs/pin/pins';
import { Repository } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import { MemoryStorage } from '../../../core/storage/memory';
import { S3Storage } from '../../../core/storage/s3/s3';
import type { Storage } from '../../../core/storage/storage';
import { type BuildOptions, GROUP } from '../../support/build-backup';
import { addBackup, keysOf, NEVER } from '../../support/dated-backups';
import { sharedS3 } from '../../support/s3';
import { until } from '../../support/until';

const server = sharedS3();
const HOUR_MS = 3_600_000;
const DATA = ['contents.json.zst', 'dump.sql.zst', 'manifest.json'];

let storage: Storage;
let repository: Repository;
beforeEach(async () => {
	const bucket = await server().makeLockBucket();
	storage = new S3Storage(server().options(bucket));
	repository = await Repository.open(storage, { create: true });
});
afterEach(async () => await storage.close());

const inHours = (hours: number) => new Date(Math.ceil(Date.now() / 1000) * 1000 + hours * HOUR_MS);
const add = async (daysAgo: number, more: Omit<BuildOptions, 'at'> = {}) =>
	await addBackup(repository, { at: inHours(-24 * daysAgo - 1).toISOString(), ...more });
const apply = async (more: Partial<RetentionRequest> = {}) =>
	await applyRetention({ repository, group: GROUP, policy: { daily: 2, minimum: 1 }, signal: NEVER, ...more });
const labels = async () => (await repository.list(GROUP)).map(({ label }) => label);
const protect = async (label: string, name: string, time: Date) =>
	await storage.protection!.extend(objectKey(GROUP, label, name), { until: time, mode: 'governance' });
const timesOf = async (label: string) =>
	await Promise.all(DATA.map(async (name) => await storage.protection!.until(objectKey(GROUP, label, name))));

describe('a backup that the storage protects', () => {
	it.each(DATA)('stays whole and is reported when only its %s is protected', async (name) => {
		const old = [await add(5), await add(4), await add(3)];
		const kept = [await add(1), await add(0)];
		const time = inHours(1);
		await protect(old[1]!, name, time);
		const before = (await keysOf(repository)).filter((key) => key.includes(old[1]!));
		const result = await apply();
		expect(result.removed.sort()).toEqual([old[0], old[2]]);
		expect(result.skipped).toEqual([
			{ label: old[1], why: expect.stringContaining('protects it until'), until: time.toISOString() },
		]);
		expect(await labels()).toEqual([old[1], ...kept]);
		expect((await keysOf(repository)).filter((key) => key.includes(old[1]!))).toEqual(before);
	});

	it('keeps those that it needs', async () => {
		const full = await add(6);
		const middle = await add(5, { type: 'incremental', parents: [full] });
		const last = await add(4, { type: 'incremental', parents: [middle, full] });
		await add(1);
		await add(0);
		await protect(middle, 'dump.sql.zst', inHours(1));
		const result = await apply();
		expect(result.removed).toEqual([last]);
		expect(result.skipped.map(({ label }) => label)).toEqual([middle, full]);
	});

	it('goes when its time has come', async () => {
		const old = await add(5);
		await add(1);
		await add(0);
		await protect(old, 'manifest.json', new Date(Date.now() + 2000));
		expect(await apply()).toMatchObject({ removed: [], skipped: [{ label: old }] });
		await until('its time has come', async () => (await apply()).removed.includes(old));
		expect(await labels()).not.toContain(old);
	});
});

describe('extending the protection', () => {
	it('protects what is kept until the policy lets go of it, and nothing else', async () => {
		await add(3);
		const kept = [await add(1), await add(0)];
		await pinBackup({ repository, group: GROUP, label: kept[1]!, signal: NEVER });
		await unpinBackup({ repository, group: GROUP, label: kept[1]!, signal: NEVER });
		const result = await apply({ extendProtection: 'governance' });
		expect(result).toMatchObject({ removed: [expect.any(String)], warnings: [] });
		for (const { label, keptUntil } of result.plan.backups.filter(({ action }) => action === 'keep')) {
			expect(keptUntil!.getTime()).toBeGreaterThan(Date.now());
			for (const time of await timesOf(label)) expect(time).toEqual(keptUntil);
			const manifest = objectKey(GROUP, label, 'manifest.json');
			await expect(storage.remove(manifest)).rejects.toMatchObject({ code: 'protected' });
		}
		expect(await labels()).toEqual(kept);
	});

	it('leaves pins removable', async () => {
		const kept = await add(0);
		await add(1);
		const request = { repository, group: GROUP, label: kept, signal: NEVER };
		await pinBackup(request);
		await apply({ extendProtection: 'governance' });
		expect(await unpinBackup(request)).toMatchObject({ pinned: false, changed: true });
	});

	it('never shortens it', async () => {
		await add(1);
		const kept = await add(0);
		const time = inHours(24 * 100);
		for (const name of DATA) await protect(kept, name, time);
		expect(await apply({ extendProtection: 'governance' })).toMatchObject({ warnings: [] });
		expect(await timesOf(kept)).toEqual([time, time, time]);
	});

	it('of a storage that cannot is a warning, and what expires goes all the same', async () => {
		for (const other of [new MemoryStorage(), new S3Storage(server().options(await server().makeBucket()))]) {
			repository = await Repository.open(other, { create: true });
			for (const daysAgo of [5, 1, 0]) await add(daysAgo);
			const result = await apply({ extendProtection: 'governance' });
			expect(result.removed).toHaveLength(1);
			expect(result.warnings).toEqual([expect.stringContaining('protect')]);
			await other.close();
		}
	});
});
