/** The option "Retention Lock" and what our nodes make of it, against a real S3 server with object lock. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ICredentialDataDecryptedObject, INodeType } from 'n8n-workflow';
import { isBackupError } from '../../core/base/errors';
import { Repository } from '../../core/records/repository';
import { objectKey } from '../../core/records/layout';
import { createStorage } from '../../core/storage/create';
import type { Storage } from '../../core/storage/storage';
import { ApplyRetention } from '../../nodes/ApplyRetention/ApplyRetention.node';
import { CopyBackup } from '../../nodes/CopyBackup/CopyBackup.node';
import { readRetentionLock, type RetentionLockFields } from '../../nodes/shared/retention-lock';
import { GROUP } from '../support/build-backup';
import { addBackup } from '../support/dated-backups';
import { fakeContext } from '../support/fake-node';
import { sharedS3 } from '../support/s3';

const DAY_MS = 24 * 3_600_000;

describe('a retention lock', () => {
	const now = new Date('2026-11-20T02:00:00Z');
	const read = (lock: object) => readRetentionLock({ lock } as RetentionLockFields, now);

	it('is none unless it is asked for', () => {
		expect(readRetentionLock(undefined, now)).toBeUndefined();
		expect(readRetentionLock({}, now)).toBeUndefined();
		expect(read({ mode: 'off', keepFor: 'days', days: 30 })).toBeUndefined();
	});

	it('lasts for days from the start of the run', () => {
		const until = new Date('2026-11-27T02:00:00Z');
		expect(read({ mode: 'compliance', keepFor: 'days', days: 7 })).toEqual({ mode: 'compliance', until });
	});

	it('lasts for as long as a policy keeps every new backup for certain', () => {
		const until = new Date('2026-11-27T02:00:00Z');
		expect(read({ mode: 'governance', keepFor: 'policy', policy: 'sevenDays' })).toEqual({ mode: 'governance', until });
	});

	it.each([
		['an unknown mode', { mode: 'iron' }, /invalid value for "Mode": iron/],
		['an unknown length', { mode: 'governance', keepFor: 'ever' }, /invalid value for "Keep For": ever/],
		['no days', { mode: 'governance', keepFor: 'days', days: 0 }, /invalid value for "Days": 0/],
		['an unknown policy', { mode: 'governance', keepFor: 'policy', policy: 'x' }, /"Policy": /],
		['a policy that says nothing', { mode: 'governance', keepFor: 'policy', policy: 'tag=audit' }, /does not say/],
	])('of %s is a clear error', (_, lock, message) => {
		expect(() => read(lock)).toThrow(message);
	});
});

describe('in a bucket with object lock', () => {
	const s3 = sharedS3();
	let folder: string;
	let bucket: ICredentialDataDecryptedObject;
	let locked: Storage;
	let labels: string[];

	beforeEach(async () => {
		folder = mkdtempSync(join(tmpdir(), 'retention-lock-'));
		const source = createStorage({ type: 'folder', path: folder });
		const repository = await Repository.open(source, { create: true });
		labels = [];
		for (const days of [3, 2, 1]) {
			labels.push(await addBackup(repository, { at: new Date(Date.now() - days * DAY_MS).toISOString() }));
		}
		await source.close();
		const { endpoint = '', accessKey, secretKey, bucket: name } = s3().options(await s3().makeLockBucket());
		bucket = {
			...{ type: 's3', endpoint, bucket: name, prefix: 'copies', region: 'us-east-1', forcePathStyle: true },
			...{ accessKeyId: accessKey, secretAccessKey: secretKey },
		};
		locked = createStorage({
			...{ type: 's3', endpoint, bucket: name, prefix: 'copies', region: 'us-east-1', pathStyle: true },
			...{ accessKey, secretKey },
		});
	});

	afterEach(async () => {
		await locked.close();
		rmSync(folder, { recursive: true, force: true });
	});

	async function run(node: INodeType, parameters: Record<string, unknown>, credentials: object) {
		const fake = fakeContext({
			parameters,
			credentials: credentials as Record<string, ICredentialDataDecryptedObject>,
		});
		const [items] = (await node.execute!.call(fake.context)) as Array<Array<{ json: Record<string, unknown> }>>;
		return { json: items!.map((item) => item.json), hints: fake.hints };
	}

	const copyAll = async (retentionLock: RetentionLockFields | undefined) =>
		await run(
			new CopyBackup(),
			{ choose: 'missing', groups: '', to: 'second', options: { retentionLock } },
			{ backupStorageApi: { type: 'folder', path: folder }, backupStorageSecondApi: bucket },
		);
	const retain = async (parameters: object) =>
		await run(
			new ApplyRetention(),
			{ operation: 'apply', choose: 'all', policy: 'last=1,minimum=1', options: {}, ...parameters },
			{ backupStorageApi: bucket },
		);

	it('refuses to remove a copy before its time, which Apply Retention reports and does not fail of', async () => {
		const before = Date.now();
		const copied = await copyAll({ lock: { mode: 'governance', keepFor: 'days', days: 2 } });
		expect(copied.json).toHaveLength(3);
		for (const each of copied.json) expect(each).toMatchObject({ status: 'copied' });
		const manifest = objectKey(GROUP, labels[0]!, 'manifest.json');
		const until = (await locked.protection!.until(manifest))!;
		expect(until.getTime()).toBeGreaterThanOrEqual(before + 2 * DAY_MS - 1000);
		expect(isBackupError(await locked.remove(manifest).catch((error: unknown) => error), 'protected')).toBe(true);

		const { json, hints } = await retain({});
		expect(json).toEqual([
			expect.objectContaining({
				...{ ok: true, status: 'applied', kept: 1, expired: 2, removed: [], freedBytes: 0 },
				skipped: labels.slice(0, 2).map((label) => ({ label, why: expect.any(String), until: expect.any(String) })),
			}),
		]);
		expect(hints).toHaveLength(2);
		expect((await (await Repository.open(locked)).list()).map(({ label }) => label)).toEqual(labels);
	});

	it('locks what the policy keeps for as long as it keeps it, where that is asked for', async () => {
		await copyAll(undefined);
		const manifest = objectKey(GROUP, labels[2]!, 'manifest.json');
		expect(await locked.protection!.until(manifest)).toBeNull();
		const { json } = await retain({ policy: 'sevenDays', options: { extendLocks: 'governance' } });
		expect(json).toMatchObject([{ ok: true, status: 'applied', kept: 3, warnings: [] }]);
		const until = await locked.protection!.until(manifest);
		expect(Math.abs(until!.getTime() - (Date.now() + 6 * DAY_MS))).toBeLessThan(3_600_000);
	});
});
