/**
 * Who may have made what lies in a repository. age encrypts to public keys, so without signatures whoever can write to a storage
 * can make a backup that a restore would execute. Manifests, evidence and approvals are signed in the form of OpenSSH (SSHSIG, ed25519); the
 * public keys are known outside of the storage.
 */
import { BackupError, type ErrorCode, isBackupError } from '../base/errors';
import { type AllowedSigner, isAllowed, parseAllowedSigners } from '../codecs/sshsig/allowed-signers';
import { type SigningKey } from '../codecs/sshsig/keys';
import { sign, verifySignature } from '../codecs/sshsig/signature';

/** What a signature is for (`ssh-keygen -n`), so that none can be used for something else. */
export const NAMESPACES = {
	manifest: 'n8n-backup-manifest',
	evidence: 'n8n-backup-evidence',
	approval: 'n8n-backup-approval',
} as const;

/** What a repository is opened with: whose signatures count, and what signs. */
export interface Authority {
	/** Signs what is written; null: it is not signed. */
	key: SigningKey | null;
	/** Whose signatures count; null: nothing is checked. */
	signers: readonly AllowedSigner[] | null;
	/** Backups, as `group/label`, that somebody allowed by name though their manifest is not authentic. */
	allowed?: ReadonlySet<string>;
}

/**
 * Reads whose signatures count: lines of an `allowed_signers` file, or public keys alone, one per line.
 * @throws BackupError 'invalid-input', 'unsupported'
 */
export function parseSigners(text: string): AllowedSigner[] {
	const lines = text.split(/\r?\n/).map((line) => (/^\s*ssh-/.test(line) ? `n8n-backup ${line.trim()}` : line));
	const signers = parseAllowedSigners(lines.join('\n'));
	if (signers.length > 0) return signers;
	throw new BackupError('invalid-input', 'no trusted signers given', {
		hint: 'Write one public key per line, as in "ssh-ed25519 AAAA…", or lines of an allowed_signers file.',
	});
}

/** Nothing is signed, and nothing is checked. */
export const NO_AUTHORITY: Authority = { key: null, signers: null };

/** Whether a backup that was read with this authority bears a trusted signature: not where nothing is checked, nor where it was allowed by name. */
export function isAuthenticated({ signers, allowed }: Authority, group: string, label: string): boolean {
	return signers !== null && allowed?.has(`${group}/${label}`) !== true;
}

/** Codes of what is not authentic. */
export const NOT_AUTHENTIC: readonly ErrorCode[] = ['unsigned', 'bad-signature', 'unknown-signer'];

/** What is signed, and by what signature, if there is one. */
export interface Signed {
	text: string;
	/** Armored; null where there is none. */
	signature: string | null;
	namespace: string;
	/** When it was made, as it says itself. A signature holds no time. */
	at: Date;
	/** Where it lies, for messages. */
	location: string;
}

/** Signs a text that is to be stored. */
export function signatureOf(text: string, key: SigningKey, namespace: string): string {
	return sign(text, key, namespace);
}

/**
 * Refuses what none of the signers has signed.
 * @throws BackupError 'unsigned', 'bad-signature', 'unknown-signer'
 */
export function assertSigned(
	{ text, signature, namespace, at, location }: Signed,
	signers: readonly AllowedSigner[],
): void {
	if (signature === null) {
		throw new BackupError('unsigned', `${location} is not signed`, {
			hint: `It was made without a signing key, or somebody else put it there. ${BY_NAME}`,
		});
	}
	let publicKey: string;
	try {
		publicKey = verifySignature(text, signature, namespace).publicKey;
	} catch (error) {
		if (!isBackupError(error)) throw error;
		throw new BackupError('bad-signature', `the signature of ${location} is not of this text: ${error.message}`, {
			hint: 'It was changed after it was signed. Use another backup, and find out who can write to this storage.',
			cause: error,
		});
	}
	const found = isAllowed(signers, publicKey, { namespace, at });
	if (found.signer !== null) return;
	const why = {
		unknown: `is signed by a key that is not among the trusted signers: ${publicKey}`,
		'wrong-namespace': 'is signed by a trusted signer who may not sign this',
		'not-valid-then': `is signed by a key that was not valid at ${at.toISOString()}: ${publicKey}`,
	}[found.reason];
	throw new BackupError('unknown-signer', `${location} ${why}`, {
		hint: `If that key is yours, add it to the trusted signers. ${BY_NAME}`,
	});
}

const BY_NAME = 'If you know that it is good, allow this one backup by its name.';
