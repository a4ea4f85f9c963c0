/**
 * Passphrases in age (c2sp.org/age, "The scrypt recipient type"). The age-encryption library computes scrypt in
 * JavaScript and blocks the event loop for seconds; here it runs in OpenSSL on the thread pool.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import type { Identity, Recipient } from 'age-encryption';
import { BackupError } from '../../base/errors';
import { ageLibrary } from './library';

/** Base-two logarithm of the work, as the `age` program chooses it: about a second, and 256 MiB of memory meanwhile. */
const WORK_FACTOR = 18;
/**
 * The file says how much work to do. What this program and the `age` program write is allowed, and no more: each further one
 * doubles memory and time, for whoever can put a file where backups are read.
 */
export const MAX_WORK_FACTOR = WORK_FACTOR;

const LABEL = 'age-encryption.org/v1/scrypt';
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const FILE_KEY_BYTES = 16;
/** The wrap key is used once, so the nonce is fixed by the specification. */
const NONCE = Buffer.alloc(12);
const CIPHER = 'chacha20-poly1305';

/** Wraps the file key with a passphrase. */
export function passphraseRecipient(passphrase: string): Recipient {
	return {
		async wrapFileKey(fileKey) {
			const salt = randomBytes(SALT_BYTES);
			const key = await wrapKey(passphrase, salt, WORK_FACTOR);
			const cipher = createCipheriv(CIPHER, key, NONCE, { authTagLength: TAG_BYTES });
			const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
			const { Stanza } = ageLibrary();
			return [new Stanza(['scrypt', encodeBase64(salt), String(WORK_FACTOR)], body)];
		},
	};
}

/** Unwraps the file key with a passphrase. Null: there is no passphrase stanza, or the passphrase is wrong. */
export function passphraseIdentity(passphrase: string): Identity {
	return {
		async unwrapFileKey(stanzas) {
			const stanza = stanzas.find(({ args }) => args[0] === 'scrypt');
			if (!stanza) return null;
			if (stanzas.length !== 1) throw malformed('a passphrase stanza is not the only one');
			const [, saltText, factorText, ...others] = stanza.args;
			const salt = decodeBase64(saltText ?? '');
			if (salt?.length !== SALT_BYTES || !/^[1-9][0-9]*$/.test(factorText ?? '') || others.length > 0) {
				throw malformed('its passphrase stanza is malformed');
			}
			// Checked before decrypting: otherwise one stanza could be made that opens with many passphrases.
			if (stanza.body.length !== FILE_KEY_BYTES + TAG_BYTES) throw malformed('its wrapped key has a wrong size');
			const factor = Number(factorText);
			if (factor > MAX_WORK_FACTOR) {
				throw new BackupError(
					'unsupported',
					`the passphrase needs a work factor of 2^${factorText?.slice(0, 6)} to be checked`,
					{
						hint: `More than 2^${MAX_WORK_FACTOR} is refused. If you trust the file, decrypt it with the age program.`,
					},
				);
			}
			return unwrap(await wrapKey(passphrase, salt, factor), stanza.body);
		},
	};
}

function unwrap(key: Buffer, body: Uint8Array): Buffer | null {
	const decipher = createDecipheriv(CIPHER, key, NONCE, { authTagLength: TAG_BYTES });
	decipher.setAuthTag(body.subarray(FILE_KEY_BYTES));
	const fileKey = decipher.update(body.subarray(0, FILE_KEY_BYTES));
	try {
		decipher.final();
	} catch {
		return null; // Authentication failed: another passphrase was used.
	}
	return fileKey;
}

function wrapKey(passphrase: string, salt: Buffer, workFactor: number): Promise<Buffer> {
	const N = 2 ** workFactor;
	const r = 8;
	const p = 1;
	// What scrypt needs (RFC 7914), and a little room for OpenSSL's own count.
	const maxmem = 128 * r * (N + p) + 64 * 1024;
	return new Promise((resolve, reject) => {
		scrypt(passphrase, Buffer.concat([Buffer.from(LABEL), salt]), KEY_BYTES, { N, r, p, maxmem }, (error, key) =>
			error ? reject(error) : resolve(key),
		);
	});
}

function encodeBase64(bytes: Buffer): string {
	return bytes.toString('base64').replace(/=+$/, '');
}

/** Null unless the text is canonical base64 without padding, as the specification demands. */
function decodeBase64(text: string): Buffer | null {
	const bytes = Buffer.from(text, 'base64');
	return encodeBase64(bytes) === text ? bytes : null;
}

function malformed(what: string): BackupError {
	return new BackupError('damaged', `the encryption header is damaged: ${what}`, { details: { part: 'header' } });
}
