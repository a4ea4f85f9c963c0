/** Copies between real storages of all kinds: folders, buckets of a real S3 server, memory. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { copyBackup, type CopyResult, copyToAll } from '../../../core/verbs/copy/copy';
import { Repository } from '../../../core/records/repository';
import { objectKey, REPOSITORY_KEY } from '../../../core/records/layout';
import { restoreDatabase } from '../../support/database-verbs';
import { createStorage } from '../../../core/storage/create';
import { type StorageConfig } from '../../../core/storage/config';
import { MemoryStorage } from '../../../core/storage/memory';
import type { Storage } from '../../../core/storage/storage';
import { rowsOf } from '../../support/by-hand';
import { sharedS3 } from '../../support/s3';
import { S3Proxy } from '../../support/s3-proxy';
import { makeShop } from '../../support/shop';
import { flip, GROUP, NEVER } from '../../support/small-backup';
import { rounds } from '../../support/soak';
import { buildBackup } from '../../support/build-backup';
import { assertConsistent, assertSound, changing, contentOf, replace } from '../../support/stored-backups';

const s3 = sharedS3();
const folders: string[] = [];
const opened: Storage[] = [];
afterEach(async () => {
	for (const storage of opened.splice(0)) await storage.close();
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): StorageConfig {
	const folder = mkdtempSync(path.join(tmpdir(), 'copy-'));
	folders.push(folder);
	return { type: 'folder', path: folder };
}

async function newBucket(): Promise<StorageConfig> {
	return { type: 's3', ...s3().options(await s3().makeBucket()), prefix: 'backups' };
}

function open(config: StorageConfig): Storage {
	const storage = createStorage(config, { attempts: 3, firstDelayMs: 10, maxDelayMs: 50 });
	opened.push(storage);
	return storage;
}

const KINDS = {
	folder: async () => open(newFolder()),
	s3: async () => open(await newBucket()),
	memory: async () => new MemoryStorage(`memory:${Math.random()}`),
};
type Kind = keyof typeof KINDS;
const kinds = Object.keys(KINDS) as Kind[];
const PAIRS = kinds.flatMap((from) => kinds.map((to): [Kind, Kind] => [from, to]));
/** Each kind once on either side. */
const SOME: Array<[Kind, Kind]> = [
	['folder', 's3'],
	['s3', 'memory'],
	['memory', 'folder'],
	['s3', 's3'],
];

async function sourceIn(storage: Storage): Promise<Repository> {
	return await Repository.open(storage, { create: true });
}

const copy = async (from: Repository, to: Storage, label: string): Promise<CopyResult> =>
	await copyBackup({ from, to, group: GROUP, label, signal: NEVER });

describe('a copy is the same, byte for byte, and read back', () => {
	it.each(rounds(SOME, PAIRS))('from %s to %s', async (a, b) => {
		const from = await sourceIn(await KINDS[a]());
		// More than one part of an upload.
		const full = await buildBackup(from, { bytes: 18_000_000, tags: ['audit'] });
		const label = await buildBackup(from, { type: 'incremental', parents: [full] });
		const to = await KINDS[b]();
		const result = await copy(from, to, label);
		expect(result).toMatchObject({ status: 'copied', parents: [full], warnings: [], destination: to.location });
		const there = await contentOf(to);
		for (const [key, bytes] of await contentOf(from.storage)) expect(there.get(key)?.equals(bytes)).toBe(true);
		expect((await (await Repository.open(to)).list()).map(({ verifications }) => verifications)).toEqual([
			[{ at: expect.any(Number), depth: 'stored', ok: true }],
			[{ at: expect.any(Number), depth: 'stored', ok: true }],
		]);
		expect(await copy(from, to, label)).toMatchObject({ status: 'present', bytes: 0 });
	});
});

describe('a destination in S3', () => {
	it('that is full: the error says so, and the copy goes on when there is room', async () => {
		const from = await sourceIn(open(newFolder()));
		const label = await buildBackup(from, { bytes: 20_000_000 });
		const user = await s3().makeUser();
		const bucket = await s3().makeBucket(undefined, user);
		await s3().setQuota(user, 12_000_000);
		// For a second, the gateway goes by what it knew of the user before.
		await delay(2000);
		const to = open({ type: 's3', ...s3().options(bucket), ...user });
		expect(await copy(from, to, label)).toMatchObject({ status: 'failed', code: 'storage-full' });
		expect(await assertConsistent(to)).toEqual([]);
		await s3().setQuota(user, 60_000_000);
		// The gateway remembers for some seconds that the quota was reached.
		const other = open({ type: 's3', ...s3().options(bucket), ...user });
		const until = Date.now() + 60_000;
		let again = await copy(from, other, label);
		while (again.code === 'storage-full' && Date.now() < until) again = await copy(from, other, label);
		expect(again).toMatchObject({ status: 'copied' });
		await assertSound(other);
	}, 120_000);

	it.each([
		['wrong keys', { secretKey: 'not-the-secret-key' }, 'wrong-credentials'],
		['a bucket that is none', { bucket: 'no-such-bucket-here' }, 'bucket-not-found'],
		['nobody listening', { endpoint: 'http://127.0.0.1:1' }, 'unreachable'],
	])('with %s', async (_, change, code) => {
		const from = await sourceIn(open(newFolder()));
		const label = await buildBackup(from);
		const to = open({ ...(await newBucket()), ...change });
		const result = await copy(from, to, label);
		expect(result).toMatchObject({ status: 'failed', code, hint: expect.any(String) });
		expect(JSON.stringify(result)).not.toContain('not-the-secret-key');
	});

	it('whose user may only read', async () => {
		const from = await sourceIn(open(newFolder()));
		const label = await buildBackup(from);
		const user = await s3().makeUser();
		const to = open({ type: 's3', ...s3().options(await s3().makeBucket(undefined, user)), ...user });
		await s3().makeReadOnly(user);
		expect(await copy(from, to, label)).toMatchObject({ status: 'failed', code: 'access-denied' });
	});

	it('that cuts connections: parts are sent again, and reading goes on where it broke', async () => {
		const proxy = await S3Proxy.start(s3().endpoint);
		const bucket = await s3().makeBucket();
		const cut = open({ type: 's3', ...s3().options(bucket), endpoint: proxy.endpoint });
		const from = await sourceIn(cut);
		const label = await buildBackup(from, { bytes: 30_000_000 });
		proxy.let(({ number, method, url, headers }) => {
			const start = Number(/\d+/.exec(headers.range ?? '0')?.[0]);
			if (method === 'GET' && url.includes('dump.sql') && start < 20_000_000) return { cutAfter: 8_000_000 };
			return number % 7 === 0 ? 'cut' : 'pass';
		});
		const to = open({ type: 's3', ...s3().options(await s3().makeBucket()), endpoint: proxy.endpoint });
		expect(await copy(from, to, label)).toMatchObject({ status: 'copied' });
		proxy.let(() => 'pass');
		await assertSound(to);
		expect(proxy.seen.filter(({ method, url }) => method === 'GET' && url.includes('dump.sql')).length).toBeGreaterThan(
			6,
		);
		await proxy.stop();
	});

	it('with a retention lock refuses to lose the copy before its time', async () => {
		const from = await sourceIn(open(newFolder()));
		const label = await buildBackup(from);
		const to = open({ type: 's3', ...s3().options(await s3().makeLockBucket()) });
		const protect = { until: new Date(Date.now() + 3_600_000), mode: 'governance' } as const;
		const result = await copyBackup({ from, to, group: GROUP, label, protect, signal: NEVER });
		expect(result).toMatchObject({ status: 'copied' });
		for (const name of ['dump.sql.zst', 'contents.json.zst', 'manifest.json']) {
			await expect(to.remove(objectKey(GROUP, label, name))).rejects.toMatchObject({ code: 'protected' });
		}
	});
});

it('under a retention lock, nothing of a damaged source becomes an object that nobody could remove', async () => {
	const from = await sourceIn(open(newFolder()));
	const label = await buildBackup(from);
	const at = objectKey(GROUP, label, 'dump.sql.zst');
	await replace(from.storage, at, flip((await contentOf(from.storage)).get(at)!, 20));
	const to = open({ type: 's3', ...s3().options(await s3().makeLockBucket()), prefix: 'backups' });
	const protect = { until: new Date(Date.now() + 3_600_000), mode: 'governance' } as const;
	const result = await copyBackup({ from, to, group: GROUP, label, protect, signal: NEVER });
	expect(result).toMatchObject({ status: 'failed', code: 'damaged', message: expect.stringContaining('SHA-256') });
	expect([...(await contentOf(to)).keys()].filter((each) => each.startsWith(GROUP))).toEqual([]);
});

it('under a retention lock, bytes that the destination changed are reported, with what stays there', async () => {
	const from = await sourceIn(open(newFolder()));
	const label = await buildBackup(from);
	const to = open({ type: 's3', ...s3().options(await s3().makeLockBucket()) });
	const protect = { until: new Date(Date.now() + 3_600_000), mode: 'governance' } as const;
	const result = await copyBackup({ from, to: changing(to, 1), group: GROUP, label, protect, signal: NEVER });
	expect(result).toMatchObject({
		status: 'failed',
		code: 'damaged',
		message: expect.stringContaining('was not kept as it was sent'),
		hint: expect.stringMatching(/could not be removed \(.*protected until/),
	});
	expect(await (await Repository.open(to)).list()).toEqual([]);
});

it('a source that may only be read is enough', async () => {
	const user = await s3().makeUser();
	const config: StorageConfig = { type: 's3', ...s3().options(await s3().makeBucket(undefined, user)), ...user };
	const from = await sourceIn(open(config));
	const label = await buildBackup(from);
	await s3().makeReadOnly(user);
	const to = new MemoryStorage('memory:second');
	const result = await copy(from, to, label);
	expect(result).toMatchObject({ status: 'copied' });
	expect(result.warnings.length).toBeGreaterThan(0);
	await assertSound(to);
});

it('a restore from the copy gives the database, without the original', async () => {
	const shop = await makeShop();
	try {
		const { repository, group, label } = shop.request();
		const to = open(newFolder());
		expect(await copyBackup({ from: repository, to, group, label, signal: NEVER })).toMatchObject({ status: 'copied' });
		const job = shop.request({ repository: await Repository.open(to) });
		expect(await restoreDatabase(job)).toMatchObject({ comparison: { ok: true } });
		expect(await rowsOf(shop.at(job.into.database))).toEqual(await rowsOf(shop.source));
	} finally {
		await shop.remove();
	}
}, 120_000);

it('memory does not grow with the size, from a folder to S3 to S3 to a folder', async () => {
	const hook = path.join(__dirname, '../../support/typescript.cjs');
	const program = path.join(__dirname, '../../support/copy-process.ts');
	const peaks = async (bytes: number) => {
		const places = [newFolder(), await newBucket(), await newBucket(), newFolder()];
		await buildBackup(await sourceIn(open(places[0]!)), { bytes });
		const found: number[] = [];
		for (const [at, to] of places.slice(1).entries()) {
			const env = { PATH: process.env.PATH, COPY_FROM: JSON.stringify(places[at]), COPY_TO: JSON.stringify(to) };
			const { stdout } = await promisify(execFile)(process.execPath, ['--require', hook, program], { env });
			const { statuses, peakBytes } = JSON.parse(stdout) as { statuses: string[]; peakBytes: number };
			expect(statuses).toEqual(['copied']);
			found.push(peakBytes);
		}
		return found;
	};
	const [small, large] = [await peaks(60_000_000), await peaks(200_000_000)];
	for (const [hop, peak] of large.entries()) expect(peak - small[hop]!).toBeLessThan(60_000_000);
}, 180_000);

describe('a storage that lies in another one', () => {
	it.each(['folder', 's3'] as const)('is refused in a %s, and nothing is written there', async (kind) => {
		const outer = kind === 'folder' ? newFolder() : await newBucket();
		const inner =
			outer.type === 'folder'
				? { ...outer, path: path.join(outer.path, 'second') }
				: { ...outer, prefix: 'backups/second' };
		if (inner.type === 'folder') mkdirSync(inner.path);
		const from = await Repository.open(open(outer), { create: true });
		const label = await buildBackup(from);
		const to = open(inner);
		const refused = {
			status: 'failed',
			code: 'invalid-input',
			message: `${to.location} lies in ${from.storage.location}`,
		};
		expect(await copyBackup({ from, to, group: GROUP, label, signal: NEVER })).toMatchObject(refused);
		expect(await contentOf(to)).toEqual(new Map());
		// The other way round, where the inner one was there first.
		await from.storage.remove(REPOSITORY_KEY);
		const within = await Repository.open(to, { create: true });
		const another = await buildBackup(within);
		const back = { from: within, to: open(outer), group: GROUP, label: another, signal: NEVER };
		expect(await copyBackup(back)).toMatchObject(refused);
	});

	it('or twice among the destinations is refused before anything is copied', async () => {
		const from = await Repository.open(open(newFolder()), { create: true });
		const label = await buildBackup(from);
		const config = newFolder();
		const again = copyToAll({ from, to: [open(config), open(config)], group: GROUP, label, signal: NEVER });
		await expect(again).rejects.toMatchObject({
			code: 'invalid-input',
			message: expect.stringContaining('named twice'),
		});
		expect(await contentOf(open(config))).toEqual(new Map());
	});

	it('is none where two servers have buckets of one name', async () => {
		const [one, other] = [new MemoryStorage('s3://backups'), new MemoryStorage('s3://backups/second')];
		const from = await Repository.open(one, { create: true });
		const label = await buildBackup(from);
		expect(await copyBackup({ from, to: other, group: GROUP, label, signal: NEVER })).toMatchObject({
			status: 'copied',
		});
	});
});
