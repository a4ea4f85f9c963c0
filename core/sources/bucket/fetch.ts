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
	/** The versions of the object of which one was missing last: one that is not among them does not come back. */
	#versions: { name: string; ids: ReadonlySet<string> } | null = null;

	constructor(
		private readonly objects: BucketObjects,
		private readonly signal: AbortSignal,
	) {}

	/** @throws BackupError of the connection, or of keys that are not accepted */
	async fetch(step: ReadStep): Promise<Fetch> {
		const { object, version } = step;
		if (object.size > SMALL_BYTES) return { kind: 'large' };
		return await this.attempt(step, async () => {
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
	async attempt<Result>(
		step: ReadStep,
		read: () => Promise<Result>,
	): Promise<Result | Exclude<Fetch, { kind: 'fetched' | 'large' }>> {
		for (let isSecond = false; ; isSecond = true) {
			try {
				return await read();
			} catch (error) {
				if (isBackupError(error, 'not-found')) {
					// A server that has lost an object may go on to list it: that is no reason to forget it.
					if (!(await this.#isListed(step))) return { kind: 'vanished' };
					if (isSecond) return { kind: 'refused', error: lostBy(this.objects, step, error) };
				} else if (isOfTheObject(error)) return { kind: 'refused', error };
				else throw error;
			}
		}
	}

	async #isListed({ object: { name }, version }: ReadStep): Promise<boolean> {
		if (!version) return await this.objects.isListed(name, this.signal);
		if (this.#versions?.name === name && !this.#versions.ids.has(version.id)) return false;
		const versions = await this.objects.versionsOf(name, this.signal);
		this.#versions = { name, ids: new Set(versions.map(({ versionId }) => versionId)) };
		return this.#versions.ids.has(version.id);
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

function lostBy({ location }: BucketObjects, { object: { name }, version }: ReadStep, cause: BackupError): BackupError {
	const which = version ? ` (version ${version.id})` : '';
	return new BackupError(
		'storage-failed',
		`the server of ${location} lists ${name}${which}, and has no such object when asked for it`,
		{
			hint: 'Have the operator of the server look for lost data. If all objects are like that, check for a proxy that changes addresses.',
			cause,
		},
	);
}

function grown(): BackupError {
	return new BackupError('connection-lost', 'the server sent more than it said');
}
