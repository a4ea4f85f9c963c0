/** Where files are restored to, as the options of `n8n-backup restore` say, and what is told of it. */
import { BackupError } from '../../core/base/errors';
import { BUCKET } from '../../core/sources/bucket/kind';
import { bucketFolderRestorer } from '../../core/sources/bucket/restore';
import { filesRestorer, type FilesRestored } from '../../core/sources/files/restore/restorer';
import type { Owners } from '../../core/sources/files/restore/messages';
import { printLine } from '../output';
import type { RestoreWay } from './restore-way';
import path from 'node:path';

/** Options that only files have. */
export interface FilesFlags {
	to: string;
	include?: string[];
	overwrite?: boolean;
	owners: Owners;
	dryRun?: boolean;
	versions?: boolean;
}

/**
 * @param kind what the backup is of: a folder takes objects of a bucket as well
 * @throws BackupError 'invalid-input'
 */
export function filesWay(options: FilesFlags, kind: string): RestoreWay<FilesRestored> {
	if (options.versions && kind !== BUCKET) {
		throw new BackupError('invalid-input', '--versions is given, and the backup is not one of a bucket', {
			hint: 'Only objects of a bucket have versions.',
		});
	}
	const to = path.resolve(options.to);
	const wanted = { ...options, to, include: options.include ?? [] };
	return {
		restorer: kind === BUCKET ? bucketFolderRestorer(wanted) : filesRestorer(wanted),
		progress: () => '',
		show({ group, label, comparison, listed, seconds }, asOf) {
			for (const name of listed) printLine(name);
			const where = options.dryRun ? '' : ` in ${to}, in ${seconds.toFixed(1)} s`;
			printLine(`${group}/${label}: ${comparison.says}${where}`);
			printLine(asOf);
		},
	};
}
