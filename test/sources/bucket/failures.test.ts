/** What goes wrong while a bucket is backed up or filled again: rights, connections, objects that change meanwhile. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { BackupError } from '../../../core/base/errors';
import { SMALL_BYTES } from '../../../core/sources/bucket/fetch';
import { BucketGroup, TestBucket } from '../../support/buckets';
import { stopClock } from '../../support/clock';
import { createFolder, removeFolder } from '../../support/folders';
import { type S3User, sharedS3 } from '../../support/s3';
import { S3Proxy } from '../../support/s3-proxy';

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
	folder = createFolder('bucket');
	bucket = new TestBucket(server(), await server().makeBucket());
	group = new BucketGroup(bucket);
	proxy.let(() => 'pass');
	proxy.seen.length = 0;
});
afterEach(() => removeFolder(folder));

const throughProxy = () => bucket.config({ endpoint: proxy.endpoint });
const isRead = (key: string) => (method: string, url: string) =>
	method === 'GET' && url.split('?')[0] === `/${bucket.name}/${key}` && !url.includes('tagging');
const freshBucket = async () => new TestBucket(server(), await server().makeBucket());
const LARGE = SMALL_BYTES + 3 * 1024 * 1024;

/** At the first request of some kind, something is done behind its back; it is cut off, and sent again. */
function meanwhile(isIt: (method: string, url: string) => boolean, what: () => Promise<void>): void {
	let state: 'waiting' | 'doing' | 'done' = 'waiting';
	proxy.let(({ method, url }) => {
		if (!isIt(method, url) || state === 'done') return 'pass';
		if (state === 'waiting') {
			state = 'doing';
			void what().then(() => (state = 'done'));
		}
		return 'cut';
	});
}

describe('objects that change while the archive is made', () => {
	it('are stored as they are read, and named; the next backup reads them again', async () => {
		for (const key of ['a', 'b', 'c']) await bucket.put(key);
		meanwhile(isRead('b'), async () => await bucket.put('b', { bytes: 'another' }));
		const full = await group.back({ bucket: throughProxy() });
		expect(full.manifest).toMatchObject({ status: 'whole', source: { details: { objects: 3 } } });
		expect(full.summary.named).toEqual([{ path: 'b', why: 'replaced' }]);
		expect(full.manifest.warnings).toEqual([
			'1 object replaced while the archive was made: stored as read; the contents name them',
		]);
		expect(await group.verify(full, 'restored')).toBe('ok');
		const other = await freshBucket();
		await group.restore(full, { to: other.config() });
		expect(await other.see()).toEqual(await bucket.see());
		expect((await group.back({ type: 'incremental' })).summary.stored.entries).toBe(1);
		expect((await group.back({ type: 'incremental' })).summary.stored.entries).toBe(0);
	});

	it('are left out and named when they vanish, also those that the backup before has', async () => {
		for (const key of ['a', 'b', 'c']) await bucket.put(key);
		await group.back();
		await bucket.put('b', { bytes: 'changed' });
		meanwhile(isRead('b'), async () => await bucket.remove('b'));
		const second = await group.back({ bucket: throughProxy(), type: 'incremental' });
		expect(second.summary.named).toEqual([{ path: 'b', why: 'vanished' }]);
		expect((await group.index(second)).map(({ type }) => type)).toEqual(['gone']);
		expect(await group.verify(second, 'restored')).toBe('ok');
	});

	it('are stored and named when they appear before their place was passed', async () => {
		await bucket.put('a');
		meanwhile(
			(method, url) => method === 'GET' && url.includes('max-keys=1000'),
			async () => {
				await new Promise((resolve) => setTimeout(resolve, 1010));
				await bucket.put('new');
			},
		);
		const full = await group.back({ bucket: throughProxy() });
		expect(full.summary.named).toEqual([{ path: 'new', why: 'added' }]);
		expect(full.manifest.source.details).toMatchObject({ objects: 2 });
	});

	it('are begun anew when they are large, and by hand the last one counts', async () => {
		const [first, second] = [randomBytes(LARGE), randomBytes(LARGE - 1)];
		await bucket.put('large', { bytes: first });
		await bucket.put('z');
		let reads = 0;
		proxy.let(({ method, url }) => {
			if (!isRead('large')(method, url)) return 'pass';
			if (++reads === 1) {
				void bucket.put('large', { bytes: second });
				return { cutAfter: SMALL_BYTES };
			}
			return 'pass';
		});
		const full = await group.back({ bucket: throughProxy() });
		expect(full.summary.named).toEqual([{ path: 'large', why: 'replaced' }]);
		expect(await group.verify(full, 'restored')).toBe('ok');
		await group.restoreByTar(full, path.join(folder, 'out'));
		expect(fs.readFileSync(path.join(folder, 'out/large')).equals(second)).toBe(true);
		const other = await freshBucket();
		expect((await group.restore(full, { to: other.config() })).comparison.ok).toBe(true);
		expect(await other.see()).toEqual(await bucket.see());
	});

	it('make it incomplete when they are never the same for long enough', async () => {
		await bucket.put('large', { bytes: randomBytes(LARGE) });
		await bucket.put('z');
		proxy.let(({ method, url, headers }) => {
			if (!isRead('large')(method, url)) return 'pass';
			return headers['if-match'] ? { status: 412, code: 'PreconditionFailed' } : { cutAfter: 100_000 };
		});
		const full = await group.back({ bucket: throughProxy() });
		expect(full.manifest.status).toBe('incomplete');
		expect(full.summary.named).toEqual([{ path: 'large', why: 'changed' }]);
		expect(await group.verify(full, 'restored')).toBe('ok');
	});
});

describe('a connection that breaks', () => {
	it('goes on where it broke, and a busy server is asked again', async () => {
		const bytes = randomBytes(LARGE);
		await bucket.put('large', { bytes });
		for (let number = 0; number < 40; number++) await bucket.put(`small/${number}`);
		// By address: of all requests, those of one address could be refused again and again.
		const asked = new Map<string, number>();
		proxy.let(({ method, url, headers, number }) => {
			if (isRead('large')(method, url) && headers.range === undefined) return { cutAfter: SMALL_BYTES };
			const times = (asked.get(url) ?? 0) + 1;
			asked.set(url, times);
			if (times > 2) return 'pass';
			return number % 5 === 0 ? { status: 503, code: 'SlowDown' } : number % 7 === 0 ? 'cut' : 'pass';
		});
		const full = await group.back({ bucket: throughProxy() });
		expect(full.manifest).toMatchObject({ status: 'whole', warnings: [] });
		expect(proxy.seen.some(({ headers }) => /^bytes=\d+-$/.test(headers.range ?? ''))).toBe(true);
		expect(await group.verify(full, 'restored')).toBe('ok');
	});

	it('that stays broken fails the backup, and leaves nothing behind', async () => {
		for (let number = 0; number < 40; number++) await bucket.put(`small/${number}`);
		proxy.let(({ url }) => (url.includes('small/17') ? 'cut' : 'pass'));
		await expect(group.back({ bucket: throughProxy() })).rejects.toMatchObject({ code: 'connection-lost' });
		const left: string[] = [];
		for await (const { key } of group.storage.list('bucket')) left.push(key);
		expect(left).toEqual([]);
	});

	it('is given up when the run is cancelled', async () => {
		for (let number = 0; number < 3; number++) await bucket.put(`small/${number}`);
		const stop = new AbortController();
		proxy.let(({ url }) => {
			if (!url.includes('small/1')) return 'pass';
			setTimeout(() => stop.abort(), 50);
			return 'hang';
		});
		const started = performance.now();
		await expect(group.back({ bucket: throughProxy(), request: { signal: stop.signal } })).rejects.toMatchObject({
			code: 'cancelled',
		});
		expect(performance.now() - started).toBeLessThan(5000);
	});
});

describe('a server', () => {
	it('that has no tags is no reason for a warning', async () => {
		await bucket.put('a');
		proxy.let(({ url }) => (url.includes('tagging') ? { status: 501, code: 'NotImplemented' } : 'pass'));
		const full = await group.back({ bucket: throughProxy() });
		expect(full.manifest).toMatchObject({ status: 'whole', warnings: [] });
	});

	it('that keeps an object in a cold storage class makes the backup incomplete, and names it', async () => {
		for (const key of ['a', 'cold']) await bucket.put(key);
		proxy.let(({ url }) => (url.includes('/cold') ? { status: 403, code: 'InvalidObjectState' } : 'pass'));
		const full = await group.back({ bucket: throughProxy() });
		expect(full.manifest).toMatchObject({
			status: 'incomplete',
			warnings: [expect.stringContaining('1 object could not')],
		});
		expect(full.summary.named).toEqual([{ path: 'cold', why: 'unreadable' }]);
	});

	it('that lists in another order, or something else, is refused', async () => {
		await bucket.put('a');
		const listing = (keys: string[]) =>
			`<ListBucketResult>${keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join('')}</ListBucketResult>`;
		for (const body of [listing(['b', 'a']), listing(['a', 'a']), '<html></html>']) {
			proxy.let(({ url }) => (url.includes('max-keys=1000') ? { status: 200, body } : 'pass'));
			await expect(group.back({ bucket: throughProxy() })).rejects.toMatchObject({ code: 'unsupported' });
		}
	});
});

describe('rights', () => {
	const READ = ['s3:ListBucket', 's3:GetObject', 's3:GetObjectTagging'];
	let user: S3User;
	beforeAll(async () => {
		user = await server().makeUser();
	});

	/** What the user may do with a bucket that belongs to somebody else. */
	async function allow(
		of: TestBucket,
		actions: readonly string[],
		{ denied = READ, key }: { denied?: readonly string[]; key?: string } = {},
	): Promise<void> {
		const common = { Principal: { AWS: [`arn:aws:iam:::user/${user.id}`] } };
		const all = [`arn:aws:s3:::${of.name}`, `arn:aws:s3:::${of.name}/*`];
		const statements = [
			...(actions.length > 0 ? [{ ...common, Effect: 'Allow', Action: actions, Resource: all }] : []),
			...(key ? [{ ...common, Effect: 'Deny', Action: denied, Resource: [`${all[0]}/${key}`] }] : []),
		];
		const policy = JSON.stringify({ Version: '2012-10-17', Statement: statements });
		if (statements.length > 0) await of.client.setBucketPolicy(of.name, policy);
	}

	const { accessKey, secretKey } = { accessKey: () => user.accessKey, secretKey: () => user.secretKey };
	const asUser = (of: TestBucket) => of.config({ accessKey: accessKey(), secretKey: secretKey() });
	const failure = async (work: Promise<unknown>): Promise<BackupError> => {
		const error: unknown = await work.catch((thrown: unknown) => thrown);
		expect(error).toBeInstanceOf(BackupError);
		return error as BackupError;
	};

	it('to list are needed, and the error says all that are', async () => {
		await bucket.put('a');
		for (const actions of [[], ['s3:GetObject']]) {
			await allow(bucket, actions);
			const { code, message, hint } = await failure(group.back({ bucket: asUser(bucket) }));
			expect([code, message]).toEqual(['access-denied', expect.stringContaining(`cannot list s3://${bucket.name}`)]);
			expect(hint).toContain('s3:ListBucket');
			expect(hint).toContain('s3:GetObjectTagging');
		}
	});

	it('to read are needed: a backup in which nothing could be read is none', async () => {
		for (const key of ['a', 'b']) await bucket.put(key);
		await allow(bucket, ['s3:ListBucket']);
		const { code, message } = await failure(group.back({ bucket: asUser(bucket) }));
		expect([code, message]).toEqual(['access-denied', expect.stringContaining(`cannot read s3://${bucket.name}/`)]);
	});

	it('that are missing for one object make the backup incomplete, and what the backup before has of it stays', async () => {
		for (const key of ['a', 'b', 'c']) await bucket.put(key);
		await allow(bucket, READ);
		expect((await group.back({ bucket: asUser(bucket) })).manifest).toMatchObject({ status: 'whole', warnings: [] });
		await bucket.put('b', { bytes: 'changed' });
		await bucket.put('a', { bytes: 'changed' });
		await allow(bucket, READ, { key: 'b' });
		const second = await group.back({ bucket: asUser(bucket), type: 'incremental' });
		expect(second.manifest).toMatchObject({
			status: 'incomplete',
			source: { details: { objects: 3, storedObjects: 1 } },
		});
		expect(second.summary.named).toEqual([{ path: 'b', why: 'unreadable' }]);
		const other = await freshBucket();
		await group.restore(second, { to: other.config() });
		const sizes = Object.fromEntries((await other.see()).map(({ key, size }) => [key, size]));
		expect(sizes).toEqual({ a: 'changed'.length, b: 'contents of b'.length, c: 'contents of c'.length });
	});

	it('to read tags are needed: without them, the backup is incomplete', async () => {
		await bucket.put('a', { tags: { team: 'sales' } });
		await bucket.put('b');
		await allow(bucket, ['s3:ListBucket', 's3:GetObject']);
		const full = await group.back({ bucket: asUser(bucket) });
		expect(full.manifest.status).toBe('incomplete');
		expect(full.manifest.warnings).toEqual([
			'the tags of objects could not be read, and are not in the backup: allow the key s3:GetObjectTagging, then make a full backup',
		]);
	});

	it('to write are needed where a bucket is filled again, and the error says all that are', async () => {
		await bucket.put('a', { tags: { team: 'sales' } });
		const full = await group.back();
		for (const [actions, denied, message] of [
			[READ, [], 'cannot write'],
			// Who has made an object owns it, and may do anything else with it.
			[[...READ, 's3:PutObject'], ['s3:PutObjectTagging'], 'cannot tag'],
			[[...READ, 's3:PutObject'], ['s3:GetObject'], 'cannot read'],
		] as const) {
			const other = await freshBucket();
			await allow(other, actions, denied.length > 0 ? { denied, key: '*' } : {});
			const found = await failure(group.restore(full, { to: asUser(other) }));
			expect([found.code, found.message]).toEqual(['access-denied', expect.stringContaining(message)]);
			expect(found.hint).toContain('s3:PutObjectTagging');
		}
	});

	it('of keys that are wrong, and of a bucket that is not there, are told as such', async () => {
		const wrong = bucket.config({ secretKey: 'wrong'.repeat(8) });
		expect(await failure(group.back({ bucket: wrong }))).toMatchObject({ code: 'wrong-credentials' });
		const missing = bucket.config({ bucket: 'no-such-bucket-1' });
		expect(await failure(group.back({ bucket: missing }))).toMatchObject({ code: 'bucket-not-found' });
		await bucket.put('a');
		const full = await group.back();
		expect(await failure(group.restore(full, { to: missing }))).toMatchObject({ code: 'bucket-not-found' });
	});
});

describe('a restore into a bucket', () => {
	it('writes nothing over what is there, unless told to: keeps it, or replaces it', async () => {
		for (const key of ['a', 'b', 'c']) await bucket.put(key);
		const full = await group.back();
		await bucket.put('b', { bytes: 'newer' });
		await bucket.remove('c');
		const before = await bucket.see();
		const to = bucket.config();
		await expect(group.restore(full, { to })).rejects.toMatchObject({
			code: 'already-exists',
			message: expect.stringContaining(`2 of 3 objects are there already: s3://${bucket.name}/a, …`),
		});
		const dry = await group.restore(full, { to, existing: 'keep', dryRun: true });
		expect([dry.comparison.says, dry.listed]).toEqual(['1 object of 13 B would be restored', ['c']]);
		expect(await bucket.see()).toEqual(before);
		const kept = await group.restore(full, { to, existing: 'keep' });
		expect(kept.comparison).toMatchObject({ ok: true, figures: { objects: 1, kept: 2 } });
		expect(kept.warnings).toEqual(['2 of 3 objects are there already, and stay as they are']);
		const sizes = async () => (await bucket.see()).map(({ size }) => size);
		expect(await sizes()).toEqual([13, 5, 13]);
		await group.restore(full, { to, existing: 'replace' });
		expect(await sizes()).toEqual([13, 13, 13]);
	});

	it('does not replace an object that somebody makes meanwhile, and says how far it is', async () => {
		for (const key of ['a', 'b']) await bucket.put(key);
		const full = await group.back();
		const other = await freshBucket();
		meanwhile(
			(method, url) => method === 'PUT' && url.startsWith(`/${other.name}/b`),
			async () => await other.put('b', { bytes: 'theirs' }),
		);
		const error = (await group
			.restore(full, { to: other.config({ endpoint: proxy.endpoint }) })
			.catch((thrown: unknown) => thrown)) as BackupError;
		expect(error).toMatchObject({ code: 'already-exists' });
		expect(error.hint).toContain('1 object that was restored before stays, whole.');
		expect((await other.see()).map(({ size }) => size)).toEqual([13, 6]);
	});

	it('names what a server keeps otherwise than it was given', async () => {
		await bucket.put('a', { meta: { 'Cache-Control': 'no-store', 'X-Amz-Meta-A': '1' } });
		const full = await group.back();
		const other = await freshBucket();
		proxy.let(({ method, url }) => {
			if (method !== 'GET' || !url.startsWith(`/${other.name}/a`)) return 'pass';
			return { status: 200, headers: { 'content-length': '5', 'cache-control': 'no-store' }, body: 'wrong' };
		});
		const { comparison } = await group.restore(full, { to: other.config({ endpoint: proxy.endpoint }) });
		expect(comparison).toMatchObject({ ok: false, says: '1 of 1 object of 13 B differ' });
		expect(comparison.differences.map(({ item, expected }) => [item, expected.split(' ')[0]])).toEqual([
			['a', 'SHA-256'],
			['a', 'content-type:'],
			['a', 'x-amz-meta-a:'],
		]);
	});

	it('restores large objects in parts, from a chain, and only what patterns name', async () => {
		const bytes = randomBytes(LARGE);
		await bucket.put('videos/large', { bytes, meta: { 'Content-Type': 'video/mp4' } });
		await bucket.put('other');
		await group.back();
		await bucket.put('videos/small');
		const second = await group.back({ type: 'incremental' });
		const other = await freshBucket();
		const { comparison } = await group.restore(second, { to: other.config(), include: ['/videos/'] });
		expect(comparison).toMatchObject({ ok: true, figures: { objects: 2, bytes: LARGE + 24 } });
		expect(await other.see()).toEqual((await bucket.see()).filter(({ key }) => key !== 'other'));
		await expect(group.restore(second, { to: other.config(), include: ['nothing'] })).rejects.toMatchObject({
			code: 'not-found',
		});
	});
});
