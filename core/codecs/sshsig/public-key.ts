/** Public ed25519 keys: as one line of text, like the files `*.pub` of ssh-keygen, and as bytes in signatures. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { BackupError } from '../../base/errors';
import { decodeBase64, SshReader, sshString } from './wire';

export const KEY_TYPE = 'ssh-ed25519';
const KEY_BYTES = 32;

/** What public keys begin with, those of certificates and security keys as well. */
const ANY_TYPE =
	/^(?:ssh-(?:ed25519|rsa|dss)|(?:sk-)?ecdsa-sha2-nistp\d+|sk-ssh-ed25519)(?:-cert-v01)?(?:@openssh\.com)?(?=\s|$)/;

export const MAKE_A_KEY = 'Make one with: ssh-keygen -t ed25519 -N "" -f FILE';

/**
 * A public key without its comment, as two keys are compared: `ssh-ed25519 AAAA…`.
 * @param text one line, e.g. "ssh-ed25519 AAAA… backup@example.org"
 * @param where put before the message, e.g. "line 3: "
 * @throws BackupError 'invalid-input', or 'unsupported' for keys of other types
 */
export function parsePublicKey(text: string, where = ''): string {
	const invalid = () =>
		new BackupError('invalid-input', `${where}this is not an SSH public key`, {
			hint: 'It starts with "ssh-ed25519 AAAA" and is one line, as in the file with the name that ends in ".pub".',
		});
	if (/PRIVATE KEY/.test(text)) {
		throw new BackupError('invalid-input', `${where}this is a secret key where a public one is needed`, {
			hint: 'Enter the line of the file with the name that ends in ".pub". Keep the other file secret.',
		});
	}
	const [type = '', base64 = ''] = text.trim().split(/[ \t]+/);
	if (/[\r\n]/.test(text.trim())) throw invalid();
	if (namesKeyType(type) && type !== KEY_TYPE) throw otherType(where);
	const blob = decodeBase64(base64);
	const key = blob && rawPublicKey(blob, invalid);
	if (type !== KEY_TYPE || !key) throw invalid();
	return publicKeyText(key);
}

/** Whether a text begins with the name of a key type of SSH, supported here or not. */
export function namesKeyType(text: string): boolean {
	return ANY_TYPE.test(text);
}

/** For keys of RSA, ECDSA, security keys and whatever else SSH has. */
export function otherType(where = ''): BackupError {
	return new BackupError('unsupported', `${where}the key is of another type than ed25519`, {
		hint: `Signatures need an ed25519 key. ${MAKE_A_KEY}`,
	});
}

/** The 32 bytes of the key in the binary form of SSH; null for keys of other types. */
export function rawPublicKey(blob: Buffer, broken: () => BackupError): Buffer | null {
	const reader = new SshReader(blob, broken);
	if (reader.name() !== KEY_TYPE) return null;
	const key = reader.string();
	reader.end();
	if (key.length !== KEY_BYTES) throw broken();
	return key;
}

/** The binary form of SSH, as it stands in signatures and, as base64, in texts. */
export function publicKeyBlob(raw: Buffer): Buffer {
	return Buffer.concat([sshString(KEY_TYPE), sshString(raw)]);
}

export function publicKeyText(raw: Buffer): string {
	return `${KEY_TYPE} ${publicKeyBlob(raw).toString('base64')}`;
}

/** The 32 bytes of the public half of a key. */
export function rawOf(privateKey: KeyObject): Buffer {
	const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
	return Buffer.from(x as string, 'base64url');
}

export function toKeyObject(raw: Buffer): KeyObject {
	return createPublicKey({
		format: 'jwk',
		key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') },
	});
}
