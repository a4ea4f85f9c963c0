/**
 * The payload of an age file (c2sp.org/age): chunks of 64 KiB, each sealed with ChaCha20-Poly1305 under its number and a flag on the
 * last. What is here knows single chunks; age.ts streams them, random-access.ts opens those that are wanted.
 */
import { createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

export const CIPHER = 'chacha20-poly1305';
/** Between the header and the first chunk. */
export const NONCE_BYTES = 16;
export const TAG_BYTES = 16;
/** Original bytes of every chunk but the last. */
export const CHUNK = 64 * 1024;
export const SEALED_CHUNK = CHUNK + TAG_BYTES;

/** The nonce of a chunk: 11 bytes with its number, big-endian, and one that flags the last chunk. */
export function chunkNonce(number: number, last: boolean): Buffer {
	const nonce = Buffer.alloc(12);
	// 48 of 88 bits: enough for 16 EiB.
	nonce.writeUIntBE(number, 5, 6);
	nonce[11] = last ? 1 : 0;
	return nonce;
}

/** The key of a payload. @param nonce the 16 bytes before the first chunk */
export function payloadKey(fileKey: Buffer, nonce: Buffer): KeyObject {
	return createSecretKey(Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32)));
}

/** The original bytes of a chunk, or null when it is not genuine under this nonce. */
export function openSealed(key: KeyObject, nonce: Buffer, sealed: readonly Buffer[], tag: Buffer): Buffer[] | null {
	const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
	decipher.setAuthTag(tag);
	const opened = sealed.map((piece) => decipher.update(piece));
	try {
		decipher.final();
	} catch {
		return null; // Authentication failed.
	}
	return opened;
}
