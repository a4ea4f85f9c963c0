/** Archives of a bucket with its versions, against a real S3 server: what is stored, read, named, and what comes back. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { inParallel } from '../../../core/base/in-parallel';
import type { BackupError } from '../../../core/base/errors';
import { checkBucket } from '../../../core/sources/bucket/check';
import { SMALL_BYTES } from '../../../core/sources/bucket/fetch';
import { type BucketArchived, BucketGroup, TestBucket } from '../../support/buckets';
import { stopClock } from '../../support/clock';
import { createFolder, removeFolder } from '../../support/folders';
import { sharedS3 } from '../../support/s3';
import { type Fate, S3Proxy } from '../../support/s3-proxy';

const server = sharedS3();
let proxy: S3Proxy;
let folder: string;
let bucket: TestBucket;
let group: BucketGroup;
stopClock();
beforeAll(async () => {
	proxy = await S3Proxy.start(server().endpoint);
});
afterAll(() => proxy.stop());
beforeEach(async () => {
	folder = createFolder('versions');
	bucket = await freshBucket();
	group = new BucketGroup(bucket, { versions: true });
	proxy.let(() => 'pass');
	proxy.seen.length = 0;
});
afterEach(() => removeFolder(folder));

const freshBucket = async () => await new TestBucket(server(), await server().makeBucket()).keepVersions();
const change = async (key: string, bytes: string) => await bucket.put(key, { bytes });
const throughProxy = () => bucket.config({ endpoint: proxy.endpoint });
const withoutIds = (paths: readonly string[]) =>
	paths.map((each) => each.replace(/%v-\d{8}T\d{6}Z-[\w.-]+?(?=%deleted|$)/, 'V'));
/** What the index of one backup says, and how often its lines are about contents of another one. */
const linesOf = async (backup: BucketArchived) =>
	withoutIds(
		(await group.index(backup)).map(
			({ type, path: name, in: holder }) => `${type === 'gone' ? '-' : holder ? '=' : ''}${name}`,
		),
	);

/** Removes one version for good. */
async function purge(key: string, isMarker = false): Promise<void> {
	const { versionId } = (await bucket.versions()).find((each) => each.key === key && each.isMarker === isMarker)!;
	await bucket.client.removeObject(bucket.name, key, { versionId });
}

/** All files below a folder, by name. */
function filesIn(from: string): Record<string, string> {
	const found = fs.readdirSync(from, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
	const named = found.map((entry) => path.join(entry.parentPath, entry.name));
	return Object.fromEntries(named.sort().map((file) => [path.relative(from, file), fs.readFileSync(file, 'utf8')]));
}

describe('a chain of backups', () => {
	it('has every version, reads none twice, and each of it comes back version by version', async () => {
		await bucket.put('a', { bytes: '1', tags: { team: 'x' }, meta: { 'X-Amz-Meta-Who': 'jane' } });
		await change('a', '2');
		await change('deleted', 'd');
		await bucket.remove('deleted');
		await change('twice', 't1');
		await bucket.remove('twice');
		await change('twice', 't2');
		await change('still', 's');
		const backups = [await group.back()];
		const states = [await bucket.seeVersions()];
		const current = [await bucket.see()];
		expect(backups[0]!.manifest).toMatchObject({
			...{ status: 'whole', warnings: [], type: 'full' },
			source: { details: { objects: 3, bytes: 4, versions: 3, versionBytes: 4, deleteMarkers: 2 } },
		});
		expect(await linesOf(backups[0]!)).toEqual([
			...['a', '%versions/a/V', '%versions/deleted/V', '%versions/deleted/V%deleted'],
			...['still', 'twice', '%versions/twice/V', '%versions/twice/V%deleted'],
		]);
		const step = async (type: 'incremental' | 'differential') => {
			proxy.seen.length = 0;
			backups.push(await group.back({ type, bucket: throughProxy() }));
			states.push(await bucket.seeVersions());
			current.push(await bucket.see());
			const reads = proxy.seen.filter(({ method, url }) => method === 'GET' && /\/.+\/.*versionId/.test(url));
			return reads.filter(({ url }) => !url.includes('tagging')).length;
		};

		expect(await step('incremental')).toBe(0);
		expect(await linesOf(backups[1]!)).toEqual([]);

		await change('a', '3');
		await bucket.remove('twice');
		await change('new', 'n');
		expect(await step('incremental')).toBe(2);
		expect(await linesOf(backups[2]!)).toEqual([
			...['a', '=%versions/a/V', '=%versions/a/V', 'new'],
			...[
				'-twice',
				'=%versions/twice/V',
				'=%versions/twice/V%deleted',
				'=%versions/twice/V',
				'%versions/twice/V%deleted',
			],
		]);

		// A marker is removed, and what it hid is there again; an old version is removed, and all of an object.
		await purge('deleted', true);
		await purge('a');
		await purge('still');
		expect(await step('incremental')).toBe(0);
		expect(await linesOf(backups[3]!)).toEqual([...['=a', '=%versions/a/V', '=deleted', '-still']]);
		await change('a', '5');
		expect(await step('differential')).toBe(2);

		for (const [at, backup] of backups.entries()) {
			expect(await group.verify(backup, at > 2 ? 'restored' : 'readable')).toBe('ok');
			// Full backups alone are restored below, and the second one has nothing new.
			if (at < 2) continue;
			const [all, now] = [await freshBucket(), await freshBucket()];
			const { comparison } = await group.restore(backup, { to: all.config(), versions: true });
			expect(comparison).toMatchObject({ ok: true, differences: [] });
			expect(await all.seeVersions()).toEqual(states[at]);
			expect((await group.restore(backup, { to: now.config() })).comparison.ok).toBe(true);
			expect(await now.see()).toEqual(current[at]);

			const to = path.join(folder, `by-hand-${at}`);
			await group.restoreByTar(backup, to);
			const found = filesIn(to);
			const [files, older] = [current[at]!, states[at]!.length - current[at]!.length];
			expect(Object.keys(found).filter((name) => !name.startsWith('%'))).toEqual(files.map(({ key }) => key).sort());
			// What is current again stays by the name that it had as an older version.
			expect(Object.keys(found).filter((name) => name.startsWith('%'))).toHaveLength(older + [0, 0, 0, 2, 1][at]!);
		}
		expect(filesIn(path.join(folder, 'by-hand-2'))).toMatchObject({ a: '3', new: 'n', still: 's' });
		expect(filesIn(path.join(folder, 'by-hand-4'))).toMatchObject({ a: '5', new: 'n', deleted: 'd' });
	});
});

describe('names', () => {
	it('of any objects are kept apart from versions of others, and lead nowhere, also by hand', async () => {
		const odd = [
			'a',
			'a/b',
			'a//b',
			'%versions/a',
			'%versions',
			'../up',
			'/abs',
			'x/',
			'new\nline',
			'ü'.repeat(200),
			'a/%v-1',
		];
		await inParallel(odd, 8, async (key) => {
			await change(key, `old ${key}`);
			await change(key, `new ${key}`);
		});
		await bucket.remove('a/b', 'x/');
		const full = await group.back();
		const entries = await group.index(full);
		expect(entries).toHaveLength(odd.length * 2 + 2);
		expect(await group.verify(full, 'restored')).toBe('ok');
		const to = path.join(folder, 'deep', 'restored');
		fs.mkdirSync(path.dirname(to));
		await group.restoreByTar(full, to);
		expect(fs.readdirSync(path.dirname(to))).toEqual(['restored']);
		for (const { path: name, object } of entries) {
			const text = fs.readFileSync(Buffer.from(`${to}/${name}`, 'latin1'), 'utf8');
			const isOld = object!.latest === false && (object!.order === 0 || !['a/b', 'x/'].includes(object!.key));
			expect(text).toBe(object!.marker ? '' : `${isOld ? 'old' : 'new'} ${object!.key}`);
		}
		const other = await freshBucket();
		expect((await group.restore(full, { to: other.config(), versions: true })).comparison.ok).toBe(true);
		expect(await other.seeVersions()).toEqual(await bucket.seeVersions());

		const part = await group.restore(full, {
			to: other.config({ prefix: 'part' }),
			versions: true,
			include: ['/a/b', '/c'],
		});
		expect(part.warnings).toEqual([expect.stringContaining('has a name like /c: only what the other patterns')]);
		expect(part.comparison.says).toBe('1 object with 2 versions of 14 B and 1 delete marker as they were');
	});
});

describe('versions that change while the archive is made', () => {
	it('are read as they were listed, and named when they are gone or were added', async () => {
		for (const key of ['a', 'b', 'c']) await change(key, `1 of ${key}`);
		await change('b', '2 of b');
		let changed: Promise<void> | undefined;
		proxy.let(async ({ method, url }): Promise<Fate> => {
			// All is listed when the first one is read.
			if (method === 'GET' && url.includes('?versionId'))
				await (changed ??= purge('b').then(async () => await change('c', '2 of c')));
			return 'pass';
		});
		const full = await group.back({ bucket: throughProxy() });
		expect(full.manifest).toMatchObject({ status: 'whole', source: { details: { objects: 2, versions: 1 } } });
		expect(full.summary.named).toEqual([{ path: 'b', why: 'vanished' }]);
		const second = await group.back({ type: 'incremental' });
		expect(await linesOf(second)).toEqual(['=b', 'c', '=%versions/c/V']);
		expect(await group.verify(second, 'restored')).toBe('ok');
	});

	it('are not taken for others, where a server or proxy does not heed which one is asked for', async () => {
		await change('a', 'old');
		await change('a', 'new');
		const headers = { 'x-amz-version-id': 'current', etag: '"1"', 'content-length': '3' };
		proxy.let(({ method, url }) =>
			method === 'GET' && url.includes('/a?versionId') ? { status: 200, headers, body: 'new' } : 'pass',
		);
		await expect(group.back({ bucket: throughProxy() })).rejects.toMatchObject({
			code: 'unsupported',
			message: expect.stringContaining('gives another version of a than was asked for'),
		});
	});

	it('go on where a connection broke, when they are large', async () => {
		await bucket.put('large', { bytes: randomBytes(SMALL_BYTES + 100_000) });
		await change('large', 'small by now');
		await change('z', '1');
		proxy.let(({ url, headers }) =>
			url.includes('/large?versionId') && !headers.range ? { cutAfter: SMALL_BYTES } : 'pass',
		);
		const full = await group.back({ bucket: throughProxy() });
		expect(full.manifest).toMatchObject({ status: 'whole', warnings: [] });
		const other = await freshBucket();
		expect((await group.restore(full, { to: other.config(), versions: true })).comparison).toMatchObject({
			...{ ok: true, says: '2 objects with 3 versions of 8.5 MB and 0 delete markers as they were' },
		});
		expect(await other.seeVersions()).toEqual(await bucket.seeVersions());
	});
});

describe('a group', () => {
	it('goes on with a full backup where versions are wanted for the first time, or no longer', async () => {
		await change('a', '1');
		await change('a', '2');
		const without = await group.back({ versions: false });
		expect(without.manifest.source.details).not.toHaveProperty('versions');
		const first = await group.back({ type: 'incremental' });
		expect(first.manifest).toMatchObject({ type: 'full', source: { details: { versions: 1 } } });
		expect(first.manifest.warnings).toEqual([
			`made a full backup, because bucket/photos/${without.label} has no versions, which are wanted now`,
		]);
		const again = await group.back({ type: 'differential', versions: false });
		expect(again.manifest).toMatchObject({ type: 'full', source: { details: { storedObjects: 1 } } });
		expect(again.manifest.warnings).toEqual([
			`made a full backup, because bucket/photos/${first.label} has versions, which are not wanted now`,
		]);
	});

	it('is not emptied by delete markers: what is current counts', async () => {
		await inParallel(
			Array.from({ length: 10 }, (_, number) => `key-${number}`),
			5,
			async (key) => await change(key, 'x'),
		);
		const first = await group.back();
		await bucket.remove(...(await bucket.keysOf()).slice(0, 6));
		const second = await group.back({ type: 'incremental' });
		expect(second.manifest.source.details).toMatchObject({ objects: 4, versions: 6, deleteMarkers: 6, goneObjects: 6 });
		expect(second.manifest.warnings[0]).toBe(`60 % of the objects are gone since ${first.label}: 4 now, 10 then`);
		await bucket.remove(...(await bucket.keysOf()));
		await expect(group.back({ type: 'incremental' })).rejects.toMatchObject({ code: 'source-missing' });
	});

	it('takes a bucket whose versioning was paused, with the versions that have no id', async () => {
		const plain = new TestBucket(server(), await server().makeBucket());
		await plain.put('a', { bytes: 'before' });
		await plain.keepVersions();
		await plain.put('a', { bytes: 'kept' });
		await plain.keepVersions('Suspended');
		await plain.put('b', { bytes: 'b1' });
		const ofPlain = new BucketGroup(plain, { versions: true });
		const full = await ofPlain.back();
		expect(full.manifest.source.details).toMatchObject({ objects: 2, versions: 1 });
		await plain.put('b', { bytes: 'b2' });
		const second = await ofPlain.back({ type: 'incremental' });
		expect(second.manifest.source.details).toMatchObject({ objects: 2, versions: 1, storedObjects: 1 });
		const other = await freshBucket();
		await ofPlain.restore(second, { to: other.config(), versions: true });
		expect(await other.seeVersions()).toEqual(await plain.seeVersions());
	});
});

describe('a restore of versions', () => {
	it('is refused with the reason where they cannot come to be, and then nothing is written', async () => {
		await change('a', '1');
		await change('a', '2');
		const full = await group.back();
		const without = await group.back({ versions: false });
		const plain = new TestBucket(server(), await server().makeBucket());
		const refused = async (backup: BucketArchived, options: Parameters<BucketGroup['restore']>[1]) =>
			await group.restore(backup, { versions: true, ...options }).then(
				() => 'restored',
				(error: Error) => error.message,
			);
		expect(await refused(full, { to: plain.config() })).toContain(
			`versioning is not switched on in the bucket of s3://${plain.name}`,
		);
		expect(await plain.keysOf()).toEqual([]);
		const other = await freshBucket();
		await other.put('old');
		await other.remove('old');
		expect(await refused(full, { to: other.config() })).toContain(
			`s3://${other.name} is not empty: it has versions of old`,
		);
		expect(await refused(without, { to: other.config({ prefix: 'x' }) })).toContain('has no versions');
		expect(await refused(full, { to: other.config({ prefix: 'x' }), existing: 'keep' })).toContain('empty bucket only');
		expect(await refused(full, { to: other.config({ prefix: 'x' }), include: ['nothing'] })).toContain(
			'has a name like',
		);
		const dry = await group.restore(full, { to: other.config({ prefix: 'x' }), versions: true, dryRun: true });
		expect([dry.comparison.says, dry.listed]).toEqual([
			'1 object with 2 versions of 2 B and 0 delete markers would be restored',
			['x/a'],
		]);
		expect(await other.versions()).toHaveLength(2);
	});

	it('names what has become otherwise, such as a version that somebody else wrote', async () => {
		await change('a', '1');
		await change('a', '2');
		const full = await group.back();
		const other = await freshBucket();
		let puts = 0;
		proxy.let(({ method, url }) => {
			if (method === 'PUT' && url.startsWith(`/${other.name}/a`) && ++puts === 2) {
				void other.put('a', { bytes: 'theirs' });
				return 'cut';
			}
			return 'pass';
		});
		const to = other.config({ endpoint: proxy.endpoint });
		const { comparison } = await group.restore(full, { to, versions: true });
		expect(comparison).toMatchObject({
			ok: false,
			differences: [{ item: 'a', expected: expect.stringMatching(/^2 versions/) as string }],
		});
	});
});

describe('rights', () => {
	it('to list and to read versions are needed, and the error and the test of the credential name them', async () => {
		const user = await server().makeUser();
		await change('a', '1');
		await change('a', '2');
		const asUser = bucket.config({ accessKey: user.accessKey, secretKey: user.secretKey });
		const READ = ['s3:ListBucket', 's3:GetObject', 's3:GetObjectTagging'];
		const VERSIONS = ['s3:ListBucketVersions', 's3:GetObjectVersion', 's3:GetObjectVersionTagging'];
		const allow = async (actions: readonly string[]) => {
			const all = [`arn:aws:s3:::${bucket.name}`, `arn:aws:s3:::${bucket.name}/*`];
			const statement = {
				Principal: { AWS: [`arn:aws:iam:::user/${user.id}`] },
				Effect: 'Allow',
				Action: actions,
				Resource: all,
			};
			await bucket.client.setBucketPolicy(
				bucket.name,
				JSON.stringify({ Version: '2012-10-17', Statement: [statement] }),
			);
		};
		for (const [actions, message] of [
			[READ, 'cannot list the versions of'],
			[[...READ, VERSIONS[0]!], 'cannot read s3://'],
		] as const) {
			await allow(actions);
			const error = (await group.back({ bucket: asUser }).catch((thrown: unknown) => thrown)) as BackupError;
			expect([error.code, error.message]).toEqual(['access-denied', expect.stringContaining(message)]);
			expect(error.hint).toContain('s3:ListBucketVersions');
			expect(await checkBucket(asUser)).toMatchObject({
				ok: true,
				message: expect.stringContaining(
					'but not its versions: to back these up too, allow the key s3:ListBucketVersions',
				) as string,
			});
		}
		await allow([...READ, ...VERSIONS]);
		expect((await group.back({ bucket: asUser })).manifest).toMatchObject({ status: 'whole', warnings: [] });
		expect((await checkBucket(asUser)).message).toBe(
			`s3://${bucket.name} can be listed and read, with its versions; nothing was written`,
		);
	});
});
