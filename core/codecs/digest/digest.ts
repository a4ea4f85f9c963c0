/**
 * A pass-through that counts and hashes what flows by.
 *
 * `sha256` says what `sha256sum` says and `blake2b512` what `b2sum` says, so a person can check by hand. The stored bytes
 * are hashed with SHA-256, which every storage and tool knows; the original bytes, of which there are many more, with
 * BLAKE2b, which proves as much for about half the processor time (`bench/filters.ts`).
 */
import { createHash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { BackupError } from '../../base/errors';
import { HashingThread } from './thread';
import { DigestAlgorithm, Hashing } from './hashing';

export interface DigestResult {
	algorithm: DigestAlgorithm;
	/** Lower-case hexadecimal, as the command line tools print it. */
	hex: string;
	/** How many bytes were hashed. */
	bytes: number;
}

/** Starting a thread and copying to it takes about as long as hashing 20 MB. */
const WORTH_A_THREAD = 32 * 1024 * 1024;

/** @param expectedBytes about how many bytes will come; very many are hashed beside everything else, in a thread of their own */
export function startHashing(algorithm: DigestAlgorithm, expectedBytes: number): Hashing {
	if (expectedBytes >= WORTH_A_THREAD) return new HashingThread(algorithm);
	const hash = createHash(algorithm);
	return {
		update: (bytes) => {
			hash.update(bytes);
			return null;
		},
		digest: async () => hash.digest('hex'),
		stop: () => undefined,
	};
}

export class Digest extends Transform {
	readonly #hashing: Hashing;
	#bytes = 0;
	#hex: string | null = null;

	constructor(
		readonly algorithm: DigestAlgorithm,
		expectedBytes: number,
	) {
		super();
		this.#hashing = startHashing(algorithm, expectedBytes);
	}

	/** Bytes that passed so far. */
	get bytes(): number {
		return this.#bytes;
	}

	/**
	 * The digest of the whole stream.
	 * @throws BackupError 'incomplete' while the stream has not ended
	 */
	result(): DigestResult {
		if (this.#hex === null)
			throw new BackupError('incomplete', 'the digest of a stream that has not ended is not known');
		return { algorithm: this.algorithm, hex: this.#hex, bytes: this.#bytes };
	}

	override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
		this.#bytes += chunk.length;
		const room = this.#hashing.update(chunk);
		if (room) room.then(() => done(null, chunk), done);
		else done(null, chunk);
	}

	override _flush(done: TransformCallback): void {
		this.#hashing.digest().then((hex) => {
			this.#hex = hex;
			done();
		}, done);
	}

	override _destroy(error: Error | null, done: (error: Error | null) => void): void {
		this.#hashing.stop();
		done(error);
	}
}

/** @param expectedBytes see {@link startHashing}; 0 when nobody knows */
export function createDigest(algorithm: DigestAlgorithm, expectedBytes = 0): Digest {
	return new Digest(algorithm, expectedBytes);
}
