/**
 * The two ciphers of n8n, read from its source (n8n-core 2.40, `dist/encryption`). Both give and take base64. Runs in worker threads as well.
 */
import { createDecipheriv, createHash, hkdfSync } from 'node:crypto';

/** What n8n calls them in its table of keys. */
export type CipherName = 'aes-256-cbc' | 'aes-256-gcm';

const SALT_BYTES = 8;
/** "Salted__", and the salt: the format of OpenSSL's `enc` and of CryptoJS. */
const CBC_HEAD_BYTES = 8 + SALT_BYTES;
const GCM_VERSION = 1;
const GCM_SALT_BYTES = 32;
const GCM_TAG_BYTES = 16;
const GCM_HEAD_BYTES = 1 + GCM_SALT_BYTES + GCM_TAG_BYTES;
const GCM_INFO = 'n8n-encryption-v1';
const KEY_BYTES = 32;
const GCM_NONCE_BYTES = 12;

/**
 * Decrypts a text.
 * @param key any text for CBC; 64 hexadecimal digits for GCM
 * @returns null where the key, or the text, is another one. CBC has no seal: one wrong key in 256 gives bytes that mean nothing
 */
export function decrypt(cipher: CipherName, text: string, key: string): Buffer | null {
	const bytes = Buffer.from(text, 'base64');
	try {
		return cipher === 'aes-256-cbc' ? decryptCbc(bytes, key) : decryptGcm(bytes, key);
	} catch {
		// Bad padding, a seal that does not fit, a length that cannot be: all that can go wrong here is the key or the text.
		return null;
	}
}

/** The key that wraps n8n's data keys. @param instanceKey `N8N_ENCRYPTION_KEY` */
export function wrappingKey(instanceKey: string): string {
	return createHash('sha256').update(instanceKey).digest('hex');
}

function decryptCbc(bytes: Buffer, key: string): Buffer | null {
	if (bytes.length < CBC_HEAD_BYTES) return null;
	const secret = Buffer.concat([
		Buffer.from(key, 'latin1'),
		bytes.subarray(CBC_HEAD_BYTES - SALT_BYTES, CBC_HEAD_BYTES),
	]);
	const md5 = (...parts: Buffer[]) => createHash('md5').update(Buffer.concat(parts)).digest();
	const first = md5(secret);
	const second = md5(first, secret);
	const decipher = createDecipheriv('aes-256-cbc', Buffer.concat([first, second]), md5(second, secret));
	return Buffer.concat([decipher.update(bytes.subarray(CBC_HEAD_BYTES)), decipher.final()]);
}

function decryptGcm(bytes: Buffer, key: string): Buffer | null {
	if (bytes.length < GCM_HEAD_BYTES || bytes[0] !== GCM_VERSION || !/^[0-9a-f]{64}$/i.test(key)) return null;
	const salt = bytes.subarray(1, 1 + GCM_SALT_BYTES);
	const derived = Buffer.from(hkdfSync('sha256', Buffer.from(key, 'hex'), salt, GCM_INFO, KEY_BYTES + GCM_NONCE_BYTES));
	const decipher = createDecipheriv('aes-256-gcm', derived.subarray(0, KEY_BYTES), derived.subarray(KEY_BYTES), {
		authTagLength: GCM_TAG_BYTES,
	});
	decipher.setAuthTag(bytes.subarray(1 + GCM_SALT_BYTES, GCM_HEAD_BYTES));
	return Buffer.concat([decipher.update(bytes.subarray(GCM_HEAD_BYTES)), decipher.final()]);
}
