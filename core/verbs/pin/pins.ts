/** Pins: a pinned backup is one that no policy removes. */
import { PIN, objectKey } from '../../records/layout';
import { assertReason, backupExists, missing, onBackup, type OneBackupRequest } from '../one-backup';

export interface PinRequest extends OneBackupRequest {
	/** Why, for people, up to 500 characters. Whoever reads the storage can read it. */
	reason?: string;
}

export interface PinResult {
	group: string;
	label: string;
	pinned: boolean;
	/** false: it was so before. */
	changed: boolean;
	warnings: string[];
}

/**
 * Pins a backup. An earlier pin stays as it is.
 * @throws BackupError 'not-found' when there is no such backup, 'invalid-manifest' and others when nobody can read it, 'locked' while retention does not end, 'invalid-input'
 */
export async function pinBackup(request: PinRequest): Promise<PinResult> {
	const { group, label } = request;
	const reason = assertReason(request.reason, 'the pin');
	const { value, warnings } = await onBackup('pin', request, async ({ repository, signal }) => {
		// What nobody can restore is not worth keeping: whoever pins it should hear of that.
		await repository.readManifest(group, label, signal);
		const changed = await repository.writePin(group, label, { at: new Date().toISOString(), reason }, signal);
		// Somebody may have removed it by hand, and a pin alone is nothing.
		if (await backupExists(repository, group, label)) return { changed };
		await repository.removePin(group, label);
		throw await missing(request);
	});
	return { group, label, pinned: true, ...value, warnings };
}

/**
 * Lets retention decide about a backup again.
 * @throws BackupError 'not-found' when there is no such backup, 'locked' while retention does not end
 */
export async function unpinBackup(request: OneBackupRequest): Promise<PinResult> {
	const { group, label } = request;
	const { value, warnings } = await onBackup('unpin', request, async ({ repository }) => {
		const changed = (await repository.storage.stat(objectKey(group, label, PIN))) !== null;
		await repository.removePin(group, label);
		return { changed };
	});
	return { group, label, pinned: false, ...value, warnings };
}
