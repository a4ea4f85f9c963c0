/**
 * "Only if absent": `If-None-Match: *` with a request that makes an object. Amazon S3, R2, MinIO and Ceph heed it; Backblaze B2
 * refuses such a request (501), and Google Cloud Storage ignores it, since it has a condition of its own.
 */
import { createHash } from 'node:crypto';
import { BackupError, isBackupError } from '../../base/errors';
import type { OnlyIfAbsent } from '../storage';
import type { S3Bucket } from './bucket';
import { S3Refusal } from './errors';
import { versionsOf } from './listing';

type Headers = Record<string, string>;

const CONDITION: Headers = { 'if-none-match': '*' };
const NOT_IMPLEMENTED = 501;
const WORDS = 'n8n-nodes-backup was here to see what this server does with If-None-Match; this file can be removed';

/** Makes objects on that condition as long as the server does not refuse to know it. */
export class CreateOnly {
	#isRefused = false;

	/** @param send the request, with these headers besides its own; once more without them where the server refuses them */
	async send<T>(send: (condition: Headers) => Promise<T>): Promise<T> {
		if (this.#isRefused) return await send({});
		try {
			return await send(CONDITION);
		} catch (error) {
			if (!(error instanceof S3Refusal && error.status === NOT_IMPLEMENTED)) throw error;
			// Another header may be what it does not know: then it refuses this one as well.
			const answer = await send({});
			this.#isRefused = true;
			return answer;
		}
	}
}

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
