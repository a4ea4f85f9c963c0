/** What lies in a bucket before and after an upload. */
import { BackupError, isBackupError } from '../../base/errors';
import { retry, type RetryPolicy } from '../../base/retry';
import { cannotProtect } from '../protection';
import type { S3Bucket, S3Facts } from './bucket';
import type { UploadOptions } from './upload-options';
import { versionsOf } from './version-pages';

/** Requests after a failure are sent with less patience: what is left, the next run removes. */
export const LAST_REQUESTS: RetryPolicy = { attempts: 2, firstDelayMs: 200, maxDelayMs: 200 };

/** What an object must look like when all of its bytes are there. */
export interface Expected {
	size: number;
	/** As S3 computes it without KMS keys. */
	etag: string;
}

/** What an upload knows of what it made. */
export interface UploadedVersion {
	/** In buckets that keep versions. */
	versionId?: string;
	/** An earlier request may have got through as well. */
	isRepeated?: boolean;
}

export type Stored = Pick<S3Facts, 'name' | 'size' | 'modifiedAt' | 'versionId'>;

/** @throws BackupError 'already-exists', unless it is to be replaced */
export async function assertFree(
	bucket: S3Bucket,
	name: string,
	{ retry: policy, signal, replace }: UploadOptions,
): Promise<void> {
	if (replace) return;
	if (await retry(() => bucket.head(name, signal), policy, signal)) throw alreadyExists(bucket, name);
}

/**
 * An object that we did not hear the end of, and that is ours all the same.
 * @throws the error when it is not; also when the server does not answer, which leaves it open
 */
export async function ownObject(bucket: S3Bucket, name: string, expected: Expected, error: unknown): Promise<S3Facts> {
	let object: S3Facts | null;
	try {
		object = await retry(() => bucket.head(name), LAST_REQUESTS);
	} catch (unanswered) {
		if (isBackupError(unanswered)) throw error;
		throw unanswered;
	}
	if (object?.size === expected.size && object.etag === expected.etag) return object;
	throw error;
}

/**
 * The object as the server has it after its upload.
 * @throws BackupError 'damaged' when the server kept something else, 'unsupported' when it does not keep the lock; then
 * it is removed. 'already-exists' when somebody else was first.
 */
export async function verified(
	bucket: S3Bucket,
	name: string,
	expected: Expected,
	options: UploadOptions,
	made: UploadedVersion,
): Promise<Stored> {
	const object = await find(bucket, name, expected, options, made);
	if (object?.size === expected.size) {
		await assertProtected(bucket, object, options);
		return object;
	}
	const isGone = object === null || (await takeBack(bucket, object));
	throw new BackupError(
		'damaged',
		`s3://${bucket.bucket}/${name} has ${object?.size ?? 'none'} of ${expected.size} bytes after its upload${isGone ? '' : ', and cannot be removed'}`,
		{ hint: 'The server lost bytes without saying so. Do not trust it before you know why.' },
	);
}

/**
 * In buckets that keep versions, some servers (Ceph) ignore the condition that there be no object yet, and make a second
 * version. The versions have an order, the same for all who look: whoever finds another one below its own came second.
 */
async function find(
	bucket: S3Bucket,
	name: string,
	expected: Expected,
	options: UploadOptions,
	{ versionId, isRepeated }: UploadedVersion,
): Promise<Stored | null> {
	const versions = versionId === undefined || options.replace ? null : await visibleVersions(bucket, name, options);
	if (!versions) return await retry(() => bucket.head(name), options.retry);
	const at = versions.findIndex((version) => version.versionId === versionId);
	const since = at < 0 ? [] : versions.slice(at);
	const end = since.findIndex(({ isMarker }) => isMarker);
	const first = since.slice(0, end < 0 ? undefined : end).at(-1);
	if (first?.versionId === versionId) return first ?? null;
	await takeBack(bucket, { name, versionId });
	if (isRepeated && first?.size === expected.size && first.etag === expected.etag) return first;
	throw alreadyExists(bucket, name);
}

/** Null when the key may not see them. Servers that know such permissions heed the condition. */
async function visibleVersions(bucket: S3Bucket, name: string, { retry: policy }: UploadOptions) {
	try {
		return await retry(() => versionsOf(bucket, name), policy);
	} catch (error) {
		if (isBackupError(error, 'access-denied')) return null;
		throw error;
	}
}

/** Some servers take the headers of a lock and forget them: Ceph does when an upload has parts. */
async function assertProtected(bucket: S3Bucket, object: Stored, options: UploadOptions): Promise<void> {
	const { protect, lock } = options;
	if (!protect || protect.until.getTime() <= Date.now()) return;
	try {
		if (await isProtectedAsWanted(object, options)) return;
		await retry(() => lock.extend(object.name, protect, object.versionId), options.retry);
		if (await isProtectedAsWanted(object, options)) return;
		throw cannotProtect(`s3://${bucket.bucket}`);
	} catch (error) {
		await takeBack(bucket, object);
		throw error;
	}
}

async function isProtectedAsWanted({ name, versionId }: Stored, options: UploadOptions): Promise<boolean> {
	const { protect, lock } = options;
	try {
		const kept = await retry(() => lock.of(name, versionId), options.retry);
		return (
			!protect || (kept !== null && kept.until >= protect.until && ['compliance', protect.mode].includes(kept.mode))
		);
	} catch (error) {
		// A key that may lock but not look: the bucket has locks, and the server took this one.
		if (isBackupError(error, 'access-denied')) return true;
		throw error;
	}
}

/** Only this version, so that nothing else is touched or hidden. @returns whether it is gone */
async function takeBack(bucket: S3Bucket, { name, versionId }: Pick<Stored, 'name' | 'versionId'>): Promise<boolean> {
	try {
		await retry(() => bucket.remove(name, versionId), LAST_REQUESTS);
		return true;
	} catch (error) {
		if (isBackupError(error)) return false;
		throw error;
	}
}

function alreadyExists(bucket: S3Bucket, name: string): BackupError {
	return new BackupError('already-exists', `s3://${bucket.bucket}/${name} already exists`);
}
