/** What is special about S3: the traps of the client library, time-outs, repeated requests, bounded memory, addresses. */
import dns from 'node:dns';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { limitStorage } from '../../../core/storage/limited';
import { S3Storage, type S3Options } from '../../../core/storage/s3/s3';
import { S3Bucket } from '../../../core/storage/s3/bucket';
import { S3Connection } from '../../../core/storage/s3/connection';
import { pageOfObjects } from '../../../core/storage/s3/listing';
import { PartMemory, partSizeOf } from '../../../core/storage/s3/part';
import { plain } from '../../../core/storage/s3/text';
import { sharedS3 } from '../../support/s3';
import { type Fate, S3Proxy, type SeenRequest } from '../../support/s3-proxy';
import { until } from '../../support/until';
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

const methods = () =>
	proxy.seen.map(({ method, url }) => `${method} ${url.replace(/^[^?]*\??/, '').replace(/=[^&]*/g, '')}`.trim());
const isPart = (url: string) => url.includes('partNumber=');
const keys = async (of: S3Storage) => {
	const found: string[] = [];
	for await (const { key } of of.list('')) found.push(key);
	return found;
};
const names = async () =>
	((await server().client().listObjects(bucket, '', true).toArray()) as { name: string }[]).map(({ name }) => name);

describe('traps of the client library', () => {
	it('does not hang when the source fails, and aborts the upload', async () => {
		const error = new Error('source failed');
		const body = Readable.from(
			(async function* () {
				yield randomBytes(16 * MIB);
				throw error;
			})(),
			{ objectMode: false },
		);
		await expect(storage().write('key', body)).rejects.toBe(error);
		expect(methods().at(-1)).toBe('DELETE uploadId');
		expect(await server().unfinished(bucket)).toEqual([]);
	});

	it('does not go on with an abandoned upload of the same key', async () => {
		const client = server().client();
		const abandoned = await client.initiateNewMultipartUpload(bucket, 'key', { 'x-amz-meta-of': 'somebody else' });
		await storage().write('key', randomStream(11 * MIB));
		expect((await client.statObject(bucket, 'key')).metaData).not.toHaveProperty('of');
		const left = (await client.listIncompleteUploadsQuery(bucket, '', '', '', '')).uploads;
		expect(left.map(({ uploadId }) => uploadId)).toEqual([abandoned]);
	});

	it('gives parallel uploads of one key an upload each, so that they do not mix', async () => {
		const bodies = [Buffer.alloc(11 * MIB, 'a'), Buffer.alloc(11 * MIB, 'b')];
		const subject = storage();
		await Promise.allSettled(
			bodies.map((bytes) => subject.write('key', Readable.from([bytes], { objectMode: false }))),
		);
		const ids = new Set(proxy.seen.flatMap(({ url }) => /uploadId=([^&]+)/.exec(url)?.[1] ?? []));
		expect(ids.size).toBe(2);
		const kept = await buffer(await subject.read('key'));
		expect(bodies.some((bytes) => bytes.equals(kept))).toBe(true);
	});

	it('holds no more than the parts in flight of a stream of unknown size', async () => {
		const memory = new PartMemory(5 * 5 * MIB);
		await storage({ memory }).write('key', randomStream(150 * MIB));
		expect(memory.peakBytes).toBe(25 * MIB);
	});

	it('sends parts in parallel', async () => {
		// None of them is answered, so that every part that is sent without waiting for another one shows up here.
		proxy.let(({ url }) => (isPart(url) ? 'hang' : 'pass'));
		const abort = new AbortController();
		const writing = storage({ concurrency: 3 }).write('key', randomStream(60 * MIB), { signal: abort.signal });
		while (proxy.seen.filter(({ url }) => isPart(url)).length < 3) await turn();
		abort.abort();
		await expect(writing).rejects.toMatchObject({ code: 'cancelled' });
	});

	it('never needs more parts than S3 allows, up to 5 TiB', () => {
		for (const partSize of [5 * MIB, 8 * MIB, 64 * MIB]) {
			let total = 0;
			for (let number = 1; number <= 10_000; number++) total += partSizeOf(number, partSize, 10_000);
			expect(total).toBeGreaterThan(partSize === 5 * MIB ? 4.8 * 1024 ** 4 : 5 * 1024 ** 4);
		}
		expect(partSizeOf(1_000, 8 * MIB, 10_000)).toBe(8 * MIB);
		expect(partSizeOf(10_000, 64 * MIB, 10_000)).toBeLessThanOrEqual(5 * 1024 ** 3);
	});

	it('lets parts grow with the object where a provider allows few, and refuses what cannot fit', async () => {
		const sizes: number[] = [];
		proxy.let(({ url, headers }) => {
			if (isPart(url)) sizes.push(Number(headers['content-length']) / MIB);
			return 'pass';
		});
		await storage({ maxParts: 10 }).write('grows', randomStream(30 * MIB));
		expect(sizes.sort((a, b) => a - b)).toEqual([5, 10, 15]);
		const subject = storage({ maxParts: 10, uniformParts: true });
		await expect(subject.write('too-large', randomStream(56 * MIB))).rejects.toMatchObject({ code: 'unsupported' });
		expect(await names()).toEqual(['grows']);
		expect(await server().unfinished(bucket)).toEqual([]);
	});

	it('keeps all parts the same size where a provider demands it', async () => {
		const sizes = new Set<number>();
		proxy.let(({ url, headers }) => {
			if (isPart(url)) sizes.add(Number(headers['content-length']) / MIB);
			return 'pass';
		});
		await storage({ uniformParts: true, maxParts: 10 }).write('key', randomStream(30 * MIB));
		expect([...sizes]).toEqual([5]);
	});

	it('creates small objects by one request on the condition that there is none', async () => {
		await storage().write('key', randomStream(5 * MIB));
		expect(methods()).toEqual(['HEAD', 'PUT', 'HEAD']);
		expect(proxy.seen[1]?.headers['if-none-match']).toBe('*');
	});

	it('takes the server’s refusal for already-exists when another writer was faster', async () => {
		proxy.let(({ method, number }) => (method === 'HEAD' && number === 1 ? { status: 404 } : 'pass'));
		await server().client().putObject(bucket, 'key', 'first');
		await expect(storage().write('key', Readable.from(['second']))).rejects.toMatchObject({ code: 'already-exists' });
		expect((await buffer(await storage().read('key'))).toString()).toBe('first');
	});

	it('looks again before it joins the parts, and sends the condition for servers that know it', async () => {
		const subject = storage();
		await subject.write('key', randomStream(11 * MIB));
		expect(methods().slice(-3)).toEqual(['HEAD', 'POST uploadId', 'HEAD']);
		expect(proxy.seen.at(-2)?.headers['if-none-match']).toBe('*');
		const body = Readable.from(
			(async function* () {
				yield randomBytes(11 * MIB);
				await server().client().putObject(bucket, 'raced', 'first');
			})(),
			{ objectMode: false },
		);
		await expect(subject.write('raced', body)).rejects.toMatchObject({ code: 'already-exists' });
		expect((await buffer(await subject.read('raced'))).toString()).toBe('first');
		expect(await server().unfinished(bucket)).toEqual([]);
	});

	const isConditional = ({ headers }: SeenRequest) => headers['if-none-match'] !== undefined;
	const refuses = (request: SeenRequest) =>
		isConditional(request) ? ({ status: 501, code: 'NotImplemented' } as const) : 'pass';

	it('does without the condition where the server refuses it, and does not send it again', async () => {
		const subject = storage();
		proxy.let(refuses);
		await subject.write('key', Readable.from(['x']));
		await subject.write('another', Readable.from(['x']));
		await subject.write('large', randomStream(11 * MIB));
		expect(proxy.seen.filter(isConditional)).toHaveLength(1);
		await expect(subject.write('key', Readable.from(['y']))).rejects.toMatchObject({ code: 'already-exists' });
		expect((await buffer(await subject.read('key'))).toString()).toBe('x');
	});

	it('joins parts without the condition where the server refuses it', async () => {
		proxy.let(refuses);
		await storage().write('large', randomStream(11 * MIB));
		expect(proxy.seen.filter(isConditional)).toHaveLength(1);
		expect(await storage().stat('large')).toMatchObject({ size: 11 * MIB });
	});

	it('takes a refusal for one of something else where it comes without the condition too', async () => {
		const subject = storage();
		proxy.let(({ method }) => (method === 'PUT' ? { status: 501, code: 'NotImplemented' } : 'pass'));
		await expect(subject.write('key', Readable.from(['x']))).rejects.toMatchObject({
			...{ code: 'unsupported', hint: expect.stringContaining('server-side encryption') as string },
		});
		proxy.let(() => 'pass');
		await subject.write('key', Readable.from(['x']));
		expect(proxy.seen.filter(isConditional)).toHaveLength(2);
	});

	it.each([
		['kept', 'pass'],
		['refused', { status: 501, code: 'NotImplemented' }],
		['ignored', { status: 200, headers: { etag: '"x"' } }],
	] as const)('finds out that the condition is %s', async (found, fate) => {
		const subject = storage();
		await subject.write('key', Readable.from(['x']));
		proxy.let(() => fate);
		expect(await subject.onlyIfAbsent('key')).toBe(found);
	});

	it('tells no answer to that from another failure', async () => {
		const subject = storage();
		await subject.write('key', Readable.from(['x']));
		proxy.let(() => ({ status: 403, code: 'AccessDenied' }));
		await expect(subject.onlyIfAbsent('key')).rejects.toMatchObject({ code: 'access-denied' });
	});

	it('takes versions for as good as the condition, where they can be seen', async () => {
		const kept = await server().makeBucket();
		await server().client().setBucketVersioning(kept, { Status: 'Enabled' });
		const subject = storage({ bucket: kept });
		await subject.write('key', Readable.from(['x']));
		expect(await subject.onlyIfAbsent('key')).toBe('kept');
		await subject.remove('key');
		await subject.write('key', Readable.from(['x']));
		const ignores = ({ method }: SeenRequest): Fate =>
			method === 'PUT' ? { status: 200, headers: { 'x-amz-version-id': 'two' } } : 'pass';
		proxy.let(ignores);
		// The server of this answer has made nothing: its version is not among those that there are.
		expect(await subject.onlyIfAbsent('key')).toBe('ignored');
		await server().client().putObject(kept, 'key', 'over it');
		expect(await subject.onlyIfAbsent('key')).toBe('kept');
		proxy.let((request) =>
			request.url.includes('versions') ? { status: 403, code: 'AccessDenied' } : ignores(request),
		);
		expect(await subject.onlyIfAbsent('key')).toBe('ignored');
	});

	it('sends a checksum of every byte', async () => {
		await storage().write('key', randomStream(11 * MIB));
		const withBody = proxy.seen.filter(({ method }) => method === 'PUT');
		expect(withBody.every(({ headers }) => headers['content-md5'])).toBe(true);
		expect(withBody).toHaveLength(3);
	});

	it('does not let the client repeat requests, nor print', async () => {
		const warn = jest.spyOn(console, 'warn');
		proxy.let(() => ({ status: 503, code: 'SlowDown' }));
		await expect(storage().remove('key')).rejects.toMatchObject({ code: 'storage-failed' });
		expect(proxy.seen).toHaveLength(1);
		expect(warn).not.toHaveBeenCalled();
	});

	it('lists keys that look like numbers, and goes on after them on the next page', async () => {
		const wanted = Array.from({ length: 1_005 }, (_, i) => `00${i}`).sort();
		const client = server().client();
		for (let at = 0; at < wanted.length; at += 15) {
			await Promise.all(wanted.slice(at, at + 15).map((key) => client.putObject(bucket, key, '')));
		}
		const listed: string[] = [];
		for await (const { key } of storage().list('')) listed.push(key);
		expect(listed).toEqual(wanted);
	});

	it('leaves out objects of others whose names are no keys', async () => {
		for (const name of ['folder/', 'a//b', '.hidden', 'good']) await server().client().putObject(bucket, name, 'x');
		const listed: string[] = [];
		for await (const { key } of storage().list('')) listed.push(key);
		expect(listed).toEqual(['good']);
	});
});

describe('listings', () => {
	it('go on after a name of somebody else’s that has to be encoded, whatever is in it', async () => {
		const odd = ['a&b<c>"d\'', 'a%41+b', 'a//b/', 'ä ö/%', 'a'];
		const client = server().client();
		for (const name of odd) await client.putObject(bucket, name, 'x');
		const seen: string[] = [];
		const requests = new S3Connection(server().options(bucket, { endpoint: proxy.endpoint }));
		try {
			const inBucket = new S3Bucket(requests, bucket, null, {});
			for (let after = '', more = true; more; after = seen.at(-1)!) {
				const page = await pageOfObjects(inBucket, '', { after, limit: 1 });
				seen.push(...page.items.map(({ name }) => name));
				more = page.isTruncated;
			}
		} finally {
			requests.close();
		}
		expect(seen.sort()).toEqual(odd.sort());
	});

	it('are read of servers that encode names as XML does, and only so', async () => {
		const entry = (name: string) =>
			`<Contents><Key>${name}</Key><Size>3</Size><LastModified>2026-11-20T02:00:00Z</LastModified></Contents>`;
		const names = ['a&amp;b', '50%25', 'c+d', '&#228;&#xF6;%'].map(entry).join('');
		proxy.let(() => ({
			status: 200,
			body: `<?xml version="1.0"?><ListBucketResult>${names}<IsTruncated>false</IsTruncated></ListBucketResult>`,
		}));
		const listed = await keys(storage());
		expect(listed).toEqual(['c+d']); // & and % are in no key of ours
		expect(plain('a&amp;b &#228;&#xF6; &lt;&gt;&quot;&apos; &nbsp; &#x110000;')).toBe('a&b äö <>"\' &nbsp; &#x110000;');
	});

	it.each([
		['a listing', 200, '<?xml version="1.0"?><ListBucketResult>', 'unsupported', /more than 16 MB/],
		['a refusal', 500, '<?xml version="1.0"?><Error>', 'storage-failed', /the server failed/],
	])('are given up when %s never ends, without collecting it', async (_, status, head, code, message) => {
		proxy.let(() => ({ answering: status, endless: `${head}${'<Contents><Key>a</Key></Contents>'.repeat(2000)}` }));
		const before = process.memoryUsage().rss;
		await expect(keys(storage())).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
		expect(process.memoryUsage().rss - before).toBeLessThan(150 * MIB);
		await until('the answer is closed', () => proxy.endless === 0);
	});

	it('end when a server gives the same page again and again', async () => {
		const page =
			'<ListBucketResult><Contents><Key>a</Key></Contents><IsTruncated>true</IsTruncated></ListBucketResult>';
		proxy.let(() => ({ status: 200, body: page }));
		await expect(keys(storage())).rejects.toMatchObject({ code: 'unsupported' });
	});

	it.each([
		['a page of a proxy', '<html><body>Log in</body></html>'],
		['nothing', ''],
		['half a listing', '<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>'],
		[
			'a listing that goes on, and has no objects',
			'<?xml version="1.0"?><ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>',
		],
	])('are not taken for empty when the answer is %s', async (_, body) => {
		proxy.let(() => ({ status: 200, body }));
		await expect(keys(storage())).rejects.toMatchObject({
			code: 'unsupported',
			message: expect.stringContaining('listing'),
		});
	});
});

it('tells what a delete marker hides from what never was, as Amazon and MinIO answer', async () => {
	const answer = { status: 404, code: 'NoSuchKey' };
	proxy.let(() => ({ ...answer, headers: { 'x-amz-delete-marker': 'true', 'x-amz-version-id': 'v2' } }));
	await expect(storage().read('a')).rejects.toMatchObject({
		code: 'not-found',
		message: expect.stringContaining('it was deleted, and the bucket still has what was there before'),
		hint: expect.stringContaining('delete marker'),
	});
	proxy.let(() => answer);
	await expect(storage().read('a')).rejects.toMatchObject({ message: expect.stringContaining('does not exist') });
});

describe('time-outs', () => {
	const hasty = { stallTimeoutMs: 300, retry: { attempts: 1, firstDelayMs: 1, maxDelayMs: 1 } };

	it.each(['HEAD', 'PUT'])('says stalled when nothing moves during %s of a small write', async (stage) => {
		proxy.let(({ method }) => (method === stage ? 'hang' : 'pass'));
		await expect(storage(hasty).write('key', Readable.from(['x']))).rejects.toMatchObject({ code: 'stalled' });
	});

	it('says stalled when the server stops taking a part, and gives the upload up', async () => {
		proxy.let(({ url }) => (isPart(url) ? 'hang' : 'pass'));
		await expect(storage(hasty).write('key', randomStream(16 * MIB))).rejects.toMatchObject({ code: 'stalled' });
		expect(await server().unfinished(bucket)).toEqual([]);
	});

	it('says nothing of a server that takes a part slowly: what moves has not stalled', async () => {
		proxy.let(({ url }) => (isPart(url) ? { takes: 8 * MIB } : 'pass'));
		const slow = storage({ partSize: 24 * MIB });
		const stallTimeoutMs = 1200;
		const patient = limitStorage(slow, { stallTimeoutMs });
		const startedAt = performance.now();
		expect((await patient.write('key', randomStream(30 * MIB))).size).toBe(30 * MIB);
		// The first part alone takes longer than nothing may move.
		expect(performance.now() - startedAt).toBeGreaterThan(2 * stallTimeoutMs);
	});

	it('says stalled when the server stops giving in the middle of an object', async () => {
		await storage().write('key', randomStream(3 * MIB));
		proxy.let(() => ({ hangAfter: MIB }));
		const stream = await storage(hasty).read('key');
		await expect(buffer(stream)).rejects.toMatchObject({ code: 'stalled' });
	});

	it('does not blame the server when it is the reader who is slow', async () => {
		await storage().write('key', randomStream(3 * MIB));
		const stream = await storage({ ...hasty, stallTimeoutMs: 500 }).read('key');
		let size = 0;
		for await (const chunk of stream) {
			if (size === 0) await new Promise((resolve) => setTimeout(resolve, 4000)); // eight times the time-out
			size += (chunk as Buffer).length;
		}
		expect(size).toBe(3 * MIB);
	});

	it('says connection-lost when the connection breaks in the middle of an object', async () => {
		await storage().write('key', randomStream(3 * MIB));
		proxy.let(() => ({ cutAfter: MIB }));
		await expect(buffer(await storage().read('key'))).rejects.toMatchObject({ code: 'connection-lost' });
	});

	it('refuses a server that ignores ranges, instead of giving other bytes', async () => {
		await storage().write('key', Readable.from(['0123456789']));
		proxy.let(() => ({ status: 200, body: '0123456789' }));
		await expect(storage().read('key', { start: 5 })).rejects.toMatchObject({ code: 'unsupported' });
	});

	it('ends requests that hang when cancelled, at once', async () => {
		proxy.let(({ url }) => (isPart(url) ? 'hang' : 'pass'));
		const abort = new AbortController();
		const writing = storage().write('key', randomStream(60 * MIB), { signal: abort.signal });
		while (!proxy.seen.some(({ url }) => isPart(url))) await turn();
		abort.abort();
		await expect(writing).rejects.toMatchObject({ code: 'cancelled' });
		expect(await server().unfinished(bucket)).toEqual([]);
	});

	const calls: Array<[string, (signal: AbortSignal) => Promise<unknown>]> = [
		['stat', (signal) => storage().stat('key', { signal })],
		['list', (signal) => storage().list('', { signal })[Symbol.asyncIterator]().next()],
		['remove', (signal) => storage().remove('key', { signal })],
	];

	it.each(calls)('ends %s that hangs when cancelled, at once', async (_, call) => {
		proxy.let(() => 'hang');
		const abort = new AbortController();
		const calling = call(abort.signal);
		const ended = expect(calling).rejects.toMatchObject({ code: 'cancelled' });
		while (proxy.seen.length === 0) await turn();
		abort.abort();
		await ended;
	});

	it('ends a removal whose DELETE hangs when cancelled, at once', async () => {
		proxy.let(({ method }) => (method === 'DELETE' ? 'hang' : 'pass'));
		const abort = new AbortController();
		const ended = expect(storage().remove('key', { signal: abort.signal })).rejects.toMatchObject({
			code: 'cancelled',
		});
		while (!proxy.seen.some(({ method }) => method === 'DELETE')) await turn();
		abort.abort();
		await ended;
	});

	it('stops a producer that goes on for ever when a part fails', async () => {
		proxy.let(({ url }) => (isPart(url) ? { status: 403, code: 'AccessDenied' } : 'pass'));
		const body = Readable.from(
			(async function* () {
				yield randomBytes(11 * MIB);
				await new Promise(() => undefined);
			})(),
			{ objectMode: false },
		);
		await expect(storage().write('key', body)).rejects.toMatchObject({ code: 'access-denied' });
		expect(body.destroyed).toBe(true);
	});
});

describe('repeated requests of a write', () => {
	it.each(['cut', { status: 500 }, { status: 503, code: 'SlowDown' }] as const)(
		'sends a part again after %j',
		async (fate) => {
			let failures = 0;
			proxy.let(({ url }) => (url.includes('partNumber=2&') && failures++ < 2 ? fate : 'pass'));
			const bytes = randomBytes(16 * MIB);
			await storage().write('key', Readable.from([bytes], { objectMode: false }));
			expect(failures).toBe(3);
			expect((await buffer(await storage().read('key'))).equals(bytes)).toBe(true);
		},
	);

	it('sends every stage again', async () => {
		const failed = new Set<string>();
		proxy.let(({ method, url }) => {
			const stage = `${method} ${url.replace(/=[^&]*/g, '')} ${isPart(url)}`;
			if (failed.has(stage)) return 'pass';
			failed.add(stage);
			return 'cut';
		});
		await storage().write('key', randomStream(11 * MIB));
		expect(failed.size).toBeGreaterThanOrEqual(4);
		await storage().write('small', Readable.from(['x']));
		expect(await names()).toEqual(['key', 'small']);
	});

	it('gives up after its attempts, says how many, and leaves nothing', async () => {
		proxy.let(({ url }) => (isPart(url) ? 'cut' : 'pass'));
		await expect(storage().write('key', randomStream(16 * MIB))).rejects.toMatchObject({
			code: 'connection-lost',
			message: expect.stringContaining('tried 3 times'),
			details: { attempts: 3, transient: false },
		});
		expect(await names()).toEqual([]);
		expect(await server().unfinished(bucket)).toEqual([]);
	});

	it.each([0, 100, 11 * MIB])('recognises its own object of %d bytes when the answer was lost', async (size) => {
		let lost = 0;
		proxy.let(({ method, url }) => {
			const isLast = size > MIB ? method === 'POST' && url.includes('uploadId=') : method === 'PUT';
			return isLast && lost++ === 0 ? 'lose-answer' : 'pass';
		});
		expect(await storage().write('key', randomStream(size))).toMatchObject({ size });
		expect(lost).toBe(2);
	});

	it('does not take somebody else’s object for its own when the answer was lost', async () => {
		let lost = 0;
		await server().client().putObject(bucket, 'key', 'other');
		proxy.let(({ method, number }) => {
			if (number === 1) return { status: 404 };
			return method === 'PUT' && lost++ === 0 ? 'cut' : 'pass';
		});
		await expect(storage().write('key', Readable.from(['mine!']))).rejects.toMatchObject({ code: 'already-exists' });
	});

	it('says damaged when the server kept fewer bytes, and removes them', async () => {
		let looks = 0;
		proxy.let(({ method }) =>
			method === 'HEAD' && ++looks === 2
				? { status: 200, headers: { 'content-length': '1', 'last-modified': new Date().toUTCString() } }
				: 'pass',
		);
		await expect(storage().write('key', Readable.from(['four']))).rejects.toMatchObject({ code: 'damaged' });
		expect(await names()).toEqual([]);
	});

	it('takes an error inside a 200 answer for the error that it is', async () => {
		proxy.let(({ method, url }) =>
			method === 'POST' && url.includes('uploadId=')
				? { status: 200, body: '<?xml version="1.0"?><Error><Code>InternalError</Code></Error>' }
				: 'pass',
		);
		await expect(storage().write('key', randomStream(11 * MIB))).rejects.toMatchObject({ code: 'storage-failed' });
		expect(await names()).toEqual([]);
		expect(await server().unfinished(bucket)).toEqual([]);
	});
});

describe('leftovers', () => {
	it('removes unfinished uploads below the prefix, and only those that are accepted', async () => {
		const client = server().client();
		for (const name of ['p/shop/1/dump', 'p/shop/2/dump', 'p/shop-staging/1/dump', 'shop/1/dump']) {
			await client.initiateNewMultipartUpload(bucket, name, {});
		}
		const subject = storage({ prefix: 'p' });
		expect(await subject.removeUnfinished('shop/', (key) => key === 'shop/1/dump')).toBe(1);
		expect(await server().unfinished(bucket)).toEqual(['p/shop-staging/1/dump', 'p/shop/2/dump', 'shop/1/dump']);
		expect(await subject.removeUnfinished('shop/')).toBe(1);
		expect(await subject.removeUnfinished('')).toBe(1);
		expect(await server().unfinished(bucket)).toEqual(['shop/1/dump']);
	});
});

describe('addresses and headers', () => {
	it('puts the bucket into the path by default', async () => {
		await storage().write('key', Readable.from(['x']));
		expect(proxy.seen[0]?.url).toBe(`/${bucket}/key`);
	});

	it('puts the bucket into the host name when asked', async () => {
		const lookup = jest.spyOn(dns, 'lookup').mockImplementation(((
			_host: string,
			options: { all?: boolean },
			done: (...args: unknown[]) => void,
		) => {
			if (options.all) done(null, [{ address: '127.0.0.1', family: 4 }]);
			else done(null, '127.0.0.1', 4);
		}) as typeof dns.lookup);
		try {
			const subject = storage({ pathStyle: false, endpoint: proxy.endpoint.replace('127.0.0.1', 'localhost') });
			await subject.write('a/key', Readable.from(['x']));
			expect(proxy.seen[1]?.url).toBe('/a/key');
			expect(proxy.seen[1]?.headers.host).toMatch(new RegExp(`^${bucket}\\.localhost:`));
			expect((await buffer(await subject.read('a/key'))).toString()).toBe('x');
			expect(await names()).toEqual(['a/key']);
		} finally {
			lookup.mockRestore();
		}
	});

	it('keeps below its prefix, and asks for the region it is given', async () => {
		const subject = storage({ prefix: '/n8n/prod/', region: 'eu-central-1' });
		expect(subject.location).toBe(`s3://${bucket}/n8n/prod`);
		await subject.write('key', Readable.from(['x']));
		expect(await names()).toEqual(['n8n/prod/key']);
		expect(proxy.seen[0]?.headers.authorization).toContain('/eu-central-1/s3/');
	});

	it('asks for server-side encryption with every new object', async () => {
		const subject = storage({ serverSideEncryption: 'AES256' });
		await subject.write('small', Readable.from(['x']));
		proxy.let(({ url }) => (url.endsWith('?uploads') ? { status: 400, code: 'StopHere' } : 'pass'));
		await expect(subject.write('large', randomStream(11 * MIB))).rejects.toMatchObject({
			details: { s3Code: 'StopHere' },
		});
		const made = proxy.seen.filter(({ method, url }) => method === 'PUT' || url.endsWith('?uploads'));
		expect(made.map(({ headers }) => headers['x-amz-server-side-encryption'])).toEqual(['AES256', 'AES256']);
	});

	it('sends the session token of temporary keys', async () => {
		proxy.let(() => ({ status: 404 }));
		await storage({ sessionToken: 'temporary' })
			.read('key')
			.catch(() => undefined);
		expect(proxy.seen[0]?.headers['x-amz-security-token']).toBe('temporary');
	});

	it('reuses connections, and closes them all in the end', async () => {
		const door = await S3Proxy.start(server().endpoint);
		const subject = storage({ endpoint: door.endpoint });
		for (let i = 0; i < 10; i++) await subject.write(`key-${i}`, Readable.from(['x']));
		expect(await door.connections()).toBe(1);
		await subject.close();
		while ((await door.connections()) > 0) await turn();
		await door.stop();
	});
});
