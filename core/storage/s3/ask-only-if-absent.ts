/** Whether a server heeds "only if absent", found out by asking it. */
import { createHash } from 'node:crypto';
import { BackupError, isBackupError } from '../../base/errors';
import type { OnlyIfAbsent } from '../storage';
import type { S3Bucket } from './bucket';
import { CONDITION, NOT_IMPLEMENTED } from './create-only';
import { versionsOf } from './version-pages';

const WORDS = 'n8n-nodes-backup was here to see what this server does with If-None-Match; this file can be removed';

/**
 * Tries to write over an object on the condition that there is none.
 * @param name of an object that is there, and that may be lost
 */
export async function askOnlyIfAbsent(bucket: S3Bucket, name: string, signal?: AbortSignal): Promise<OnlyIfAbsent> {
	// Buckets with object lock do not take anything without a digest.
	const headers = { ...CONDITION, 'content-md5': createHash('md5').update(WORDS).digest('base64') };
	try {
		const answer = await bucket.request('write', name, { method: 'PUT', headers }, WORDS, signal);
		// Where there are versions, an upload looks which of them was first.
		return answer.headers['x-amz-version-id'] && (await seesVersions(bucket, name, signal)) ? 'kept' : 'ignored';
	} catch (error) {
		if (isBackupError(error, 'already-exists')) return 'kept';
		if (error instanceof BackupError && error.details?.status === NOT_IMPLEMENTED) return 'refused';
		throw error;
	}
}

async function seesVersions(bucket: S3Bucket, name: string, signal?: AbortSignal): Promise<boolean> {
	try {
		return (await versionsOf(bucket, name, signal)).length > 1;
	} catch (error) {
		if (isBackupError(error, 'access-denied')) return false;
		throw error;
	}
}
