/** The manifest of a backup that is to be verified: found and whole, or what exactly is wrong with it. */
import { MANIFEST, objectKey } from '../../records/layout';
import { createHash } from 'node:crypto';
import { BackupError, isBackupError } from '../../base/errors';
import { assertBelongs, FORMAT, type Manifest, parseManifest } from '../../records/manifest';
import { type Repository } from '../../records/repository';
import { readText } from '../../records/small-objects';
import { isCompanion } from '../../records/catalog';
import { withWayBack } from '../../records/deleted';
import { BadBackup } from './failure';

/** What was seen of a manifest even if it cannot be read. */
export interface SeenManifest {
	/** Of its text. */
	sha256: string | null;
}

/**
 * @param seen is filled in
 * @throws BadBackup 'invalid-manifest'; BackupError 'not-found' when there is nothing of that label, 'incomplete' when
 * there are objects but no manifest, 'newer-format', those of the storage
 */
export async function findManifest(
	repository: Repository,
	group: string,
	label: string,
	seen: SeenManifest,
	signal: AbortSignal,
): Promise<Manifest> {
	try {
		return await read(repository, group, label, seen, signal);
	} catch (error) {
		if (isBackupError(error, 'not-found')) {
			throw await withWayBack(await missing(repository, group, label), repository.storage, `${group}/${label}/`);
		}
		if (!isBackupError(error, 'invalid-manifest', 'damaged')) throw error;
	}
	// A byte may have changed on its way here: only what is wrong twice is wrong.
	try {
		return await read(repository, group, label, seen, signal);
	} catch (error) {
		if (!isBackupError(error, 'invalid-manifest', 'damaged')) throw error;
		throw new BadBackup('invalid-manifest', error.message, { hint: error.hint, cause: error });
	}
}

async function read(
	repository: Repository,
	group: string,
	label: string,
	seen: SeenManifest,
	signal: AbortSignal,
): Promise<Manifest> {
	const { storage } = repository;
	const key = objectKey(group, label, MANIFEST);
	const location = `${storage.location}/${key}`;
	const text = await readText(storage, key, signal);
	seen.sha256 = createHash('sha256').update(text).digest('hex');
	const manifest = parse(text, location);
	assertBelongs(manifest, group, label, location);
	await repository.assertAuthentic(manifest, text, signal);
	return manifest;
}

/** One changed digit can look like a newer format; the checksum tells. */
function parse(text: string, location: string): Manifest {
	try {
		return parseManifest(text, location);
	} catch (error) {
		if (!isBackupError(error, 'newer-format')) throw error;
		const asOurs = text.replace(/^(\{\s*"format": )\d+/, `$1${FORMAT}`);
		const damaged = new BackupError(
			'invalid-manifest',
			`the manifest ${location} has another format than it was written with`,
			{
				hint: 'The file was changed or damaged after the backup was made. Use another backup.',
			},
		);
		if (isManifest(asOurs, location)) throw damaged;
		throw error;
	}
}

function isManifest(text: string, location: string): boolean {
	try {
		parseManifest(text, location);
		return true;
	} catch (error) {
		if (isBackupError(error, 'newer-format', 'invalid-manifest')) return false;
		throw error;
	}
}

/** Nothing was verified, for there is nothing to verify: an error, not an outcome. */
const NO_BACKUP = { noBackup: true };

async function missing(repository: Repository, group: string, label: string): Promise<BackupError> {
	const { storage } = repository;
	const objects = await repository.objects(group, label);
	if (objects.some(({ key }) => isCompanion(key.slice(key.lastIndexOf('/') + 1)))) {
		return new BackupError('incomplete', `${group}/${label} has lost its manifest, and was a backup before`, {
			hint: 'Nothing of ours removes what is left of it. Restore it by hand from the dump beside it, and find out what removed the manifest.',
			details: NO_BACKUP,
		});
	}
	if (objects.length > 0) {
		return new BackupError(
			'incomplete',
			`${group}/${label} has no manifest: it is what a run left that did not finish`,
			{
				hint: 'It is not a backup. Use another one; a later run of this group removes it.',
				details: NO_BACKUP,
			},
		);
	}
	return new BackupError('not-found', `there is no backup ${group}/${label} in ${storage.location}`, {
		hint: 'Check group and label; list the backups to see which there are.',
		details: NO_BACKUP,
	});
}
