/** Whether backups could be stored: every question is asked, so that one run shows everything there is to mend. */
import { BackupError } from '../../base/errors';
import { ask, type Finding } from '../../base/finding';
import { sizeInMegabytes } from '../../base/size-text';
import { ageEncrypt, type DecryptionKeys, type Encryption } from '../../codecs/age/age';
import { provesIdentity } from '../../codecs/age/keys';
import { isAllowed } from '../../codecs/sshsig/allowed-signers';
import { type Authority, NAMESPACES } from '../../records/authority';
import { examineJournal } from '../../records/journal/journal';
import { describeOnlyIfAbsent, isUnsure } from '../../records/only-if-absent';
import { assertNotInside } from '../../records/outer';
import { withProbe } from '../../records/probe';
import { readText } from '../../records/small-objects';
import { hostRecipientOf } from '../backup/encryption';
import { limitStorage } from '../../storage/limited';
import type { Storage } from '../../storage/storage';

/** Whether objects can be written, read, listed and, where the keys may, removed. Leaves nothing behind that it can remove. */
export async function checkStorage(storage: Storage, signal?: AbortSignal): Promise<Finding> {
	return await ask('storage', async () => {
		await assertNotInside(storage, signal);
		const text = 'n8n-nodes-backup was here to check this storage; this file can be removed';
		const { key, found } = await withProbe(
			storage,
			text,
			async (written) => {
				const back = await readText(storage, written, signal);
				if (back !== text) {
					throw new BackupError('damaged', `${storage.location} gave back other bytes than were written`, {
						hint: 'Do not use this storage before you know why.',
					});
				}
				let listed = false;
				for await (const object of storage.list(written)) listed ||= object.key === written;
				// Without locks, nothing depends on it.
				const found = storage.appendOnly ? undefined : await storage.onlyIfAbsent?.(written, { signal });
				if (listed) return { key: written, found };
				throw new BackupError('access-denied', `${storage.location} does not list what is stored in it`, {
					hint: 'Allow the key to list the bucket (s3:ListBucket) below the prefix.',
				});
			},
			signal,
		);
		if (storage.appendOnly) {
			return `${storage.location} can be written, read and listed; nothing can be removed with these keys: retention has to run elsewhere`;
		}
		if (await storage.stat(key)) {
			throw new BackupError('access-denied', `${storage.location} does not let objects be removed`, {
				hint: 'Allow the key to delete objects below the prefix; retention needs it.',
			});
		}
		const message = `${storage.location} can be written, read, listed and cleaned up`;
		if (found === undefined) return message;
		const sure = `${message}; ${describeOnlyIfAbsent(found)}`;
		return isUnsure(found) ? { warning: sure } : sure;
	});
}

/** A storage that takes longer to answer a question is not one to rely on. */
const PATIENCE_MS = 60_000;

/** Whether the storage can be used, and, if it can, whether its journal is whole. */
export async function checkPlace(
	place: Storage,
	signal?: AbortSignal,
	stallTimeoutMs = PATIENCE_MS,
): Promise<Finding[]> {
	const storage = limitStorage(place, { stallTimeoutMs, signal });
	const found = await checkStorage(storage, signal);
	return found.ok ? [found, ...(await checkRuns(storage, signal))] : [found];
}

const DAY_MS = 24 * 3_600_000;

/** Whether the journal of the last two days is whole; no question where there is none yet. */
export async function checkRuns(storage: Storage, signal?: AbortSignal): Promise<Finding[]> {
	const now = Date.now();
	// A day more at both ends: the days are those of the storage's clock.
	const span = { from: new Date(now - 2 * DAY_MS), to: new Date(now + DAY_MS), signal };
	let isThere = true;
	const finding = await ask('journal', async () => {
		const { entries, problems } = await examineJournal(storage, span);
		isThere = entries > 0;
		if (problems.length > 0) {
			const named = problems.slice(0, 3).map(({ key, problem }) => `${key} ${problem}`);
			throw new BackupError(
				'damaged',
				`the journal is not whole: ${named.join('; ')}${problems.length > 3 ? '; …' : ''}`,
				{
					hint: 'Entries were removed or changed after they were written. Find out who can do that: backups can be removed in the same way.',
				},
			);
		}
		return `the journal of the last two days is whole: ${entries} entries`;
	});
	return isThere ? [finding] : [];
}

/** Whether what is stored here is signed, and whether signatures are looked at. */
export async function checkSignatures({ key, signers }: Authority): Promise<Finding> {
	return await ask('signatures', async () => {
		if (signers === null && key === null) {
			return 'nothing is signed, and nothing is authenticated: whoever can write to the storage can forge a backup';
		}
		if (signers === null)
			return { warning: 'what is stored is signed, but no trusted signers given: no signature is looked at' };
		if (key === null)
			return { warning: 'no signing key is known here: what is stored from here is not signed, and refused' };
		const { signer } = isAllowed(signers, key.publicKey, { namespace: NAMESPACES.manifest, at: new Date() });
		if (signer !== null) return 'what is stored is signed, and what none of the trusted signers has signed is refused';
		throw new BackupError(
			'unknown-signer',
			'the signing key is not among the trusted signers: its backups would be refused',
			{
				hint: `Add its public key to the trusted signers: ${key.publicKey}`,
			},
		);
	});
}

/** Whether the keys can encrypt, and whether the identity, if there is one, opens what they encrypt. */
export async function checkEncryption(
	encryption: Encryption | null,
	keys?: DecryptionKeys,
	hostKey?: string,
): Promise<Finding> {
	return await ask('encryption', async () => {
		if (!encryption) return 'backups are NOT encrypted: everyone who can read the storage can read them';
		await hostRecipientOf({ encryption, hostKey });
		if (!keys) {
			(await ageEncrypt(encryption)).destroy();
			return 'the recipients are valid; no identity is known here, so it is not proved that somebody can open the backups';
		}
		if (!(await provesIdentity(encryption, keys))) {
			throw new BackupError('wrong-identity', 'the identity does not open what is encrypted to the recipients', {
				hint: 'Add the recipient that belongs to the identity, or remove the identity.',
			});
		}
		return 'passphrase' in encryption
			? 'the passphrase is usable'
			: 'the identity opens what is encrypted to the recipients';
	});
}

/**
 * Whether the databases fit. A dump's stored size is not known beforehand; what the databases take on the server is an
 * upper estimate, so too little space is a finding only below a quarter of it.
 */
export async function checkSpace(storage: Storage, databaseBytes: number): Promise<Finding> {
	return await ask('space', async () => {
		const space = await storage.space();
		if (!space) return `${storage.location} does not say how much space is free`;
		const message = `${sizeInMegabytes(space.free)} free of ${sizeInMegabytes(space.total)}; the databases take ${sizeInMegabytes(databaseBytes)} on the server`;
		if (space.free < databaseBytes / 4) {
			throw new BackupError('storage-full', message, { hint: 'Free space in the storage, or choose a larger one.' });
		}
		return message;
	});
}
