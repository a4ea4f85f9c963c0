/** Which bucket is meant, and whether backups of it would lie in it. */
import { BackupError } from '../../base/errors';
import type { StorageConfig } from '../../storage/config';
import { hostOf } from '../../storage/s3/providers';

/** The settings of a bucket. */
export type BucketConfig = Extract<StorageConfig, { type: 's3' }>;

/**
 * The bucket that a place of storage is.
 * @throws BackupError 'invalid-input' where it is a folder or a server of another kind
 */
export function bucketOf(config: StorageConfig): BucketConfig {
	if (config.type === 's3') return config;
	throw new BackupError('invalid-input', 'what is to be backed up or restored to is not a bucket', {
		hint: 'Choose "S3 or MinIO Bucket" in its credential; on the command line, write s3://bucket/prefix?endpoint=….',
	});
}

/**
 * Backups in the bucket that is backed up would be stored again and again, each with all that were made before it.
 * @param group of the backups: in the storage, it is a prefix too
 * @throws BackupError 'invalid-input'
 */
export function assertBucketApart(source: StorageConfig, storage: StorageConfig, group: string): void {
	const from = bucketOf(source);
	if (storage.type !== 's3' || storage.bucket !== from.bucket || hostOf(storage.endpoint) !== hostOf(from.endpoint))
		return;
	const prefixOf = ({ prefix = '' }: BucketConfig) => `${prefix.replace(/^\/+|\/+$/g, '')}/`.replace(/^\//, '');
	if (!`${prefixOf(storage)}${group}/`.startsWith(prefixOf(from))) return;
	throw new BackupError('invalid-input', `the backups would lie in s3://${from.bucket}, which is backed up`, {
		hint: 'Keep backups in another bucket, best of another provider, or back up a prefix beside theirs.',
	});
}

/** The same bucket, below a further prefix. @throws BackupError 'invalid-input' */
export function belowPrefix(config: StorageConfig, prefix: string): BucketConfig {
	const bucket = bucketOf(config);
	const parts = [bucket.prefix ?? '', prefix].map((each) => each.trim().replace(/^\/+|\/+$/g, ''));
	return { ...bucket, prefix: parts.filter((each) => each !== '').join('/') || undefined };
}

/** For people: `s3://bucket/prefix`. */
export function placeName({ bucket, prefix = '' }: BucketConfig): string {
	return `s3://${bucket}${prefix && `/${prefix}`}`;
}
