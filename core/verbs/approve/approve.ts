/**
 * Approving: a person says that what the source of a backup had then is right, however much less it was than before. From then on
 * retention may remove older backups again, and later ones are compared with this one.
 */
import { BackupError } from '../../base/errors';
import { isApproved, lossText, openLosses, writeApproval } from '../../records/approval';
import { objectKey, APPROVED } from '../../records/layout';
import type { Repository } from '../../records/repository';
import { readNewest } from '../../records/same-server';
import { assertReason, onBackup, type OneBackupRequest } from '../one-backup';

export interface ApproveRequest extends OneBackupRequest {
	/** Why it is right, for people, up to 500 characters. Whoever reads the storage can read it. */
	reason?: string;
}

export interface ApproveResult {
	group: string;
	label: string;
	/** false: it was approved before. */
	changed: boolean;
	/** What was lost up to this backup and is approved now, in sentences. */
	approved: string[];
	warnings: string[];
}

/**
 * Approves all that a group lost up to one backup.
 * @throws BackupError 'not-found' when there is no such backup, 'invalid-manifest' and others when nobody can read it, 'locked' while
 * retention does not end, 'invalid-input' also where signatures are looked at and there is no key to sign with
 */
export async function approveBackup(request: ApproveRequest): Promise<ApproveResult> {
	const { group, label } = request;
	const reason = assertReason(request.reason, 'the approval');
	assertSigns(request.repository);
	const { value, warnings } = await onBackup('approve', request, async ({ repository, signal, warn }) => {
		const manifest = await repository.readManifest(group, label, signal);
		const open = await openLosses(repository, manifest, await repository.list(group), signal);
		const isThere = (await repository.storage.stat(objectKey(group, label, APPROVED))) !== null;
		const changed = !isThere || !(await isApproved(repository, { group, label }, signal));
		if (changed) await writeApproval(repository, { group, label, at: new Date().toISOString(), reason }, signal);
		warn(...(await stillOpen(repository, group, signal)));
		return { changed, approved: open.map(lossText) };
	});
	return { group, label, ...value, warnings };
}

/** @throws BackupError 'invalid-input' */
function assertSigns({ authority: { key, signers } }: Repository): void {
	if (key !== null || signers === null) return;
	throw new BackupError('invalid-input', 'an approval without a signature would not count: there are trusted signers', {
		hint: 'Give the signing key too: --signing-key, or the signing key of the storage’s credential.',
	});
}

/** What a newer backup has lost. */
async function stillOpen(repository: Repository, group: string, signal: AbortSignal): Promise<string[]> {
	const newest = await readNewest(repository, group, signal);
	if (newest === null) return [];
	const open = await openLosses(repository, newest.manifest, await repository.list(group), signal);
	return open.map(
		(loss) => `not approved yet: ${lossText(loss)}; approve ${newest.manifest.label} if that is right too`,
	);
}
