/** A backup as restores, drills and the next incremental read it: its key fits, its contents are known. */
import type { Readable } from 'node:stream';
import { BackupError, isBackupError } from '../base/errors';
import type { DecryptionKeys } from '../codecs/age/age';
import { contentsOf, isForHost, type Manifest, type StoredPart } from '../records/manifest';
import type { Repository } from '../records/repository';
import { kindOf } from '../sources/registry';
import type { OpenBackup } from '../sources/source';
import { openStream } from '../streams/pipeline';
import { openRandomAccess, type RandomAccess } from '../streams/random-access';

/** How backups are read. */
export interface OpenOptions {
	repository: Repository;
	/** null where no key is at hand. */
	keys: DecryptionKeys | null;
	/** Opens contents, and no data. */
	hostKey?: string;
	signal: AbortSignal;
	/** Of reading from the storage, milliseconds. */
	stallTimeoutMs: number;
}

/**
 * Opens a backup and all that it needs.
 * @param chain manifests, those that are needed first, the backup itself last
 * @throws BackupError 'wrong-identity' also where there is no key, 'unsupported' for a kind that this version does not know,
 * 'not-found', 'damaged', 'stalled', those of the storage
 */
export async function openBackup(chain: readonly Manifest[], options: OpenOptions): Promise<OpenBackup> {
	const opened = new Map<string, OpenBackup>();
	for (const manifest of chain) {
		const parents = manifest.parents.flatMap((label) => opened.get(label) ?? []);
		opened.set(manifest.label, await openOne(manifest, parents, options));
	}
	return opened.get(chain.at(-1)!.label)!;
}

/**
 * Reads the contents of one backup, without those of its parents.
 * @returns null where no key at hand opens them
 * @throws BackupError 'not-found', 'damaged', 'stalled', those of the storage
 */
export async function readContents(manifest: Manifest, options: OpenOptions): Promise<unknown> {
	try {
		return (await openOne(manifest, [], options)).contents;
	} catch (error) {
		if (isBackupError(error, 'wrong-identity', 'unsupported')) return null;
		throw error;
	}
}

async function openOne(manifest: Manifest, parents: OpenBackup[], options: OpenOptions): Promise<OpenBackup> {
	const kind = kindOf(manifest);
	const open = async (part: StoredPart) => await openPart(manifest, part, options);
	const contents = await kind.readContents(await open(contentsOf(manifest)), `${manifest.group}/${manifest.label}`);
	const openAt = async (part: StoredPart) => await openPartAt(manifest, part, options);
	return { manifest, contents, parents, open, openAt };
}

/**
 * Opens a part of a backup. The stream ends only when every byte came back as it was stored.
 * @throws BackupError as {@link openBackup}
 */
export async function openPart(
	manifest: Manifest,
	stream: StoredPart,
	options: OpenOptions,
	onProgress?: (bytes: number) => void,
): Promise<Readable> {
	const { group, label } = manifest;
	const { repository, signal, stallTimeoutMs } = options;
	const { storage } = repository;
	return await openStream({
		...{ storage, group, label, stream, signal, stallTimeoutMs, onProgress },
		keys: keysFor(manifest, stream, options),
	});
}

/** The same for reading at any place. @throws BackupError as {@link openBackup} */
async function openPartAt(manifest: Manifest, stream: StoredPart, options: OpenOptions): Promise<RandomAccess> {
	const { group, label } = manifest;
	const { repository, signal, stallTimeoutMs } = options;
	const { storage } = repository;
	const keys = keysFor(manifest, stream, options);
	return await openRandomAccess({ storage, group, label, stream, keys, signal, stallTimeoutMs });
}

/**
 * The keys that a backup needs: none when it is not encrypted, whatever there is.
 * @throws BackupError 'wrong-identity' when it is encrypted and there are none
 */
function keysFor(manifest: Manifest, { role }: StoredPart, { keys, hostKey }: OpenOptions): DecryptionKeys | null {
	if (manifest.encryption === null) return null;
	const opensForHost = isForHost(role) && hostKey !== undefined && manifest.encryption.method === 'recipients';
	if (opensForHost) return { ...keys, identities: [...(keys?.identities ?? []), hostKey] };
	if (keys !== null) return keys;
	const { method } = manifest.encryption;
	throw new BackupError('wrong-identity', `${manifest.group}/${manifest.label} is encrypted, and no key was given`, {
		hint: method === 'passphrase' ? 'Give its passphrase.' : 'Give the identity that belongs to one of its recipients.',
	});
}
