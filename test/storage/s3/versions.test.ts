/** Buckets that keep versions: what is removed is gone, what is locked stays visible, and nobody else is touched. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { S3Storage, type S3Options } from '../../../core/storage/s3/s3';
import { sharedS3, type S3Keys } from '../../support/s3';
import { S3Proxy } from '../../support/s3-proxy';
import { FAST } from './subject';

const server = sharedS3();
let proxy: S3Proxy;
let bucket: string;
const open: S3Storage[] = [];
beforeAll(async () => {
	proxy = await S3Proxy.start(server().endpoint);
});
afterAll(() => proxy?.stop());
beforeEach(async () => {
	bucket = await server().makeBucket();
	proxy.let(() => 'pass');
	proxy.seen.length = 0;
});
afterEach(async () => {
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
const versioning = async (Status: 'Enabled' | 'Suspended') => {
	await server().client().setBucketVersioning(bucket, { Status });
};
/** Each one is a version of its own, behind the storage's back. */
const put = async (name: string, text = 'x', in_ = bucket) =>
	(await server().client().putObject(in_, name, text)).versionId;
const names = async (in_ = bucket) => (await server().versions(in_)).map((name) => name.replace(/@\S+/, ''));
const textOf = async (key: string) => (await buffer(await storage().read(key))).toString();

describe('requests', () => {
	it('asks once whether there are versions; where there are none, a removal is one request as ever', async () => {
		for (const name of ['a', 'b', 'c', 'd']) await put(name);
		const subject = storage();
		for (const key of ['a', 'b', 'c', 'missing']) await subject.remove(key);
		expect(requests()).toEqual(['GET versioning', 'DELETE', 'DELETE', 'DELETE', 'DELETE']);
		expect(await names()).toEqual(['d']);
	});

	it('asks once for all removals that begin at the same time', async () => {
		const subject = storage();
		await Promise.all(['a', 'b', 'c'].map((key) => subject.remove(key)));
		expect(requests().filter((request) => request === 'GET versioning')).toHaveLength(1);
	});

	it('asks again when the answer was lost', async () => {
		const subject = storage();
		proxy.let(({ number }) => (number === 1 ? 'cut' : 'pass'));
		await expect(subject.remove('a')).rejects.toMatchObject({ code: 'connection-lost' });
		await subject.remove('a');
		expect(requests()).toEqual(['GET versioning', 'GET versioning', 'DELETE']);
	});

	it('takes a server that does not know versions for one that keeps none', async () => {
		await put('a');
		proxy.let(({ url }) => (url.includes('versioning') ? { status: 501 } : 'pass'));
		await storage().remove('a');
		expect(requests()).toEqual(['GET versioning', 'DELETE']);
		expect(await names()).toEqual([]);
	});

	it('writes with three requests, whether the bucket keeps versions or not', async () => {
		await storage().write('a', Readable.from(['x']));
		expect(requests()).toEqual(['HEAD', 'PUT', 'HEAD']);
		proxy.seen.length = 0;
		await versioning('Enabled');
		await storage().write('b', Readable.from(['x']));
		expect(requests()).toEqual(['HEAD', 'PUT', 'GET encoding-type&prefix&versions']);
	});

	it('lists with one request, whether the bucket keeps versions or not', async () => {
		await versioning('Enabled');
		for (const text of ['1', '2', '3']) await put('a', text);
		const sizes: number[] = [];
		for await (const { size } of storage().list('')) sizes.push(size);
		expect(sizes).toEqual([1]);
		expect(requests()).toHaveLength(1);
	});
});

describe('removing', () => {
	it('leaves no version and no delete marker behind', async () => {
		await versioning('Enabled');
		for (const text of ['1', '2', '3']) await put('a', text);
		await server().client().removeObject(bucket, 'a');
		await put('a', '4');
		expect(await names()).toHaveLength(5);
		await storage().remove('a');
		expect(await names()).toEqual([]);
	});

	it('removes what only a delete marker hid', async () => {
		await versioning('Enabled');
		await put('a');
		await server().client().removeObject(bucket, 'a');
		expect(await storage().stat('a')).toBeNull();
		await storage().remove('a');
		expect(await names()).toEqual([]);
	});

	it('never touches names that only begin like the one to remove', async () => {
		await versioning('Enabled');
		const others = ['a/b (1)', 'a/b+', 'a/b-c', 'a/b.json', 'a/b/c', 'a/b2', 'a/bb'];
		for (const name of [...others, 'a/b', 'a', 'a/B']) for (const text of ['1', '2']) await put(name, text);
		await storage().remove('a/b');
		expect(new Set(await names())).toEqual(new Set([...others, 'a', 'a/B']));
		expect(await names()).toHaveLength(2 * (others.length + 2));
		await storage().remove('a/b (1)');
		expect(await names()).not.toContain('a/b (1)');
		expect(await names()).toHaveLength(2 * (others.length + 1));
	});

	it('removes more versions of one key than a page has', async () => {
		await versioning('Enabled');
		for (let at = 0; at < 1_020; at += 15)
			await Promise.all(Array.from({ length: 15 }, (_, i) => put('a', `${at + i}`)));
		for (const text of ['1', '2']) await put('a/b', text);
		expect(await names()).toHaveLength(1_022);
		await storage().remove('a');
		expect(await names()).toEqual(['a/b', 'a/b']);
		expect(requests().filter((request) => request.endsWith('versions')).length).toBeGreaterThan(1);
	}, 120_000);

	it('removes all of it where versioning is paused: the last object and the versions from before', async () => {
		await versioning('Enabled');
		for (const text of ['1', '2']) await put('a', text);
		await versioning('Suspended');
		await put('a', '3');
		await storage().remove('a');
		expect(await names()).toEqual([]);
	});

	it('notices by the answer when versions were switched on meanwhile, and takes the marker back', async () => {
		const subject = storage();
		await subject.remove('other');
		await versioning('Enabled');
		for (const text of ['1', '2']) await put('a', text);
		await subject.remove('a');
		expect(await names()).toEqual([]);
	});
});

describe('writing', () => {
	it('refuses a key whose other version came first, although this server does not heed If-None-Match here', async () => {
		await versioning('Enabled');
		// The other one comes between our look and our request.
		let isFirst = true;
		const subject = storage();
		proxy.let(({ method }) => {
			if (method !== 'HEAD' || !isFirst) return 'pass';
			isFirst = false;
			return { status: 404 };
		});
		await put('a', 'theirs');
		await expect(subject.write('a', Readable.from(['ours']))).rejects.toMatchObject({ code: 'already-exists' });
		expect(await names()).toEqual(['a']);
		expect(await textOf('a')).toBe('theirs');
	});

	it('is the first after a delete marker, whatever it hides', async () => {
		await versioning('Enabled');
		await put('a', 'old');
		await server().client().removeObject(bucket, 'a');
		await storage().write('a', Readable.from(['new']));
		expect(await textOf('a')).toBe('new');
	});

	it('knows its own first version after an answer was lost, and takes the second one back', async () => {
		await versioning('Enabled');
		let failures = 0;
		proxy.let(({ method }) => (method === 'PUT' && failures++ === 0 ? 'lose-answer' : 'pass'));
		expect(await storage().write('a', Readable.from(['ours']))).toMatchObject({ key: 'a', size: 4 });
		expect(failures).toBe(2);
		expect(await names()).toEqual(['a']);
		expect(await textOf('a')).toBe('ours');
	});

	it('does not take the same bytes of somebody else for its own', async () => {
		await versioning('Enabled');
		proxy.let(({ number }) => (number === 1 ? { status: 404 } : 'pass'));
		await put('a', 'same');
		await expect(storage().write('a', Readable.from(['same']))).rejects.toMatchObject({ code: 'already-exists' });
		expect(await names()).toEqual(['a']);
	});
});

describe('keys with fewer permissions', () => {
	/** A key that may do all in the bucket but these. */
	const keyWithout = async (...denied: string[]): Promise<S3Keys> => {
		const user = await server().makeUser();
		const principal = { AWS: [`arn:aws:iam:::user/${user.id}`] };
		const resources = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
		const statements = [
			{ Effect: 'Allow', Principal: principal, Action: ['s3:*'], Resource: resources },
			{ Effect: 'Deny', Principal: principal, Action: denied.map((action) => `s3:${action}`), Resource: resources },
		];
		await server()
			.client()
			.setBucketPolicy(bucket, JSON.stringify({ Version: '2012-10-17', Statement: statements }));
		return user;
	};

	it('removes as ever in a bucket without versions when the key may not ask', async () => {
		const { accessKey, secretKey } = await keyWithout('GetBucketVersioning', 'ListBucketVersions');
		await put('a');
		const subject = storage({ accessKey, secretKey });
		await subject.remove('a');
		expect(await names()).toEqual([]);
		expect(requests()).toEqual(['GET versioning', 'HEAD', 'DELETE']);
	});

	it('sees by the object itself that there are versions when the key may not ask', async () => {
		await versioning('Enabled');
		const { accessKey, secretKey } = await keyWithout('GetBucketVersioning');
		for (const text of ['1', '2']) await put('a', text);
		await storage({ accessKey, secretKey }).remove('a');
		expect(await names()).toEqual([]);
	});

	it('finds the versions from before where versioning is paused and the key may not ask', async () => {
		await versioning('Enabled');
		await put('a', '1');
		await versioning('Suspended');
		await put('a', '2');
		const { accessKey, secretKey } = await keyWithout('GetBucketVersioning');
		await storage({ accessKey, secretKey }).remove('a');
		expect(await names()).toEqual([]);
	});

	it.each([
		[['GetBucketVersioning', 'ListBucketVersions'], /s3:ListBucketVersions/],
		[['DeleteObjectVersion'], /s3:DeleteObjectVersion/],
	])('says what is missing without %j, and hides nothing', async (denied, hint) => {
		await versioning('Enabled');
		await put('a');
		const { accessKey, secretKey } = await keyWithout(...denied);
		await expect(storage({ accessKey, secretKey }).remove('a')).rejects.toMatchObject({
			code: 'access-denied',
			hint: expect.stringMatching(hint),
		});
		expect(await names()).toEqual(['a']);
		expect(await textOf('a')).toBe('x');
	});

	it('writes without the permission to see versions', async () => {
		await versioning('Enabled');
		const { accessKey, secretKey } = await keyWithout('ListBucketVersions');
		const subject = storage({ accessKey, secretKey });
		await subject.write('a', Readable.from(['x']));
		expect((await buffer(await subject.read('a'))).toString()).toBe('x');
	});
});

describe('locked versions', () => {
	const soon = () => new Date(Date.now() + 60_000);
	let client: ReturnType<ReturnType<typeof server>['client']>;
	beforeEach(async () => {
		bucket = await server().makeLockBucket();
		client = server().client();
	});

	it('keeps the object visible when what is locked is its only version', async () => {
		const until = soon();
		await storage().write('a', Readable.from(['x']), { protect: { until, mode: 'governance' } });
		await expect(storage().remove('a')).rejects.toMatchObject({ code: 'protected' });
		expect(await names()).toEqual(['a']);
		expect(await textOf('a')).toBe('x');
		expect(proxy.seen.some(({ headers }) => 'x-amz-bypass-governance-retention' in headers)).toBe(false);
	});

	it('makes a locked object visible again that a delete marker hid', async () => {
		await storage().write('a', Readable.from(['x']), { protect: { until: soon(), mode: 'compliance' } });
		await client.removeObject(bucket, 'a');
		expect(await storage().stat('a')).toBeNull();
		await expect(storage().remove('a')).rejects.toMatchObject({ code: 'protected' });
		expect(await textOf('a')).toBe('x');
		expect(await names()).toEqual(['a']);
	});

	it('removes newer versions, and stops at the locked one, which is visible then', async () => {
		await storage().write('a', Readable.from(['locked']), { protect: { until: soon(), mode: 'governance' } });
		await put('a', 'newer');
		await expect(storage().remove('a')).rejects.toMatchObject({ code: 'protected' });
		expect(await textOf('a')).toBe('locked');
		expect(await names()).toEqual(['a']);
	});

	it('says protected, without a time, when a legal hold is on it', async () => {
		await put('a');
		await Promise.resolve(client.setObjectLegalHold(bucket, 'a', { status: 'ON' }));
		const refusal = await storage()
			.remove('a')
			.catch((error: unknown) => error);
		expect(refusal).toMatchObject({ code: 'protected', message: expect.stringContaining('legal hold') });
		expect(refusal).not.toHaveProperty('details.until');
		expect(await textOf('a')).toBe('x');
		await Promise.resolve(client.setObjectLegalHold(bucket, 'a', { status: 'OFF' }));
		await storage().remove('a');
		expect(await names()).toEqual([]);
	});
});
