/** Reads what is small of a bucket: an object with its bytes and its tags, in one go. */
import { collect } from '../../base/collect';
import { BackupError, isBackupError } from '../../base/errors';
import { DEFAULT_RETRY, retry } from '../../base/retry';
import type { BucketObjects, ObjectHead } from '../../storage/s3/objects';
import type { ReadStep } from './steps';

/** Larger objects are read in order, as streams. */
export const SMALL_BYTES = 8 * 1024 * 1024;

/** An object as it was read. */
export interface Fetched {
	head: ObjectHead;
	tags: Record<string, string> | undefined;
	bytes: Buffer;
}

/** What came of reading an object. */
export type Fetch =
	| ({ kind: 'fetched' } & Fetched)
	/** Too much for memory: to be read when its turn comes. */
	| { kind: 'large' }
	| { kind: 'vanished' }
	/** The server does not give it, and gives others. */
	| { kind: 'refused'; error: BackupError };

/** Reads objects, and knows whether their tags can be read. */
export class Fetcher {
	/** Objects whose tags were refused. */
	tagsDenied = 0;
	/** Whether this server has tags; known when the first object was read. */
	#hasTags: boolean | null = null;

	constructor(
		private readonly objects: BucketObjects,
		private readonly signal: AbortSignal,
	) {}

	/** @throws BackupError of the connection, or of keys that are not accepted */
	async fetch({ object, version }: ReadStep): Promise<Fetch> {
		if (object.size > SMALL_BYTES) return { kind: 'large' };
		return await this.attempt(async () => {
			const read = async () => {
				const { head, body } = await this.objects.open(object.name, { version: version?.id, signal: this.signal });
				if (head.size <= SMALL_BYTES) return { head, bytes: await collect(body, SMALL_BYTES, grown) };
				body.destroy();
				return null;
			};
			const found = await retry(read, DEFAULT_RETRY, this.signal);
			if (found === null) return { kind: 'large' };
			return { kind: 'fetched', ...found, tags: await this.tagsOf(object.name, found.head, version?.id) };
		});
	}

	/** Reads something of an object; that it is gone, or not given, is a result. */
	async attempt<Result>(read: () => Promise<Result>): Promise<Result | Exclude<Fetch, { kind: 'fetched' | 'large' }>> {
		try {
			return await read();
		} catch (error) {
			if (isBackupError(error, 'not-found')) return { kind: 'vanished' };
			if (isOfTheObject(error)) return { kind: 'refused', error };
			throw error;
		}
	}

	/** The tags of an object; undefined where it has none, or where they cannot be read. */
	async tagsOf(key: string, { tagCount }: ObjectHead, version?: string): Promise<Record<string, string> | undefined> {
		// Servers tell of tags only whom they show them, so the first object is asked whatever its header says.
		if (tagCount === 0 && this.#hasTags !== null) return undefined;
		try {
			const tags = await this.objects.tags(key, this.signal, version);
			this.#hasTags = true;
			return Object.keys(tags).length > 0 ? tags : undefined;
		} catch (error) {
			// A marker hides it, or it is gone: what was read of it counts.
			if (isBackupError(error, 'not-found')) return undefined;
			if (isBackupError(error, 'access-denied')) {
				this.#hasTags = true;
				this.tagsDenied++;
				return undefined;
			}
			if (this.#hasTags || !isOfTheObject(error)) throw error;
			this.#hasTags = false;
			return undefined;
		}
	}
}

/** Whether the server understood, and refuses this object: others may be read all the same. */
function isOfTheObject(error: unknown): error is BackupError {
	if (isBackupError(error, 'access-denied', 'unsupported')) return true;
	const status = isBackupError(error, 'storage-failed') ? Number(error.details?.status) : NaN;
	return (status >= 400 && status < 500 && status !== 408 && status !== 429) || status === 501;
}

function grown(): BackupError {
	return new BackupError('connection-lost', 'the server sent more than it said');
}
