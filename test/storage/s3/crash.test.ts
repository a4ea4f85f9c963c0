/** A server that is killed in the middle of an upload, on a disk that remembers. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { RetryingStorage } from '../../../core/storage/retrying';
import { S3Storage } from '../../../core/storage/s3/s3';
import { startS3, type S3Server } from '../../support/s3';
import { MIB } from './subject';

const POLICY = { attempts: 3, firstDelayMs: 100, maxDelayMs: 500 };

let server: S3Server;
beforeAll(async () => {
	server = await startS3({ store: 'bluestore' });
}, 120_000);
afterAll(() => server?.stop());

it('S3 server killed mid-upload: a clear error soon, no object, and leftovers that can be removed', async () => {
	const bucket = await server.makeBucket();
	const inner = new S3Storage(
		server.options(bucket, { partSize: 5 * MIB, connectTimeoutMs: 2_000, stallTimeoutMs: 5_000, retry: POLICY }),
	);
	const storage = new RetryingStorage(inner, POLICY);
	await storage.write('shop/1/before', Readable.from(['safe']));
	let killed = 0;
	const body = Readable.from(
		(async function* () {
			for (let sent = 0; ; sent += MIB) {
				if (sent === 40 * MIB) {
					await server.kill();
					killed = Date.now();
				}
				yield randomBytes(MIB);
			}
		})(),
		{ objectMode: false },
	);
	await expect(storage.write('shop/2/dump.sql', body)).rejects.toMatchObject({
		code: expect.stringMatching(/^(connection-lost|unreachable)$/),
		message: expect.stringContaining('cannot write'),
		hint: expect.any(String),
	});
	expect(Date.now() - killed).toBeLessThan(20_000);
	expect(body.destroyed).toBe(true);

	await server.restart();
	expect(await storage.stat('shop/2/dump.sql')).toBeNull();
	expect((await buffer(await storage.read('shop/1/before'))).toString()).toBe('safe');
	expect(await server.unfinished(bucket)).toEqual(['shop/2/dump.sql']);
	expect(await storage.removeUnfinished('shop/')).toBe(1);
	expect(await server.unfinished(bucket)).toEqual([]);
	await storage.write('shop/2/dump.sql', Readable.from(['the next run']));
	await storage.close();
}, 120_000);
