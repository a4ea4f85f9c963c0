/** Locks on objects of a bucket: which requests make them, and what becomes of servers and keys that cannot. */
import { Readable } from 'node:stream';
import { S3Storage, type S3Options } from '../../../core/storage/s3/s3';
import type { Protection } from '../../../core/storage/storage';
import { sharedS3 } from '../../support/s3';
import { S3Proxy } from '../../support/s3-proxy';
import { randomStream } from '../conformance';
import { FAST, MIB } from './subject';

const server = sharedS3();
let proxy: S3Proxy;
let bucket: string;
const open: S3Storage[] = [];
beforeAll(async () => {
	proxy = await S3Proxy.start(server().endpoint);
});
afterAll(() => proxy?.stop());
beforeEach(async () => {
	bucket = await server().makeLockBucket();
	proxy.let(() => 'pass');
	proxy.seen.length = 0;
});
afterEach(async () => {
	// Nothing here may ever lift a lock.
	expect(proxy.seen.filter(({ headers }) => 'x-amz-bypass-governance-retention' in headers)).toEqual([]);
	await Promise.all(open.splice(0).map((storage) => storage.close()));
});

/** Through the proxy. */
function storage(more: Partial<S3Options> = {}): S3Storage {
	const made = new S3Storage(server().options(bucket, { ...FAST, endpoint: proxy.endpoint, ...more }));
	open.push(made);
	return made;
}

const requests = () =>
	proxy.seen.map(({ method, url }) => `${method} ${url.replace(/^[^?]*\??/, '').replace(/=[^&]*/g, '')}`.trim());
const inSeconds = (seconds: number, mode: Protection['mode'] = 'governance'): Protection => ({
	until: new Date(Date.now() + seconds * 1_000),
	mode,
});
const modeOf = async (key: string) => (await server().client().getObjectRetention(bucket, key))?.mode;
const names = async () => (await server().versions(bucket)).map((name) => name.replace(/@\S+/, ''));

describe('writing', () => {
	it.each([
		['one request', 10, (url: string, method: string) => method === 'PUT' && !url.includes('?')],
		['parts', 11 * MIB, (url: string) => url.endsWith('?uploads')],
	])('sends the lock with the object in %s, rounded up to the second', async (_, size, isMaking) => {
		const protect: Protection = { until: new Date(Date.now() + 60_000), mode: 'compliance' };
		await storage().write('a', randomStream(size), { protect });
		const locked = proxy.seen.filter(({ headers }) => 'x-amz-object-lock-mode' in headers);
		expect(locked.map(({ url, method }) => isMaking(url, method))).toEqual([true]);
		const { headers } = locked[0]!;
		expect(headers['x-amz-object-lock-mode']).toBe('COMPLIANCE');
		const sent = String(headers['x-amz-object-lock-retain-until-date']);
		expect(sent).toMatch(/:\d\d\.000Z$/);
		expect(new Date(sent).getTime()).toBe(Math.ceil(protect.until.getTime() / 1_000) * 1_000);
	});

	it('locks an object of parts itself, because this server takes the headers and forgets them', async () => {
		const until = inSeconds(60);
		await storage().write('small', randomStream(10), { protect: until });
		expect(requests()).not.toContain('PUT retention&versionId');
		await storage().write('large', randomStream(11 * MIB), { protect: until });
		// When a newer server keeps the lock by itself, this says so.
		expect(requests()).toContain('PUT retention&versionId');
		await expect(storage().remove('large')).rejects.toMatchObject({ code: 'protected' });
	});

	it('asks once whether the bucket has locks, and only for objects that want one', async () => {
		const subject = storage();
		await subject.write('a', randomStream(1));
		expect(requests()).not.toContain('GET object-lock');
		await subject.write('b', randomStream(1), { protect: inSeconds(60) });
		await subject.write('c', randomStream(1), { protect: inSeconds(60) });
		expect(requests().filter((request) => request === 'GET object-lock')).toHaveLength(1);
	});

	it.each([undefined, 'Enabled'] as const)(
		'refuses in a bucket without locks (versions: %s), before anything but the question is sent',
		async (Status) => {
			bucket = await server().makeBucket();
			if (Status) await server().client().setBucketVersioning(bucket, { Status });
			const subject = storage();
			for (let i = 0; i < 2; i++) {
				const body = randomStream(11 * MIB);
				await expect(subject.write('a', body, { protect: inSeconds(60) })).rejects.toMatchObject({
					code: 'unsupported',
					hint: expect.stringContaining('made with Object Lock'),
				});
				expect(body.destroyed).toBe(true);
			}
			expect(requests()).toEqual(['GET object-lock']);
		},
	);

	it('takes nothing for protected that the server does not keep so, and removes it', async () => {
		proxy.let(({ method, url }) => {
			const isLocking = method === 'PUT' && url.includes('retention');
			if (isLocking) return { status: 200 };
			return url.includes('retention') ? { status: 404, code: 'NoSuchObjectLockConfiguration' } : 'pass';
		});
		await expect(storage().write('a', randomStream(11 * MIB), { protect: inSeconds(60) })).rejects.toMatchObject({
			code: 'unsupported',
		});
		expect(await names()).toEqual([]);
	});

	it('names the permissions when the key may not ask for locks', async () => {
		proxy.let(({ url }) => (url.includes('object-lock') ? { status: 403, code: 'AccessDenied' } : 'pass'));
		await expect(storage().write('a', randomStream(1), { protect: inSeconds(60) })).rejects.toMatchObject({
			code: 'access-denied',
			hint: expect.stringMatching(/s3:GetBucketObjectLockConfiguration.*s3:PutObjectRetention/),
		});
		expect(await names()).toEqual([]);
	});

	it('believes the server when the key may lock but not look', async () => {
		proxy.let(({ url, method }) =>
			method === 'GET' && url.includes('retention') ? { status: 403, code: 'AccessDenied' } : 'pass',
		);
		await storage().write('a', randomStream(1), { protect: inSeconds(60) });
		expect(await modeOf('a')).toBe('GOVERNANCE');
	});

	it('asks again for the locks of the bucket when the answer was lost', async () => {
		let failures = 0;
		proxy.let(({ url }) => (url.includes('object-lock') && failures++ === 0 ? 'cut' : 'pass'));
		await storage().write('a', randomStream(1), { protect: inSeconds(60) });
		expect(failures).toBe(2);
	});
});

describe('extending', () => {
	it('sends nothing when the object is protected for longer already', async () => {
		const subject = storage();
		await subject.write('a', Readable.from(['x']), { protect: inSeconds(120) });
		proxy.seen.length = 0;
		await subject.protection.extend('a', inSeconds(60));
		expect(requests()).toEqual(['GET retention']);
	});

	it('extends the time, and says so, where the server lets nobody but a bypass make governance compliance', async () => {
		const subject = storage();
		await subject.write('a', Readable.from(['x']), { protect: inSeconds(60) });
		const wanted = inSeconds(120, 'compliance');
		await expect(subject.protection.extend('a', wanted)).rejects.toMatchObject({
			code: 'unsupported',
			message: expect.stringContaining('stays in governance mode'),
		});
		expect(await modeOf('a')).toBe('GOVERNANCE');
		expect((await subject.protection.until('a'))!.getTime()).toBeGreaterThanOrEqual(wanted.until.getTime());
	});

	it('makes governance compliance where the server lets it', async () => {
		const subject = storage();
		await subject.write('a', Readable.from(['x']), { protect: inSeconds(60) });
		proxy.let(({ method }) => (method === 'PUT' ? { status: 200 } : 'pass'));
		proxy.seen.length = 0;
		await subject.protection.extend('a', inSeconds(30, 'compliance'));
		expect(requests()).toEqual(['GET retention', 'PUT retention']);
	});

	it('asks only once in a bucket without locks for the times of any number of objects', async () => {
		bucket = await server().makeBucket();
		const subject = storage();
		for (const key of ['a', 'b', 'c']) expect(await subject.protection.until(key)).toBeNull();
		expect(requests()).toEqual(['GET object-lock']);
	});

	it('does not say null when it may not know', async () => {
		proxy.let(() => ({ status: 403, code: 'AccessDenied' }));
		await expect(storage().protection.until('a')).rejects.toMatchObject({
			code: 'access-denied',
			hint: expect.stringContaining('s3:GetObjectRetention'),
		});
	});
});

describe('leftovers', () => {
	it('finds unfinished uploads with their start, over all pages, also several of one name and names like numbers', async () => {
		const since = Date.now();
		const client = server().client();
		const wanted = [...Array.from({ length: 1_030 }, () => 'shop/1/dump'), '007', '1e5', 'shop/2/dump'];
		for (let at = 0; at < wanted.length; at += 15) {
			await Promise.all(
				wanted.slice(at, at + 15).map((name) => client.initiateNewMultipartUpload(bucket, `p/${name}`, {})),
			);
		}
		await client.initiateNewMultipartUpload(bucket, 'p/not a key/', {});
		const found: string[] = [];
		for await (const { key, startedAt } of storage({ prefix: 'p' }).unfinished('')) {
			found.push(key);
			expect(startedAt.getTime()).toBeGreaterThan(since - 2_000);
			expect(startedAt.getTime()).toBeLessThan(Date.now() + 2_000);
		}
		expect(found).toHaveLength(wanted.length);
		expect(found.toSorted()).toEqual(wanted.toSorted());
	}, 120_000);
});
