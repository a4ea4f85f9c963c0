/** Many objects: how fast, in how much memory, and how little an incremental archive asks of the server. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { inParallel } from '../../../core/base/in-parallel';
import { BucketGroup, TestBucket } from '../../support/buckets';
import { stopClock } from '../../support/clock';
import { sharedS3 } from '../../support/s3';
import { rounds } from '../../support/soak';
import { S3Proxy } from '../../support/s3-proxy';

/** More than one page of a listing; in `npm run soak` ten. */
const OBJECTS = rounds(1100, 10_000);
/** More than what is read ahead, the chunks on their way, and what a server of the same process takes; 10,000 objects need no more. */
const MEMORY_BYTES = 250e6;
const BYTES = 10_000;
const server = sharedS3();
stopClock();

it('are backed up in bounded memory, and an incremental archive only lists them', async () => {
	setFlagsFromString('--expose-gc');
	const collectGarbage = runInNewContext('gc') as () => void;
	const bucket = new TestBucket(server(), await server().makeBucket());
	const group = new BucketGroup(bucket);
	await inParallel(
		Array.from({ length: OBJECTS }, (_, number) => number),
		16,
		async (number) => {
			await bucket.put(`${number % 7}/${number}`, { bytes: Buffer.alloc(BYTES, number) });
		},
	);
	collectGarbage();
	const before = process.memoryUsage().rss;
	let most = 0;
	const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 50);
	const full = await group.back();
	expect(full.manifest.source.details).toMatchObject({ objects: OBJECTS, bytes: OBJECTS * BYTES });
	clearInterval(watch);
	expect(most - before).toBeLessThan(MEMORY_BYTES);

	const proxy = await S3Proxy.start(server().endpoint);
	try {
		await bucket.put('3/3', { bytes: 'changed' });
		await bucket.remove('5/5');
		const through = bucket.config({ endpoint: proxy.endpoint });
		const second = await group.back({ bucket: through, type: 'incremental' });
		expect(second.manifest.source.details).toMatchObject({ objects: OBJECTS - 1, storedObjects: 1, goneObjects: 1 });
		// One to look, the pages of the listing, the object, and its tags.
		expect(proxy.seen).toHaveLength(1 + Math.ceil((OBJECTS - 1) / 1000) + 2);
	} finally {
		await proxy.stop();
	}
	expect(await group.verify({ label: full.label })).toBe('ok');
	const other = new TestBucket(server(), await server().makeBucket());
	// A part of them: one that fills a bucket again asks twice for each.
	const { comparison } = await group.restore(full, { to: other.config(), include: ['/3/'] });
	expect(comparison.ok).toBe(true);
	expect(await other.keysOf()).toHaveLength(Math.ceil((OBJECTS - 3) / 7));
}, 600_000);
