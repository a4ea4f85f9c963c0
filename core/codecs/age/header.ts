/**
 * The header of an age file: the file key, wrapped for whoever may open it. Made and read by the age-encryption library;
 * the payload behind it is ours (age.ts).
 */
import { createHmac, hkdfSync } from 'node:crypto';
import type { Decrypter, Recipient, Stanza } from 'age-encryption';
import { BackupError, isBackupError } from '../../base/errors';
import { MAX_HEADER_BYTES } from './header-reader';
import { assertIdentity, assertPassphrase, assertRecipient, isPostQuantum } from './key-text';
import { ageLibrary } from './library';
import { passphraseIdentity, passphraseRecipient } from './scrypt';

/** Who will be able to decrypt. */
export type Encryption = { recipients: string[] } | { passphrase: string };

/** What to decrypt with; everything is tried. Holds secrets: never print it. */
export interface DecryptionKeys {
	identities?: string[];
	passphrase?: string;
}

export interface NewHeader {
	/** Up to and including the line feed after the MAC. */
	header: Buffer;
	fileKey: Buffer;
}

/** What an empty age file holds behind its header: the nonce, and the tag of one empty chunk. */
const EMPTY_PAYLOAD_BYTES = 16 + 16;

/**
 * A header with a new file key.
 * @throws BackupError 'invalid-input', 'unsupported'
 */
export async function createHeader(encryption: Encryption): Promise<NewHeader> {
	// The library makes only whole files, but it hands the file key to every recipient: the last one keeps it and adds
	// nothing to the header.
	let fileKey: Buffer | undefined;
	const keeper: Recipient = {
		wrapFileKey(key) {
			fileKey = Buffer.from(key);
			return [];
		},
	};
	const encrypter = new (ageLibrary().Encrypter)();
	for (const recipient of recipientsOf(encryption)) encrypter.addRecipient(recipient);
	encrypter.addRecipient(keeper);
	const file = Buffer.from(await encrypter.encrypt(new Uint8Array(0)));
	const header = file.subarray(0, file.length - EMPTY_PAYLOAD_BYTES);
	// Proves that the header was cut at the right place and that the key is the one it wraps.
	if (!fileKey || header.toString('latin1') !== withMac(header, fileKey)) {
		throw new BackupError('unsupported', 'the installed age-encryption library makes headers that cannot be verified', {
			hint: 'Install this package together with the versions of its dependencies that it asks for.',
		});
	}
	if (header.length > MAX_HEADER_BYTES) {
		throw new BackupError(
			'invalid-input',
			`${header.length} bytes of keys for all the recipients are more than can be read back`,
			{
				hint: 'Use at most 40 post-quantum or 600 classic recipients.',
			},
		);
	}
	return { header, fileKey };
}

/**
 * The file key of a header.
 * @throws BackupError 'wrong-identity', 'damaged', 'unsupported', 'invalid-input'
 */
export async function openHeader(header: Buffer, keys: DecryptionKeys): Promise<Buffer> {
	let unmatched: Stanza[] | undefined;
	const decrypter = decrypterFor(keys);
	// Identities are asked in turn until one has the key. That this one is asked means that none had.
	decrypter.addIdentity({
		unwrapFileKey(stanzas: Stanza[]) {
			unmatched = stanzas;
			return null;
		},
	});
	try {
		return Buffer.from(await decrypter.decryptHeader(header));
	} catch (cause) {
		if (isBackupError(cause)) throw cause;
		if (unmatched) throw wrongIdentity(unmatched, keys);
		const version = /^age-encryption\.org\/(v\d+)\n/.exec(header.toString('latin1'))?.[1];
		if (version && version !== 'v1') {
			throw new BackupError('unsupported', `the file is encrypted in version ${version} of the age format`, {
				hint: 'Decrypt it with a newer age program.',
				details: { part: 'header' },
			});
		}
		throw new BackupError('damaged', 'the encryption header is damaged', { cause, details: { part: 'header' } });
	}
}

/**
 * Refuses keys that cannot be used, before any byte is read.
 * @throws BackupError 'invalid-input', 'unsupported'
 */
export function assertDecryptionKeys(keys: DecryptionKeys): void {
	for (const identity of keys.identities ?? []) assertIdentity(identity);
	if (!keys.identities?.length && !keys.passphrase) {
		throw new BackupError('invalid-input', 'no identity and no passphrase to decrypt with', {
			hint: 'Enter the identity ("AGE-SECRET-KEY-…") or the passphrase that belongs to this backup.',
		});
	}
}

function recipientsOf(encryption: Encryption): Array<string | Recipient> {
	if ('passphrase' in encryption) {
		assertPassphrase(encryption.passphrase);
		return [passphraseRecipient(encryption.passphrase)];
	}
	const { recipients } = encryption;
	for (const recipient of recipients) assertRecipient(recipient);
	if (recipients.length === 0) {
		throw new BackupError('invalid-input', 'no recipient to encrypt to', {
			hint: 'Enter at least one recipient ("age1…"), or a passphrase.',
		});
	}
	// As the age program does: one classic recipient would undo what the others protect from.
	if (recipients.some(isPostQuantum) && !recipients.every(isPostQuantum)) {
		throw new BackupError('invalid-input', 'post-quantum and classic recipients cannot be mixed', {
			hint: 'Use recipients that all start with "age1pq1", or none that does.',
		});
	}
	return recipients;
}

function decrypterFor(keys: DecryptionKeys): Decrypter {
	const decrypter = new (ageLibrary().Decrypter)();
	for (const identity of keys.identities ?? []) decrypter.addIdentity(identity);
	if (keys.passphrase) decrypter.addIdentity(passphraseIdentity(keys.passphrase));
	return decrypter;
}

function withMac(header: Buffer, fileKey: Buffer): string {
	const text = header.toString('latin1');
	const covered = text.slice(0, text.lastIndexOf('\n---') + 4);
	const key = Buffer.from(hkdfSync('sha256', fileKey, '', 'header', 32));
	const mac = createHmac('sha256', key).update(covered, 'latin1').digest('base64').replace('=', '');
	return `${covered} ${mac}\n`;
}

function wrongIdentity(stanzas: Stanza[], keys: DecryptionKeys): BackupError {
	const kinds = new Set(stanzas.map(({ args }) => args[0] ?? ''));
	const details = { recipients: stanzas.length, part: 'header' };
	if (kinds.has('scrypt')) {
		return keys.passphrase
			? new BackupError('wrong-identity', 'the passphrase is wrong', {
					hint: 'Use the passphrase that was set when it was encrypted: a passphrase that was changed since opens later backups only.',
					details,
				})
			: new BackupError('wrong-identity', 'the file is encrypted with a passphrase, and none was given', {
					hint: 'Give the passphrase that was set when it was encrypted.',
					details,
				});
	}
	const ssh = [...kinds].some((kind) => kind.startsWith('ssh-'));
	return new BackupError('wrong-identity', 'the file is encrypted to somebody else: no identity opens it', {
		hint: ssh
			? 'It is encrypted to an SSH key: decrypt it with the age program.'
			: 'Use the identity that belongs to a recipient the backup was encrypted to; its manifest lists them.',
		details,
	});
}
