/** An S3 storage in a bucket of its own, for tests. */
import { Client } from 'minio';
import { S3Storage, type S3Options } from '../../../core/storage/s3/s3';
import type { S3Server } from '../../support/s3';
import type { Subject } from '../conformance';

export const MIB = 1024 * 1024;

/** The smallest parts that S3 allows, so that small objects have several; hasty retries. */
export const FAST: Partial<S3Options> = {
	partSize: 5 * MIB,
	retry: { attempts: 3, firstDelayMs: 10, maxDelayMs: 50 },
};

/** @param more further options, such as another endpoint */
export async function s3Subject(
	server: S3Server,
	more: Partial<S3Options> = {},
): Promise<Subject & { bucket: string }> {
	const bucket = await server.makeBucket();
	const client = server.client();
	return {
		bucket,
		storage: new S3Storage(server.options(bucket, { ...FAST, ...more })),
		everything: async () => [...(await namesIn(client, bucket)), ...(await server.unfinished(bucket))],
		done: async () => {
			await client.removeObjects(bucket, await namesIn(client, bucket));
			for (const name of await server.unfinished(bucket)) await client.removeIncompleteUpload(bucket, name);
			await client.removeBucket(bucket);
		},
	};
}

/** The same in a bucket whose objects can be locked. What is still locked in the end goes with the server. */
export async function s3LockSubject(server: S3Server, more: Partial<S3Options> = {}): Promise<Subject> {
	const bucket = await server.makeLockBucket();
	return {
		storage: new S3Storage(server.options(bucket, { ...FAST, ...more })),
		everything: async () => [...(await server.versions(bucket)), ...(await server.unfinished(bucket))],
		modeOf: async (key) => {
			const name = more.prefix ? `${more.prefix}/${key}` : key;
			return String((await server.client().getObjectRetention(bucket, name))?.mode).toLowerCase();
		},
	};
}

async function namesIn(client: Client, bucket: string): Promise<string[]> {
	const objects = (await client.listObjects(bucket, '', true).toArray()) as { name: string }[];
	return objects.map(({ name }) => name);
}
