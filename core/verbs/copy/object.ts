/** One object on its way from one storage to another: as it lies there, all of it or nothing. */
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BackupError, isBackupError } from '../../base/errors';
import { startHashing } from '../../codecs/digest/digest';
import { type Hashing } from '../../codecs/digest/hashing';
import { type Limits, throttle } from '../../base/limits';
import { guardedFlow } from '../../streams/guarded-flow';
import type { StoredStream } from '../../records/manifest';
import type { Protection, Storage } from '../../storage/storage';

export interface SendRequest {
	from: Storage;
	to: Storage;
	key: string;
	/** What the manifest says of its bytes. */
	stored: StoredStream['stored'];
	limits: Pick<Limits, 'stallTimeoutMs' | 'bytesPerSecond'>;
	protect?: Protection;
	signal: AbortSignal;
	/** Called about once a second with the bytes that are safe at the destination. */
	onProgress: (bytes: number) => void;
}

/**
 * Sends an object. When it resolves, the destination has as many bytes as the manifest says; that they are the right ones
 * shows only when they are read back. When it rejects, the destination has nothing of it.
 * @throws BackupError 'damaged' with `details.at` "source" when the source holds more or fewer bytes, or other ones of what
 * is to be protected; 'not-found' with the same; 'stalled'; the signal's reason; those of both storages
 */
export async function sendObject(request: SendRequest): Promise<void> {
	const { from, to, key, stored, limits, protect } = request;
	// What was protected could not be removed again: then the bytes must be right before there is an object.
	const hashing = protect ? startHashing('sha256', stored.bytes) : null;
	const proof = new Proof(stored, `${from.location}/${key}`, hashing);
	const flow = async (signal: AbortSignal) => {
		const body = await from.read(key, { signal }).catch((error: unknown) => {
			throw isBackupError(error, 'not-found') ? missingAtSource(`${from.location}/${key}`, error) : error;
		});
		const slower = limits.bytesPerSecond ? [throttle(limits.bytesPerSecond, signal)] : [];
		await pipeline([body, ...slower, proof], { signal });
	};
	const flowing = guardedFlow(
		{
			...{ to, key, protect, limits, signal: request.signal },
			look: (safe) => {
				request.onProgress(safe);
				const isThrough = proof.readableLength > 0 || proof.destroyed || proof.bytes === stored.bytes;
				return { moved: proof.bytes, waitingFor: `storage ${isThrough ? to.location : from.location}` };
			},
			expected: () => stored.bytes,
		},
		async ({ signal }) => ({ last: proof, flowing: flow(signal) }),
	);
	await flowing.finally(() => proof.destroy());
}

/** What one side has read or written ahead of the other. */
const AHEAD = 1024 * 1024;

/** Passes bytes on, and ends only if they were what the manifest says, as far as it looks: whoever writes keeps nothing else. */
class Proof extends Transform {
	bytes = 0;

	/** @param hashing null to look only at the number of bytes */
	constructor(
		private readonly expected: StoredStream['stored'],
		private readonly place: string,
		private readonly hashing: Hashing | null,
	) {
		super({ highWaterMark: AHEAD });
	}

	override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback) {
		this.bytes += chunk.length;
		if (this.bytes > this.expected.bytes) return done(damagedAtSource(this.place, 'is larger than its manifest says'));
		const room = this.hashing?.update(chunk);
		if (room) room.then(() => done(null, chunk), done);
		else done(null, chunk);
	}

	override _flush(done: (error: Error | null) => void): void {
		const { bytes, sha256 } = this.expected;
		if (this.bytes !== bytes) return done(damagedAtSource(this.place, `has ${this.bytes} bytes instead of ${bytes}`));
		if (!this.hashing) return done(null);
		this.hashing.digest().then((hex) => done(hex === sha256 ? null : damagedAtSource(this.place, DIFFERS)), done);
	}

	override _destroy(error: Error | null, done: (error: Error | null) => void): void {
		this.hashing?.stop();
		done(error);
	}
}

/** Tells an error of the source from the same one of the destination. */
const AT_SOURCE = { at: 'source' };

/** Of an object, what {@link damagedAtSource} may say of it. */
export const DIFFERS = 'is not what was stored: its SHA-256 differs';

/** @param why "is …", "has …" */
export function damagedAtSource(place: string, why: string): BackupError {
	return new BackupError('damaged', `${place} ${why}; it is not copied`, {
		hint: 'The backup is damaged. Copy another one, and find out what changed this one: a disk, a copy, or a person.',
		details: AT_SOURCE,
	});
}

export function isOfSource(error: unknown): error is BackupError {
	return isBackupError(error) && error.details?.at === 'source';
}

export function missingAtSource(place: string, cause: unknown): BackupError {
	return new BackupError('not-found', `${place} is missing`, {
		hint: 'The backup is not whole. Copy another one, and find out who removed the object.',
		details: AT_SOURCE,
		cause,
	});
}
