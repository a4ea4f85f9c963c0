/**
 * Signatures in OpenSSH's form (PROTOCOL.sshsig of OpenSSH), made and verified by ed25519 of node:crypto. By hand:
 * `ssh-keygen -Y verify -f allowed_signers -I WHO -n NAMESPACE -s FILE.sig < FILE`.
 */
import { createHash, sign as signBytes, verify as verifyBytes } from 'node:crypto';
import { BackupError } from '../../base/errors';
import { KEY_TYPE, publicKeyBlob, publicKeyText, rawOf, rawPublicKey, toKeyObject } from './public-key';
import type { SigningKey } from './secret-key';
import { decodeBase64, SshReader, sshString, toArmor, uint32 } from './wire';

const LABEL = 'SSH SIGNATURE';
const MAGIC = 'SSHSIG';
const VERSION = 1;
const HASH = 'sha512';
/** What OpenSSH verifies; it signs with the second only when told so. */
const HASHES = [HASH, 'sha256'];
/** OpenSSH breaks lines at 70 characters, the specification at 76. */
const ARMOR = /^-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/=]{1,76}\n)+)-----END SSH SIGNATURE-----\n?$/;
/** Ours have 300 characters, and a namespace of usual length. */
const MAX_TEXT = 4096;

/**
 * The signature of a text, as `ssh-keygen -Y sign` makes it: the same key, text and namespace give the same signature.
 * @param namespace what the signature is for, so that it serves no other purpose
 */
export function sign(text: Buffer | string, key: SigningKey, namespace: string): string {
	const signature = signBytes(null, signedBytes(text, namespace, HASH), key.privateKey);
	const parts = [
		Buffer.from(MAGIC),
		uint32(VERSION),
		sshString(publicKeyBlob(rawOf(key.privateKey))),
		sshString(namespace),
		sshString(''), // reserved
		sshString(HASH),
		sshString(Buffer.concat([sshString(KEY_TYPE), sshString(signature)])),
	];
	return toArmor(LABEL, Buffer.concat(parts));
}

/**
 * The key that signed exactly this text for exactly this purpose. Whether that key may is for `isAllowed` to say:
 * anybody can sign with a key of his own.
 * @param armored untrusted text, "-----BEGIN SSH SIGNATURE-----" and so on
 * @throws BackupError 'bad-signature' when it is not of this text or for another purpose, 'damaged' when it is not a
 * signature, 'unsupported' when its key, hash or version is not known here
 */
export function verifySignature(text: Buffer | string, armored: string, namespace: string): { publicKey: string } {
	const { key, purpose, hash, signature } = parse(armored);
	if (!purpose.equals(Buffer.from(namespace))) {
		throw new BackupError('bad-signature', `the signature was made for another purpose than "${namespace}"`, {
			hint: 'It may be the signature of another file. Take the one that was stored with this text.',
		});
	}
	if (!verifyBytes(null, signedBytes(text, namespace, hash), toKeyObject(key), signature)) {
		throw new BackupError('bad-signature', 'the signature is not of this text', {
			hint: 'The text or its signature was changed after it was signed. Find out by whom before you use either.',
		});
	}
	return { publicKey: publicKeyText(key) };
}

interface Parsed {
	key: Buffer;
	purpose: Buffer;
	hash: string;
	signature: Buffer;
}

function parse(armored: string): Parsed {
	const found = armored.length > MAX_TEXT ? null : ARMOR.exec(armored);
	const bytes = decodeBase64(found?.[1]?.replaceAll('\n', '') ?? '');
	if (!bytes) throw damaged();
	const reader = new SshReader(bytes, damaged);
	if (reader.take(MAGIC.length).toString('latin1') !== MAGIC) throw damaged();
	if (reader.uint32() !== VERSION) throw unsupported('it is of another version than 1');
	const key = rawPublicKey(reader.string(), damaged);
	if (!key) throw unsupported('its key is not an ed25519 key');
	const purpose = reader.string();
	// Nothing signs what stands here, so nothing may stand here.
	if (reader.string().length > 0) throw unsupported('it uses a field that is reserved for later versions');
	const hash = reader.name();
	if (!HASHES.includes(hash)) throw unsupported('its hash is neither sha512 nor sha256');
	const inner = new SshReader(reader.string(), damaged);
	reader.end();
	if (inner.name() !== KEY_TYPE) throw damaged();
	const signature = inner.string();
	inner.end();
	return { key, purpose, hash, signature };
}

function signedBytes(text: Buffer | string, namespace: string, hash: string): Buffer {
	if (namespace === '') throw new BackupError('invalid-input', 'a signature needs a namespace');
	const digest = createHash(hash).update(text).digest();
	return Buffer.concat([Buffer.from(MAGIC), ...[namespace, '', hash, digest].map(sshString)]);
}

function damaged(): BackupError {
	return new BackupError('damaged', 'this is not a complete SSH signature', {
		hint: 'A signature starts with "-----BEGIN SSH SIGNATURE-----". Take a copy of it that was not changed.',
	});
}

function unsupported(why: string): BackupError {
	return new BackupError('unsupported', `the signature cannot be verified: ${why}`, {
		hint: 'Sign with an ed25519 key, with this program or with "ssh-keygen -Y sign".',
	});
}
