/** The parts of a base backup, and what each is for. */
import type { Readable } from 'node:stream';
import { BackupError } from '../../../../base/errors';
import type { StoredPart } from '../../../../records/manifest';
import type { OpenBackup } from '../../../source';
import { BACKUP_MANIFEST } from './base-backup';
import type { ClusterContents } from './contents';
import { type ListedFile, readFileList } from './file-list';

/** An archive of a base backup. */
export interface ArchivePart {
	/** The number of the tablespace; null for the archive of everything else. */
	tablespace: number | null;
	/** What the server's list puts before the paths in the archive. */
	prefix: string;
}

/**
 * Which archive a part is, by its name.
 * @throws BackupError 'damaged'
 */
export function archivePartOf({ name }: StoredPart): ArchivePart {
	const [, base, oid] = /^(?:(base)|(\d{1,10}))\.tar(?:\.|$)/.exec(name) ?? [];
	if (base !== undefined) return { tablespace: null, prefix: '' };
	if (oid !== undefined) return { tablespace: Number(oid), prefix: `pg_tblspc/${oid}/` };
	throw new BackupError('damaged', `a base backup has no part ${name}`, {
		hint: 'No program of ours writes that. Use another backup.',
	});
}

/**
 * Reads the server's list of files.
 * @throws BackupError 'damaged', and as opening a part does
 */
export async function readListedFiles(backup: OpenBackup<ClusterContents>): Promise<ListedFile[]> {
	const { group, label } = backup.manifest;
	return await readFileList(await openList(backup), `${group}/${label}`);
}

/** The list as the server wrote it. @throws BackupError 'damaged', and as opening a part does */
export async function openList(backup: OpenBackup<ClusterContents>): Promise<Readable> {
	const { group, label, parts } = backup.manifest;
	const part = parts.find(({ role, name }) => role === 'index' && name.startsWith(BACKUP_MANIFEST));
	if (part) return await backup.open(part);
	throw new BackupError('damaged', `${group}/${label} has no list of files`, {
		hint: 'No program of ours writes that. Use another backup.',
	});
}
