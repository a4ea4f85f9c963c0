/**
 * Removing objects from buckets that keep versions. There, a plain DELETE removes nothing: it hides the object behind a
 * delete marker, and its bytes are paid for ever after. So every version goes by its id, and markers as well.
 */
import { untilAborted } from '../../base/deadline';
import { BackupError, isBackupError } from '../../base/errors';
import { isTransient } from '../../base/retry';
import { asked } from '../asked';
import { isProtected } from '../protection';
import type { S3Bucket } from './bucket';
import type { ObjectLock } from './object-lock';
import { word } from './text';
import { versionsOf } from './version-pages';

export class S3Versions {
	/** Whether the bucket keeps versions, or has some from a time when it did; 'unknown' when the key may not ask. */
	readonly #kept: () => Promise<boolean | 'unknown'>;

	constructor(
		private readonly bucket: S3Bucket,
		private readonly lock: ObjectLock,
	) {
		this.#kept = asked(async () => await this.#ask());
	}

	/**
	 * Removes an object with all its versions.
	 * @throws BackupError 'protected' when one of them is locked; then the object is visible
	 */
	async remove(name: string, signal?: AbortSignal): Promise<void> {
		// Others may wait for the same answer, so that no signal ends the question itself.
		const kept = await untilAborted(this.#kept, signal);
		if (kept === true || (kept === 'unknown' && (await this.#hasVersions(name, signal)))) {
			return await this.#removeAll(name, signal);
		}
		const madeMarker = await this.bucket.remove(name, undefined, signal);
		// Versioning is paused, and the key may not ask; or it was switched on a moment ago.
		if (madeMarker) await this.#removeAll(name, signal);
	}

	/**
	 * Newest first. So a marker never outlives a refusal, and an object that cannot go is visible; and whoever wrote at the
	 * same moment, and looks which version was first, does not find its own to be that while the first is being removed.
	 */
	async #removeAll(name: string, signal: AbortSignal | undefined): Promise<void> {
		for (const { versionId } of await this.#try(() => versionsOf(this.bucket, name, signal))) {
			try {
				await this.#try(() => this.bucket.remove(name, versionId, signal));
			} catch (error) {
				throw await untilAborted(() => this.#whyRefused(name, versionId, error), signal);
			}
		}
	}

	/** Servers refuse locked versions with the words they use for missing permissions; only the lock tells. */
	async #whyRefused(name: string, id: string, error: unknown): Promise<unknown> {
		if (!isBackupError(error) || isTransient(error)) return error;
		const action = `cannot remove s3://${this.bucket.bucket}/${name}`;
		try {
			const lock = await this.lock.of(name, id);
			if (lock && lock.until.getTime() > Date.now()) return isProtected(action, lock.until);
			return (await this.lock.isHeld(name, id)) ? isProtected(action) : error;
		} catch (cannotAsk) {
			if (isBackupError(cannotAsk)) return error;
			throw cannotAsk;
		}
	}

	async #hasVersions(name: string, signal: AbortSignal | undefined): Promise<boolean> {
		return (await this.bucket.head(name, signal))?.versionId !== undefined;
	}

	async #ask(): Promise<boolean | 'unknown'> {
		try {
			const body = await this.bucket.ask('see the versioning of', '', 'versioning');
			return word(body, 'Status') !== undefined;
		} catch (error) {
			if (isBackupError(error, 'access-denied')) return 'unknown';
			if (isBackupError(error, 'unsupported')) return false;
			throw error;
		}
	}

	async #try<T>(request: () => Promise<T>): Promise<T> {
		try {
			return await request();
		} catch (error) {
			if (!isBackupError(error, 'access-denied')) throw error;
			throw new BackupError('access-denied', error.message, {
				hint: 'The bucket keeps versions. Allow the key s3:GetBucketVersioning and s3:ListBucketVersions on the bucket, and s3:DeleteObjectVersion below the prefix: otherwise removed objects would only be hidden, and go on taking space.',
				cause: error,
				details: error.details,
			});
		}
	}
}
