/** The contents that are stored beside a backup of a database. */
import { collect } from '../../../base/collect';
import { BackupError } from '../../../base/errors';
import type { DecryptionKeys } from '../../../codecs/age/age';
import type { Manifest } from '../../../records/manifest';
import { openStream } from '../../../streams/pipeline';
import type { Repository } from '../../../records/repository';
import { type DatabaseFacts, MAX_CONTENTS_BYTES, parseContents } from '../dump/contents';

/**
 * What a backup must hold, read from its storage and proved to be as it was written.
 * @param keys null for a backup that is not encrypted
 * @param options.stallTimeoutMs of reading from the storage
 * @throws BackupError 'invalid-input' for a backup of anything but a database, 'not-found', 'wrong-identity', 'damaged',
 * 'stalled', those of the storage
 */
export async function readContents(
	repository: Repository,
	manifest: Manifest,
	keys: DecryptionKeys | null,
	{ signal, stallTimeoutMs }: { signal: AbortSignal; stallTimeoutMs: number },
): Promise<DatabaseFacts> {
	const { group, label } = manifest;
	if (manifest.source.kind !== 'postgres') {
		throw new BackupError(
			'invalid-input',
			`${group}/${label} is a backup of ${manifest.source.kind}, not of a database`,
			{
				hint: 'Choose a backup of a database.',
			},
		);
	}
	const { storage } = repository;
	const open = { storage, group, label, keys: keysFor(manifest, keys), signal, stallTimeoutMs };
	const body = await openStream({ ...open, stream: manifest.contents });
	const tooLarge = () =>
		new BackupError('damaged', `the contents of ${group}/${label} are larger than any this program writes`, {
			hint: 'Look at who else writes to this storage.',
		});
	return parseContents((await collect(body, MAX_CONTENTS_BYTES, tooLarge)).toString('utf8'));
}

/**
 * The keys that a backup needs: none when it is not encrypted, whatever there is.
 * @throws BackupError 'wrong-identity' when it is encrypted and there are none
 */
export function keysFor(manifest: Manifest, keys: DecryptionKeys | null): DecryptionKeys | null {
	if (manifest.encryption === null) return null;
	if (keys !== null) return keys;
	const { method } = manifest.encryption;
	throw new BackupError('wrong-identity', `${manifest.group}/${manifest.label} is encrypted, and no key was given`, {
		hint: method === 'passphrase' ? 'Give its passphrase.' : 'Give the identity that belongs to one of its recipients.',
	});
}
