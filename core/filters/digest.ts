/**
 * A pass-through that counts and hashes what flows by.
 *
 * `sha256` says what `sha256sum` says and `blake2b512` what `b2sum` says, so a person can check by hand. The stored bytes
 * are hashed with SHA-256, which every storage and tool knows; the original bytes, of which there are many more, with
 * BLAKE2b, which proves as much for about half the processor time (`bench/filters.ts`).
 */
import { createHash, type Hash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { BackupError } from '../errors';

export type DigestAlgorithm = 'sha256' | 'blake2b512';

export interface DigestResult {
	algorithm: DigestAlgorithm;
	/** Lower-case hexadecimal, as the command line tools print it. */
	hex: string;
	/** How many bytes were hashed. */
	bytes: number;
}

export class Digest extends Transform {
	readonly #hash: Hash;
	#bytes = 0;
	#hex: string | null = null;

	constructor(readonly algorithm: DigestAlgorithm) {
		super();
		this.#hash = createHash(algorithm);
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
		this.#hash.update(chunk);
		this.#bytes += chunk.length;
		done(null, chunk);
	}

	override _flush(done: TransformCallback): void {
		this.#hex = this.#hash.digest('hex');
		done();
	}
}

export function createDigest(algorithm: DigestAlgorithm): Digest {
	return new Digest(algorithm);
}
