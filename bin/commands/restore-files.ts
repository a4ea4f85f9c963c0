/** Where files are restored to, as the options of `n8n-backup restore` say, and what is told of it. */
import { filesRestorer, type FilesRestored } from '../../core/sources/files/restore/restorer';
import type { Owners } from '../../core/sources/files/restore/messages';
import { printLine } from '../output';
import type { RestoreWay } from './restore-way';
import path from 'node:path';

/** Options that only files have. */
export interface FilesRestoreOptions {
	to: string;
	include?: string[];
	overwrite?: boolean;
	owners: Owners;
	dryRun?: boolean;
}

/** @throws BackupError 'invalid-input' */
export function filesWay(options: FilesRestoreOptions): RestoreWay<FilesRestored> {
	const to = path.resolve(options.to);
	return {
		restorer: filesRestorer({ ...options, to, include: options.include ?? [] }),
		progress: () => '',
		show({ group, label, comparison, listed, seconds }, asOf) {
			for (const name of listed) printLine(name);
			const where = options.dryRun ? '' : ` in ${to}, in ${seconds.toFixed(1)} s`;
			printLine(`${group}/${label}: ${comparison.says}${where}`);
			printLine(asOf);
		},
	};
}
