/** What lies in a bucket before and after an upload. */
import { BackupError, isBackupError } from '../errors';
import { retry, type RetryPolicy } from '../retry';
import { cannotProtect } from './protection';
import type { S3Bucket, S3Facts, S3Object } from './s3-bucket';
import type { UploadOptions } from './s3-upload';

/** Parts are tidied up with less patience: what is left, the next run removes. */
export const LAST_REQUESTS: RetryPolicy = { attempts: 2, firstDelayMs: 200, maxDelayMs: 200 };

/** What an object must look like when all of its bytes are there. */
export interface Expected {
	size: number;
	/** As S3 computes it without KMS keys. */
	etag: string;
}

/** @throws BackupError 'already-exists' */
export async function assertFree(
	bucket: S3Bucket,
	name: string,
	{ retry: policy, signal }: UploadOptions,
): Promise<void> {
	if (await retry(() => bucket.head(name, signal), policy, signal)) {
		throw new BackupError('already-exists', `s3://${bucket.bucket}/${name} already exists`);
	}
}

/** Whether an object that we did not hear the end of is ours all the same. A server that does not answer leaves it open. */
export async function isThere(bucket: S3Bucket, name: string, expected: Expected): Promise<boolean> {
	try {
		const object = await retry(() => bucket.head(name), LAST_REQUESTS);
		return object?.size === expected.size && object.etag === expected.etag;
	} catch (error) {
		if (isBackupError(error)) return false;
		throw error;
	}
}

/** @throws BackupError 'damaged' when the server kept something else, 'unsupported' when it forgot the lock; then it is removed */
export async function verified(
	bucket: S3Bucket,
	name: string,
	expected: Expected,
	options: UploadOptions,
): Promise<S3Object> {
	const object = await retry(() => bucket.head(name), options.retry);
	if (object?.size === expected.size) {
		if (await isProtectedAsWanted(object, options)) return object;
		await takeBack(bucket, object);
		throw cannotProtect(`s3://${bucket.bucket}`);
	}
	const isGone = object === null || (await takeBack(bucket, object));
	throw new BackupError(
		'damaged',
		`s3://${bucket.bucket}/${name} has ${object?.size ?? 'none'} of ${expected.size} bytes after its upload${isGone ? '' : ', and cannot be removed'}`,
		{ hint: 'The server lost bytes without saying so. Do not trust it before you know why.' },
	);
}

/** Some servers take the headers of a lock and forget them. */
async function isProtectedAsWanted(object: S3Facts, options: UploadOptions): Promise<boolean> {
	const { protect, lock } = options;
	if (!protect) return true;
	try {
		const kept = object.lock ?? (await retry(() => lock.of(object.name, object.versionId), options.retry));
		return kept !== null && kept.until >= protect.until && (kept.mode === 'compliance' || kept.mode === protect.mode);
	} catch (error) {
		// A key that may lock but not look: the bucket has locks, and the server took this one.
		if (isBackupError(error, 'access-denied')) return true;
		throw error;
	}
}

/** Only this version, so that nothing else is touched or hidden. @returns whether it is gone */
async function takeBack(bucket: S3Bucket, object: S3Facts): Promise<boolean> {
	try {
		await retry(() => bucket.remove(object.name, object.versionId), LAST_REQUESTS);
		return true;
	} catch (error) {
		if (isBackupError(error)) return false;
		throw error;
	}
}
