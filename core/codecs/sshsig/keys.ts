/** Making signing keys. They are those of SSH, so ssh-keygen signs with them and verifies what they signed. */
import { generateKeyPairSync } from 'node:crypto';
import { BackupError } from '../../base/errors';
import { publicKeyText, rawOf } from './public-key';
import { secretKeyText } from './secret-key';

export { parsePublicKey } from './public-key';
export { parseSigningKey, type SigningKey } from './secret-key';

export interface SigningKeyPair {
	/** Secret: whoever has it can sign. A text of several lines, as in a file of `ssh-keygen -t ed25519 -N ""`. */
	secret: string;
	/** Public: enough to verify. One line, with the comment at its end. */
	publicKey: string;
}

/**
 * A new key, like `ssh-keygen -t ed25519 -N ""` makes.
 * @param comment tells people whose key it is; anybody can change it
 * @throws BackupError 'invalid-input' for a comment with a line break
 */
export function generateSigningKey(comment = ''): SigningKeyPair {
	if (/\p{Cc}/u.test(comment)) {
		throw new BackupError('invalid-input', 'the comment contains a line break or another control character', {
			hint: 'Use one line: a public key is one.',
		});
	}
	const { privateKey } = generateKeyPairSync('ed25519');
	const publicKey = `${publicKeyText(rawOf(privateKey))} ${comment}`.trimEnd();
	return { secret: secretKeyText(privateKey, comment), publicKey };
}
