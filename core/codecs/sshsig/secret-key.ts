/**
 * Secret ed25519 keys as text: OpenSSH's own format without a passphrase (PROTOCOL.key of OpenSSH), and PKCS#8, which
 * openssl writes. No message and no cause holds anything of the text.
 *
 * ssh2 could make and read OpenSSH's format, but it loses the first byte of public keys that begin with a zero (one in
 * 256), and reads no PKCS#8.
 */
import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import { BackupError } from '../../base/errors';
import {
	KEY_TYPE,
	MAKE_A_KEY,
	namesKeyType,
	otherType,
	publicKeyBlob,
	publicKeyText,
	rawOf,
	rawPublicKey,
} from './public-key';
import { decodeBase64, SshReader, sshString, toArmor, uint32 } from './wire';

/** What signs; made by `parseSigningKey`. */
export interface SigningKey {
	/** Secret. Printed or turned into JSON, it shows nothing. */
	readonly privateKey: KeyObject;
	/** Who will be found as the signer: `ssh-ed25519 AAAA…`. */
	readonly publicKey: string;
}

const LABEL = 'OPENSSH PRIVATE KEY';
const MAGIC = 'openssh-key-v1\0';
const SEED_BYTES = 32;
const BLOCK = 8;
/** RSA keys with 16,384 bits have less: whatever is longer is no key. */
const MAX_TEXT = 16 * 1024;

/**
 * The key that a text holds: a file that `ssh-keygen -t ed25519 -N ""` or `openssl genpkey -algorithm ed25519` wrote.
 * Line breaks may have become spaces or `\n`, as happens in fields of one line.
 * @throws BackupError 'invalid-input', or 'unsupported' for a key with a passphrase or of another type
 */
export function parseSigningKey(text: string): SigningKey {
	const { label, bytes } = readArmor(text);
	const privateKey = label === LABEL ? readOpenSsh(bytes) : readPkcs8(bytes);
	return { privateKey, publicKey: publicKeyText(rawOf(privateKey)) };
}

/** A key as ssh-keygen writes it without a passphrase. */
export function secretKeyText(privateKey: KeyObject, comment: string): string {
	const raw = rawOf(privateKey);
	const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d as string, 'base64url');
	const check = randomBytes(4);
	const secret = Buffer.concat([
		check,
		check,
		sshString(KEY_TYPE),
		sshString(raw),
		sshString(Buffer.concat([seed, raw])),
		sshString(comment),
	]);
	const parts = [
		Buffer.from(MAGIC),
		sshString('none'), // cipher
		sshString('none'), // what makes a key of a passphrase
		sshString(''), // and its options
		uint32(1),
		sshString(publicKeyBlob(raw)),
		sshString(Buffer.concat([secret, padding(secret.length)])),
	];
	return toArmor(LABEL, Buffer.concat(parts));
}

function readArmor(text: string): { label: string; bytes: Buffer } {
	if (text.length > MAX_TEXT) throw invalid();
	const found = /^-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----$/.exec(
		text.replaceAll(/\\[rn]/g, '\n').trim(),
	);
	// Keys of other programs have lines before their base64, and need no more than their first line to be told apart.
	const label = found?.[1] ?? /^\s*-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1] ?? '';
	if (label === 'ENCRYPTED PRIVATE KEY') throw encrypted('openssl pkey -in FILE -out COPY');
	if (/^(?:RSA|EC|DSA) PRIVATE KEY$/.test(label) || /^\s*PuTTY-User-Key-File/.test(text)) throw otherType();
	if (label.endsWith('PUBLIC KEY') || namesKeyType(text.trimStart())) {
		throw new BackupError('invalid-input', 'this is a public key where the secret one is needed', {
			hint: 'Enter the text of the other file of the pair, which starts with "-----BEGIN OPENSSH PRIVATE KEY-----".',
		});
	}
	const bytes = decodeBase64(found?.[2]?.replaceAll(/\s/g, '') ?? '');
	if (!bytes || (label !== LABEL && label !== 'PRIVATE KEY')) throw invalid();
	return { label, bytes };
}

function readOpenSsh(bytes: Buffer): KeyObject {
	const reader = new SshReader(bytes, invalid);
	if (reader.take(MAGIC.length).toString('latin1') !== MAGIC) throw invalid();
	const cipher = reader.name();
	const derivation = reader.name();
	if (cipher !== 'none' || derivation !== 'none') throw encrypted('ssh-keygen -p -N "" -f COPY');
	if (reader.string().length > 0 || reader.uint32() !== 1) throw invalid();
	const raw = rawPublicKey(reader.string(), invalid);
	if (!raw) throw otherType();
	const secret = reader.string();
	reader.end();
	const seed = readSecret(secret, raw);
	const privateKey = createPrivateKey({
		format: 'jwk',
		key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url'), d: seed.toString('base64url') },
	});
	if (!rawOf(privateKey).equals(raw)) throw invalid();
	return privateKey;
}

/** The 32 bytes that all of the key follows from. Everything else stands there twice, and must agree. */
function readSecret(bytes: Buffer, raw: Buffer): Buffer {
	const reader = new SshReader(bytes, invalid);
	if (reader.uint32() !== reader.uint32() || reader.name() !== KEY_TYPE || !reader.string().equals(raw))
		throw invalid();
	const pair = reader.string();
	if (!pair.subarray(SEED_BYTES).equals(raw)) throw invalid();
	reader.string(); // the comment
	const rest = reader.rest();
	if (!rest.equals(padding(bytes.length - rest.length))) throw invalid();
	return pair.subarray(0, SEED_BYTES);
}

/** What fills the last block: 1, 2, 3 … */
function padding(length: number): Buffer {
	return Buffer.from(Array.from({ length: (BLOCK - (length % BLOCK)) % BLOCK }, (_, n) => n + 1));
}

function readPkcs8(der: Buffer): KeyObject {
	let key: KeyObject;
	try {
		key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
	} catch {
		throw invalid();
	}
	if (key.asymmetricKeyType !== 'ed25519') throw otherType();
	return key;
}

function encrypted(remedy: string): BackupError {
	return new BackupError('unsupported', 'the signing key has a passphrase', {
		hint: `Remove the passphrase from a copy of the key, and enter that: ${remedy}`,
	});
}

function invalid(): BackupError {
	return new BackupError('invalid-input', 'this is not a complete signing key', {
		hint: `A key starts with "-----BEGIN OPENSSH PRIVATE KEY-----". Copy all of it, also its last line. ${MAKE_A_KEY}`,
	});
}
