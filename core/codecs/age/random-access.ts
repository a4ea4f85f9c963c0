/** Single chunks of an age file: which stored bytes hold the original ones that are wanted, and how they are opened. */
import type { KeyObject } from 'node:crypto';
import { BackupError } from '../../base/errors';
import { assertDecryptionKeys, type DecryptionKeys, openHeader } from './header';
import { HeaderReader, MAX_HEADER_BYTES } from './header-reader';
import { CHUNK, chunkNonce, NONCE_BYTES, openSealed, payloadKey, SEALED_CHUNK, TAG_BYTES } from './payload';

/** The header of every file that we read, and the payload's nonce, are among its first bytes. */
export const AGE_HEAD_BYTES = MAX_HEADER_BYTES + NONCE_BYTES;

/** A range of bytes. */
export interface Range {
	start: number;
	length: number;
}

/** A binary age file that is opened at any place. */
export class AgeFile {
	readonly #key: KeyObject;
	/** Where the first chunk begins in the file. */
	readonly #start: number;
	readonly #chunks: number;
	/** Bytes of what was encrypted. */
	readonly size: number;

	private constructor(key: KeyObject, start: number, fileSize: number) {
		const payload = fileSize - start;
		this.#key = key;
		this.#start = start;
		this.#chunks = Math.max(1, Math.ceil(payload / SEALED_CHUNK));
		this.size = payload - this.#chunks * TAG_BYTES;
	}

	/**
	 * Reads the header.
	 * @param head the first {@link AGE_HEAD_BYTES} bytes of the file, or all of it
	 * @throws BackupError 'wrong-identity', 'damaged', 'unsupported', 'invalid-input'
	 */
	static async open(head: Buffer, fileSize: number, keys: DecryptionKeys): Promise<AgeFile> {
		assertDecryptionKeys(keys);
		const reader = new HeaderReader();
		const rest = reader.take(head);
		if (rest === null) return reader.end();
		const fileKey = await openHeader(reader.header, keys);
		const start = head.length - rest.length + NONCE_BYTES;
		if (rest.length < NONCE_BYTES || fileSize - start < TAG_BYTES) throw damaged('the encrypted file is truncated');
		return new AgeFile(payloadKey(fileKey, rest.subarray(0, NONCE_BYTES)), start, fileSize);
	}

	/** Which bytes of the file hold a range of the original: whole chunks. */
	locate({ start, length }: Range): Range {
		const first = Math.floor(start / CHUNK);
		const last = Math.floor((start + length - 1) / CHUNK);
		const end =
			last + 1 >= this.#chunks
				? this.#start + this.size + this.#chunks * TAG_BYTES
				: this.#start + (last + 1) * SEALED_CHUNK;
		return { start: this.#start + first * SEALED_CHUNK, length: end - this.#start - first * SEALED_CHUNK };
	}

	/**
	 * Opens what {@link locate} has named.
	 * @param sealed those bytes
	 * @returns the original bytes of the range that was given to {@link locate}
	 * @throws BackupError 'damaged'
	 */
	decrypt(sealed: Buffer, { start, length }: Range): Buffer {
		const first = Math.floor(start / CHUNK);
		const opened: Buffer[] = [];
		for (let at = 0, number = first; at < sealed.length; at += SEALED_CHUNK, number++) {
			const chunk = sealed.subarray(at, at + SEALED_CHUNK);
			if (chunk.length < TAG_BYTES) throw damaged('the encrypted file is truncated');
			const tag = chunk.subarray(chunk.length - TAG_BYTES);
			const nonce = chunkNonce(number, number === this.#chunks - 1);
			const pieces = openSealed(this.#key, nonce, [chunk.subarray(0, chunk.length - TAG_BYTES)], tag);
			if (!pieces) throw damaged('the encrypted file is damaged, or truncated');
			opened.push(...pieces);
		}
		const original = Buffer.concat(opened);
		const skipped = start - first * CHUNK;
		if (original.length < skipped + length) throw damaged('the encrypted file is truncated');
		return original.subarray(skipped, skipped + length);
	}
}

function damaged(message: string): BackupError {
	return new BackupError('damaged', message, { details: { part: 'payload' } });
}
