/** Whether a bucket could be backed up with its keys. Nothing is written: such keys need not be able to. */
import { BackupError, isBackupError } from '../../base/errors';
import { ask, type Finding } from '../../base/finding';
import type { StorageConfig } from '../../storage/config';
import { BucketObjects } from '../../storage/s3/objects';
import { bucketOf } from './config';

/** Whether the bucket can be listed, and its first object read with its tags; and whether its versions can be, where it keeps any. */
export async function checkBucket(place: StorageConfig, signal?: AbortSignal): Promise<Finding> {
	return await ask('bucket', async () => {
		const objects = new BucketObjects(bucketOf(place), 'back up');
		try {
			await objects.look(signal);
			const name = await firstOf(objects, signal);
			if (name === null) return `${objects.location} can be listed, and is empty: nothing shows whether it can be read`;
			await readSome(objects, name, signal);
			const versions = await aboutVersions(objects, signal);
			return `${objects.location} can be listed and read${versions}; nothing was written`;
		} finally {
			objects.close();
		}
	});
}

/** What is said of versions: only who wants them backed up needs these rights, so that they are no reason to fail. */
async function aboutVersions(objects: BucketObjects, signal?: AbortSignal): Promise<string> {
	try {
		for await (const page of objects.listVersions(signal)) {
			const older = page.find(({ isLatest, isMarker }) => !isLatest && !isMarker);
			// Without versions, there is nothing to say about them.
			if (!older) return page.some(({ versionId }) => versionId !== 'null') ? ', and its versions listed' : '';
			await readSome(objects, older.name, signal, older.versionId);
			return ', with its versions';
		}
		return '';
	} catch (error) {
		if (isBackupError(error, 'unsupported')) return '';
		if (!isBackupError(error, 'access-denied')) throw error;
		return ', but not its versions: to back these up too, allow the key s3:ListBucketVersions, s3:GetObjectVersion and s3:GetObjectVersionTagging';
	}
}

async function firstOf(objects: BucketObjects, signal?: AbortSignal): Promise<string | null> {
	for await (const [first] of objects.list(signal)) return first?.name ?? null;
	return null;
}

/** @throws BackupError 'access-denied' where the object or its tags may not be read */
async function readSome(objects: BucketObjects, name: string, signal?: AbortSignal, version?: string): Promise<void> {
	try {
		const { body } = await objects.open(name, { version, signal });
		body.destroy();
	} catch (error) {
		// In a cold storage class: it may be read, though not right now.
		if (!(error instanceof BackupError && error.details?.s3Code === 'InvalidObjectState')) throw error;
	}
	try {
		await objects.tags(name, signal, version);
	} catch (error) {
		// A server without tags has none to lose.
		if (!isBackupError(error, 'unsupported')) throw error;
	}
}
