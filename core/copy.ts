/** Copies backups to other storages, byte for byte: one with its parents, all that a storage lacks, or to several at once. */
import type { CopyChoice, CopyOptions, CopyResult, CopySubject, CopySummary } from './copy-types';
import { BackupError } from './errors';
import type { Storage } from './storage/storage';

export type { CopyChoice, CopyOptions, CopyProgress, CopyResult, CopySubject, CopySummary } from './copy-types';

/** Copies one backup and the parents that it needs. */
export async function copyBackup({ group, label }: CopyOptions & CopySubject & { to: Storage }): Promise<CopyResult> {
	throw new BackupError('unsupported', `${group}/${label} cannot be copied yet`);
}

/** Copies all that a storage lacks. */
export async function copyMissing({ to }: CopyOptions & CopyChoice & { to: Storage }): Promise<CopyResult[]> {
	throw new BackupError('unsupported', `nothing can be copied to ${to.location} yet`);
}

/** Copies one backup, or with `missing` all that each one lacks, to several storages side by side. */
export async function copyToAll({
	to,
}: CopyOptions & { to: readonly Storage[] } & (CopySubject | { missing: CopyChoice })): Promise<CopySummary> {
	throw new BackupError('unsupported', `nothing can be copied to ${to.length} storages yet`);
}
