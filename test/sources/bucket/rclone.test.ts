/** A second opinion on a restored bucket: rclone reads every object of both, and says what differs. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { inParallel } from '../../../core/base/in-parallel';
import { BucketGroup, TestBucket } from '../../support/buckets';
import { type S3Server, sharedS3 } from '../../support/s3';
import { MIB } from '../../storage/s3/subject';

const server = sharedS3();
const run = promisify(execFile);

/** Its settings by the environment: keys on the command line could be read by every user. */
function environment({ endpoint, keys }: S3Server): NodeJS.ProcessEnv {
	return {
		PATH: process.env.PATH,
		RCLONE_CONFIG: '/dev/null',
		RCLONE_CONFIG_CEPH_TYPE: 's3',
		RCLONE_CONFIG_CEPH_PROVIDER: 'Ceph',
		RCLONE_CONFIG_CEPH_ENDPOINT: endpoint,
		RCLONE_CONFIG_CEPH_ACCESS_KEY_ID: keys.accessKey,
		RCLONE_CONFIG_CEPH_SECRET_ACCESS_KEY: keys.secretKey,
	};
}

/** @returns what differs, one line each as rclone writes it: `* different`, `- missing`, `+ added` */
async function differences(one: string, other: string): Promise<string[]> {
	const compare = ['check', '--download', '--combined', '-', `ceph:${one}`, `ceph:${other}`];
	const { stdout } = await run('rclone', compare, { env: environment(server()) }).catch(
		(error: { code: number; stdout: string }) => {
			// 1 is a difference; what it cannot do at all has other codes.
			if (error.code === 1) return error;
			throw error;
		},
	);
	const lines = stdout.split('\n').filter((line) => line !== '');
	// So that an empty answer is no proof.
	expect(lines.some((line) => line.startsWith('= '))).toBe(true);
	return lines.filter((line) => !line.startsWith('= '));
}

it('rclone finds no difference between a bucket and what came back, large objects in parts included', async () => {
	const bucket = new TestBucket(server(), await server().makeBucket());
	const names = ['a/b.txt', 'ümlaut/日本.txt', 'with space & mark?.txt', '100%.txt', 'a%2Fb', 'empty'];
	await inParallel(names, 4, async (name) => await bucket.put(name, { bytes: name === 'empty' ? '' : `of ${name}` }));
	await inParallel(
		Array.from({ length: 100 }, (_, number) => `many/${number}`),
		16,
		async (name) => await bucket.put(name, { bytes: randomBytes(1000) }),
	);
	await bucket.put('large', { bytes: randomBytes(31 * MIB + 1) });
	const group = new BucketGroup(bucket);
	await group.back();
	await bucket.put('many/7', { bytes: 'changed' });
	await bucket.remove('many/8');
	const second = await group.back({ type: 'incremental' });

	const other = new TestBucket(server(), await server().makeBucket());
	// The smallest parts that S3 takes: what is larger than one request may carry comes back in many.
	const { comparison } = await group.restore(second, { to: other.config({ partSize: 5 * MIB, maxParts: 10 }) });
	expect(comparison.ok).toBe(true);
	expect((await other.client.statObject(other.name, 'large')).etag).toMatch(/-\d+$/);
	expect(await differences(bucket.name, other.name)).toEqual([]);

	await other.put('many/1', { bytes: randomBytes(1000) });
	await other.remove('many/2');
	await other.put('many/new');
	expect((await differences(bucket.name, other.name)).toSorted()).toEqual(['* many/1', '+ many/2', '- many/new']);
}, 120_000);
