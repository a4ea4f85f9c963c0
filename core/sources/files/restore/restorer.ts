/** Restores of archives of files: into a folder, or as a drill into a temporary one. */
import { BackupError, isBackupError } from '../../../base/errors';
import { sizeText } from '../../../base/size-text';
import { createTemporaryFolder, removeTemporaryFolder } from '../../../base/temporary-folder';
import { askAll, prepareChecks } from '../../checks';
import type { Check, Comparison, Drill, OpenBackup, Restored, Restorer, RestoreRun } from '../../source';
import type { FilesContents } from '../contents';
import { FILES } from '../kind';
import { archiveOf } from '../parts';
import { fromText } from '../names';
import { spoolIndexes } from '../spool';
import { prepareDestination, removeIfEmpty, removeTemporary, temporaryName } from './destination';
import { runRestore } from './host';
import type { Owners, RestoreJob, RestoreSummary } from './messages.ts';
import { unmatchedWarning } from './wanted.ts';

export interface FilesRestoreOptions {
	/** The folder to restore into: absolute; made where it is missing. Entries keep their whole path below it. */
	to: string;
	/** Patterns in gitignore's syntax of what is wanted; a folder stands for all in it. All when empty. */
	include?: readonly string[];
	/** Restore into a folder that is not empty, and replace what is there. */
	overwrite?: boolean;
	/** @default 'no': everything belongs to who restores */
	owners?: Owners;
	/** Of a bucket: also versions that were not current, and delete markers, which become empty files. */
	versions?: boolean;
	/** Write nothing: say what would be restored. */
	dryRun?: boolean;
}

/** What came of a restore of files. */
export interface FilesRestored extends Restored {
	/** What could not be made here, by path, with the reason; at most a hundred. */
	notRestored: RestoreSummary['notRestored'];
	/** Of a dry run: the first thousand entries. */
	listed: string[];
}

/** Restores files into a folder. */
export function filesRestorer(options: FilesRestoreOptions): Restorer<FilesContents, FilesRestored> {
	return {
		kind: FILES,
		async restore(backup, run) {
			// A key that opens the index and no data must not leave half a tree.
			await backup.openAt(archiveOf(backup.manifest));
			if (options.dryRun) return await restoreInto(null, options, backup, run);
			const { to, wasMade } = await prepareDestination(options, run.warn);
			const files = new Int32Array(new SharedArrayBuffer(4));
			try {
				return await restoreInto(to, options, backup, run, { files });
			} catch (error) {
				if (wasMade) await removeIfEmpty(to);
				throw files[0]! > 0 && isBackupError(error) ? error.withHint(whatRemains(files[0]!, to)) : error;
			}
		},
	};
}

/** Asks a restored archive, which is given as the folder with it. */
export type FilesCheck = Check<FilesContents, string>;

/** Restores files into a temporary folder, compares every byte and attribute, and removes it again. */
export function filesDrill({ checks = [] }: { checks?: ReadonlyArray<FilesCheck> } = {}): Drill<FilesContents> {
	return {
		kind: FILES,
		async run(backup, run) {
			const questions = await prepareChecks(checks, backup, run);
			const folder = await createTemporaryFolder('archive');
			const startedAt = performance.now();
			try {
				const { comparison } = await restoreInto(folder, { versions: true }, backup, run, { compare: true });
				const restoreSeconds = (performance.now() - startedAt) / 1000;
				const assertions = await askAll(questions, folder);
				return { scratch: 'a temporary folder', restoreSeconds, comparison, assertions };
			} finally {
				await removeTemporaryFolder(folder);
			}
		},
	};
}

async function restoreInto(
	to: string | null,
	{ include = [], owners = 'no', overwrite = false, versions = false }: Partial<FilesRestoreOptions>,
	backup: OpenBackup<FilesContents>,
	{ signal, onProgress, warn }: RestoreRun,
	{ compare = false, files = new Int32Array(1) }: Partial<Pick<RestoreJob, 'compare' | 'files'>> = {},
): Promise<FilesRestored> {
	const folder = await createTemporaryFolder('archive');
	const temporary = temporaryName();
	try {
		const indexes = await spoolIndexes(backup, folder, signal);
		const job: RestoreJob = {
			...{ indexes, include, owners, overwrite, versions, compare, files, folder },
			to: fromText(to ?? folder),
			temporary: fromText(temporary),
			dryRun: to === null,
		};
		const summary = await runRestore(job, { backup, signal, onProgress });
		assertFound(summary, include, backup);
		const { notRestored, notRestoredCount, listed, unmatched } = summary;
		const { group, label } = backup.manifest;
		if (unmatched.length > 0) warn(unmatchedWarning(unmatched, `${group}/${label}`));
		if (notRestoredCount > 0) {
			const [{ path: first, why }] = notRestored as [(typeof notRestored)[0]];
			warn(
				`${notRestoredCount} ${notRestoredCount === 1 ? 'entry was' : 'entries were'} not restored: ${first}: ${why}${notRestoredCount > 1 ? ', …' : ''}`,
			);
		}
		const comparison = comparisonOf(summary, to === null);
		return { comparison, facts: { ...comparison.figures }, notRestored, listed };
	} finally {
		if (to !== null) await removeTemporary(to, temporary);
		await removeTemporaryFolder(folder);
	}
}

function whatRemains(files: number, to: string): string {
	const stays = files === 1 ? '1 file that was restored before stays' : `${files} files that were restored before stay`;
	return `${stays} in ${to}, whole. To go on, restore into it again, and allow that what is there is replaced.`;
}

/** @throws BackupError 'not-found' where patterns name nothing */
function assertFound({ counts }: RestoreSummary, include: readonly string[], { manifest }: OpenBackup): void {
	if (include.length === 0 || Object.keys(counts).length > 0) return;
	throw new BackupError(
		'not-found',
		`nothing in ${manifest.group}/${manifest.label} has a name like ${include.join(', ')}`,
		{
			hint: 'List what is inside: paths there begin without a slash. A pattern is as in a .gitignore.',
		},
	);
}

function comparisonOf({ counts, bytes, differences, differencesCount }: RestoreSummary, isDryRun: boolean): Comparison {
	const { file = 0, link = 0, directory = 0 } = counts;
	const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
	const files = file + link;
	const figures = { entries: all, files, folders: directory, bytes, differences: differencesCount };
	const what = `${files} ${files === 1 ? 'file' : 'files'} of ${sizeText(bytes)} in ${directory} ${directory === 1 ? 'folder' : 'folders'}`;
	if (differencesCount > 0) return { ok: false, says: `${differencesCount} of ${what} differ`, figures, differences };
	return { ok: true, says: isDryRun ? `${what} would be restored` : `${what} as they were`, figures, differences };
}
