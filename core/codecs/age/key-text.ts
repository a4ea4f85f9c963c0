/**
 * Keys as people write them: recipients (`age1…`), identities (`AGE-SECRET-KEY-1…`) and passphrases, alone or in the files
 * that age reads. Messages name the line, never the key.
 */
import { BackupError } from '../../base/errors';
import { ageLibrary } from './library';

/** Shorter passphrases can be guessed, scrypt or not. The age documentation asks for four or five random words. */
export const MIN_PASSPHRASE_LENGTH = 12;

/**
 * Recipients of a text like age's recipients files: one per line, empty lines and lines that start with # do not count.
 * @throws BackupError 'invalid-input', 'unsupported'
 */
export function parseRecipients(text: string): string[] {
	return parseLines(text, 'recipient', assertRecipient);
}

/**
 * Identities of a text like age's identity files, e.g. what `age-keygen` writes.
 * @throws BackupError 'invalid-input', 'unsupported'
 */
export function parseIdentities(text: string): string[] {
	return parseLines(text, 'identity', assertIdentity);
}

/**
 * @param where put before the message, e.g. "line 3: "
 * @throws BackupError 'invalid-input', or 'unsupported' for a recipient that other programs know
 */
export function assertRecipient(recipient: string, where = ''): void {
	if (/^AGE-(SECRET-KEY|PLUGIN)-/i.test(recipient)) {
		throw new BackupError('invalid-input', `${where}this is a secret identity where a recipient is needed`, {
			hint: 'Enter the public recipient that belongs to it, which starts with "age1". Keep the identity secret.',
		});
	}
	if (/^(ssh-|ecdsa-|sk-ssh-)/.test(recipient)) throw sshUnsupported(where);
	if (/^age1[a-z0-9-]*1/.test(recipient) && !recipient.startsWith('age1pq1')) throw pluginUnsupported(where);
	try {
		new (ageLibrary().Encrypter)().addRecipient(recipient);
	} catch (cause) {
		throw new BackupError('invalid-input', `${where}this is not an age recipient`, {
			hint: 'A recipient starts with "age1" and has no spaces. Copy all of it: a wrong letter is noticed.',
			cause,
		});
	}
}

/**
 * @param where put before the message, e.g. "line 3: "
 * @throws BackupError 'invalid-input', or 'unsupported' for an identity that other programs know
 */
export function assertIdentity(identity: string, where = ''): void {
	if (identity.startsWith('age1')) {
		throw new BackupError('invalid-input', `${where}this is a public recipient where a secret identity is needed`, {
			hint: 'Enter the identity that belongs to it, which starts with "AGE-SECRET-KEY-".',
		});
	}
	if (/^-----BEGIN (OPENSSH|RSA|EC) PRIVATE KEY-----/.test(identity)) throw sshUnsupported(where);
	if (identity.startsWith('AGE-PLUGIN-')) throw pluginUnsupported(where);
	if (identity.startsWith('age-encryption.org/') || identity.startsWith('-----BEGIN AGE ENCRYPTED FILE-----')) {
		throw new BackupError('unsupported', `${where}the identity is itself encrypted`, {
			hint: 'Decrypt it first with "age -d", and enter what comes out.',
		});
	}
	try {
		new (ageLibrary().Decrypter)().addIdentity(identity);
	} catch {
		// Not kept as the cause: its message quotes the identity.
		throw new BackupError('invalid-input', `${where}this is not an age identity`, {
			hint: 'An identity starts with "AGE-SECRET-KEY-" and has no spaces. Copy all of it: a wrong letter is noticed.',
		});
	}
}

/**
 * For encryption only: what was encrypted with a weaker passphrase must still open.
 * @throws BackupError 'invalid-input'
 */
export function assertPassphrase(passphrase: string): void {
	if ([...passphrase].length < MIN_PASSPHRASE_LENGTH) {
		throw new BackupError('invalid-input', `the passphrase has fewer than ${MIN_PASSPHRASE_LENGTH} characters`, {
			hint: 'Use at least four random words, or use a recipient: it cannot be guessed at all.',
		});
	}
	if (/\p{Cc}/u.test(passphrase)) {
		throw new BackupError('invalid-input', 'the passphrase contains a line break or another control character', {
			hint: 'Use one line: anything else cannot be typed when "age -d" asks for it.',
		});
	}
}

/** Whether only a recipient of this kind keeps the file safe from a future quantum computer. */
export function isPostQuantum(recipient: string): boolean {
	return recipient.startsWith('age1pq1');
}

function parseLines(text: string, noun: string, check: (key: string, where: string) => void): string[] {
	const keys: string[] = [];
	for (const [i, line] of text.split('\n').entries()) {
		const key = line.trim();
		if (key === '' || key.startsWith('#')) continue;
		check(key, `line ${i + 1}: `);
		keys.push(key);
	}
	if (keys.length === 0) {
		throw new BackupError('invalid-input', `there is no ${noun} in this text`, {
			hint: 'Write one on each line. Lines that start with # do not count.',
		});
	}
	return keys;
}

function sshUnsupported(where: string): BackupError {
	return new BackupError('unsupported', `${where}SSH keys are not supported`, {
		hint: 'Generate an age key, for example with "age-keygen", and use that.',
	});
}

function pluginUnsupported(where: string): BackupError {
	return new BackupError('unsupported', `${where}keys of age plugins are not supported`, {
		hint: 'Use a native age key, which starts with "age1" or "age1pq1" and is made by "age-keygen".',
	});
}
