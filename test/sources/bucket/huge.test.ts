/** An object that is larger than one request may write (5 GB): read in pieces, since the connection breaks again and again, and restored in parts. */
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BucketGroup, TestBucket } from '../../support/buckets';
import { type S3Server, sharedS3, startS3 } from '../../support/s3';
import { S3Proxy } from '../../support/s3-proxy';
import { rounds, tell } from '../../support/soak';

const BYTES = rounds(12e6, 5.4e9);
/** After so many bytes of an answer the connection breaks. */
const PIECE_BYTES = rounds(5e6, 1e9);
/** More than chunks and parts on their way, and what a proxy and a client of the same process take. */
const MEMORY_BYTES = 350e6;
const CHUNK_BYTES = 1024 * 1024;
const HOURS_MS = 3_600_000;

const shared = sharedS3();
let server: S3Server;
let proxy: S3Proxy;
beforeAll(async () => {
	// One in memory would take as much of it.
	server = await rounds(
		async () => await Promise.resolve(shared()),
		async () => await startS3({ store: 'bluestore' }),
	)();
	proxy = await S3Proxy.start(server.endpoint);
}, 120_000);
afterAll(async () => {
	await proxy?.stop();
	if (server !== shared()) await server?.stop();
});

/** Bytes that compress well, and of which no megabyte is like another. */
function* contents(): Generator<Buffer> {
	for (let left = BYTES, number = 0; left > 0; left -= CHUNK_BYTES) {
		const chunk = Buffer.alloc(Math.min(left, CHUNK_BYTES), `${number++} `);
		yield chunk;
	}
}

/** Measures how much more memory the process takes meanwhile. */
async function measured<T>(what: string, work: () => Promise<T>): Promise<T> {
	setFlagsFromString('--expose-gc');
	(runInNewContext('gc') as () => void)();
	const before = process.memoryUsage().rss;
	let most = 0;
	const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss - before)), 50);
	const startedAt = performance.now();
	try {
		return await work();
	} finally {
		clearInterval(watch);
		const seconds = (performance.now() - startedAt) / 1000;
		tell(`${what} ${Math.round(BYTES / 1e6)} MB: ${seconds.toFixed(0)} s, ${(most / 1e6).toFixed(0)} MB of memory`);
		expect(most).toBeLessThan(MEMORY_BYTES);
	}
}

it(
	'is backed up and restored in bounded memory, byte for byte',
	async () => {
		const bucket = new TestBucket(server, await server.makeBucket());
		const other = new TestBucket(server, await server.makeBucket());
		const group = new BucketGroup(bucket);
		await bucket.client.putObject(bucket.name, 'huge', Readable.from(contents()), BYTES);
		await bucket.put('small');

		proxy.let(({ url }) => (url.endsWith('/huge') ? { cutAfter: PIECE_BYTES } : 'pass'));
		const through = bucket.config({ endpoint: proxy.endpoint });
		const full = await measured('archive', async () => await group.back({ bucket: through }));
		expect(full.manifest).toMatchObject({ status: 'whole', source: { details: { objects: 2, bytes: BYTES + 17 } } });
		const pieces = proxy.seen.filter(({ url }) => url.endsWith('/huge')).map(({ headers }) => headers.range);
		expect(pieces[0]).toBeUndefined();
		expect(pieces.length).toBeGreaterThanOrEqual(Math.ceil(BYTES / PIECE_BYTES));
		expect(await measured('verify', async () => await group.verify(full))).toBe('ok');

		const { comparison } = await measured('restore', async () => await group.restore(full, { to: other.config() }));
		expect(comparison).toMatchObject({ ok: true, figures: { objects: 2, bytes: BYTES + 17 } });
		const [was, is] = [
			await bucket.client.statObject(bucket.name, 'huge'),
			await other.client.statObject(other.name, 'huge'),
		];
		expect([is.size, is.metaData]).toEqual([was.size, was.metaData]);
		expect(is.etag).toMatch(/-\d+$/);
		expect((await group.back({ type: 'incremental' })).manifest.source.details).toMatchObject({ storedObjects: 0 });
	},
	rounds(1, 3) * HOURS_MS,
);
