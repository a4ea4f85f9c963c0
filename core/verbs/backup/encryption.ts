/** Who can open a backup that is being made: its recipients, the host for the contents, and the proof that a key fits. */
import { pipeline } from 'node:stream/promises';
import { BackupError, isBackupError } from '../../base/errors';
import { ageDecrypt, type DecryptionKeys, type Encryption } from '../../codecs/age/age';
import { recipientOf } from '../../codecs/age/keys';
import { objectKey } from '../../records/layout';
import type { ManifestEncryption, StoredPart } from '../../records/manifest';
import type { Storage } from '../../storage/storage';

/** What a proof needs of the request. */
interface Proving {
	storage: Storage;
	group: string;
	proveWith?: DecryptionKeys;
	hostKey?: string;
	signal: AbortSignal;
}

/**
 * What the manifest says of the encryption, after a look whether the stored bytes open.
 * @throws BackupError 'wrong-identity', 'damaged'
 */
export async function describeEncryption(
	encryption: Encryption,
	{ storage, group, proveWith, hostKey, signal }: Proving,
	label: string,
	[first]: readonly StoredPart[],
): Promise<ManifestEncryption> {
	const proved = proveWith !== undefined;
	if (proveWith && first) await assertOpens(storage, objectKey(group, label, first.name), proveWith, signal);
	return 'passphrase' in encryption
		? { method: 'passphrase', proved }
		: {
				method: 'recipients',
				recipients: encryption.recipients,
				host: await hostRecipientOf({ encryption, hostKey }),
				proved,
			};
}

/**
 * The recipient of the host key; null where there is none, or nothing that it would add.
 * @throws BackupError 'invalid-input' for a key that opens the data as well
 */
export async function hostRecipientOf({ encryption, hostKey }: { encryption: Encryption | null; hostKey?: string }) {
	if (hostKey === undefined || encryption === null || !('recipients' in encryption)) return null;
	const recipient = await recipientOf(hostKey);
	if (!encryption.recipients.includes(recipient)) return recipient;
	throw new BackupError('invalid-input', 'the host key opens the data too: it belongs to one of the recipients', {
		hint: 'Make a key for this host alone, and keep the identity elsewhere.',
	});
}

/** The same for what the host may open as well. */
export function withHost(encryption: Encryption | null, host: string | null): Encryption | null {
	if (host === null || encryption === null || !('recipients' in encryption)) return encryption;
	return { recipients: [...encryption.recipients, host] };
}

/** The age header of a hundred recipients and the first chunk of the payload fit in here with room to spare. */
const PROOF_BYTES = 1024 * 1024;

/**
 * Proves that a key opens what really lies in storage, by reading its beginning back.
 * @throws BackupError 'wrong-identity', 'damaged'
 */
async function assertOpens(storage: Storage, key: string, keys: DecryptionKeys, signal: AbortSignal): Promise<void> {
	const body = await storage.read(key, { start: 0, length: PROOF_BYTES, signal });
	const decrypt = ageDecrypt(keys);
	const flow = pipeline(body, decrypt, { signal });
	const opened = new Promise<void>((resolve) => decrypt.once('data', () => resolve()));
	try {
		await Promise.race([opened, flow]);
	} catch (error) {
		if (!isBackupError(error, 'wrong-identity')) throw error;
		throw new BackupError('wrong-identity', `${key} was not kept: the identity of the credential cannot open it`, {
			hint: 'Add the recipient that belongs to the identity to the recipients, or remove the identity.',
			cause: error,
		});
	} finally {
		// The beginning alone ends in the middle of a chunk: that error says nothing.
		decrypt.destroy();
		await Promise.allSettled([flow]);
	}
}
