/** Making age keys, and proving that one opens what is encrypted to another. */
import { isBackupError } from '../../base/errors';
import { assertDecryptionKeys, createHeader, type DecryptionKeys, type Encryption, openHeader } from './header';
import { assertIdentity } from './key-text';
import { ageLibrary } from './library';

export {
	assertIdentity,
	assertPassphrase,
	assertRecipient,
	MIN_PASSPHRASE_LENGTH,
	parseIdentities,
	parseRecipients,
} from './key-text';

export interface KeyPair {
	/** Secret: whoever has it can decrypt. */
	identity: string;
	/** Public: enough to encrypt. */
	recipient: string;
}

export interface KeyOptions {
	/** Safe also from a future quantum computer (MLKEM768-X25519); needs age 1.3 or newer to open by hand. */
	postQuantum?: boolean;
}

/** A new key, like `age-keygen` makes (with `postQuantum`: `age-keygen -pq`). */
export async function generateIdentity(options: KeyOptions = {}): Promise<KeyPair> {
	const { generateHybridIdentity, generateX25519Identity } = ageLibrary();
	const identity = await (options.postQuantum ? generateHybridIdentity() : generateX25519Identity());
	return { identity, recipient: await recipientOf(identity) };
}

/**
 * The public recipient that belongs to an identity.
 * @throws BackupError 'invalid-input', 'unsupported'
 */
export async function recipientOf(identity: string): Promise<string> {
	assertIdentity(identity);
	return await ageLibrary().identityToRecipient(identity);
}

/**
 * Whether the keys open what is encrypted this way: really encrypts a file key, and decrypts it again.
 * @throws BackupError 'invalid-input', 'unsupported' when either side cannot be used at all
 */
export async function provesIdentity(encryption: Encryption, keys: DecryptionKeys): Promise<boolean> {
	assertDecryptionKeys(keys);
	const { header, fileKey } = await createHeader(encryption);
	try {
		return fileKey.equals(await openHeader(header, keys));
	} catch (error) {
		if (isBackupError(error, 'wrong-identity')) return false;
		throw error;
	}
}
