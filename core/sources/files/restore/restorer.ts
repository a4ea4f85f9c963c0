/** Restores of archives of files: into a folder, or as a drill into a temporary one. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../../base/errors';
import { sizeText } from '../../../base/size-text';
import { createTemporaryFolder, removeTemporaryFolder } from '../../../base/temporary-folder';
import type { Comparison, Drill, OpenBackup, Restored, Restorer, RestoreRun } from '../../source';
import type { FilesContents } from '../contents';
import { FILES } from '../kind';
import { archiveOf } from '../parts';
import { toError } from '../faults';
import { fromText } from '../names';
import { spoolIndexes } from '../spool';
import { faultOf } from '../thread-faults';
import { runRestore } from './host';
import type { Owners, RestoreJob, RestoreSummary } from './messages.ts';
import { temporaryName } from './restoring';

export interface FilesRestoreOptions {
	/** The folder to restore into: absolute; made where it is missing. Entries keep their whole path below it. */
	to: string;
	/** Patterns in gitignore's syntax of what is wanted; a folder stands for all in it. All when empty. */
	include?: readonly string[];
	/** Restore into a folder that is not empty, and replace what is there. */
	overwrite?: boolean;
	/** @default 'no': everything belongs to who restores */
	owners?: Owners;
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
			if (options.dryRun) return await restoreInto(null, options, backup, run, false);
			const { to, wasMade } = await prepareTarget(options);
			try {
				return await restoreInto(to, options, backup, run, false);
			} catch (error) {
				if (wasMade) await removeIfEmpty(to);
				throw error;
			}
		},
	};
}

/** Restores files into a temporary folder, compares every byte and attribute, and removes it again. */
export function filesDrill(): Drill<FilesContents> {
	return {
		kind: FILES,
		async run(backup, run) {
			const folder = await createTemporaryFolder('archive');
			const startedAt = performance.now();
			try {
				const { comparison } = await restoreInto(folder, {}, backup, run, true);
				const restoreSeconds = (performance.now() - startedAt) / 1000;
				return { scratch: 'a temporary folder', restoreSeconds, comparison, assertions: [] };
			} finally {
				await removeTemporaryFolder(folder);
			}
		},
	};
}

async function restoreInto(
	to: string | null,
	{ include = [], owners = 'no', overwrite = false }: Partial<FilesRestoreOptions>,
	backup: OpenBackup<FilesContents>,
	{ signal, onProgress, warn }: RestoreRun,
	compare: boolean,
): Promise<FilesRestored> {
	const folder = await createTemporaryFolder('archive');
	const target = to ?? folder;
	const temporary = path.join(target, temporaryName());
	try {
		const indexes = await spoolIndexes(backup, folder, signal);
		const job: RestoreJob = {
			...{ indexes, include, owners, overwrite, compare, folder },
			to: fromText(target),
			temporary: fromText(temporary),
			dryRun: to === null,
		};
		const summary = await runRestore(job, { backup, signal, onProgress });
		assertFound(summary, include, backup);
		const { notRestored, notRestoredCount, listed } = summary;
		if (notRestoredCount > 0) {
			const [{ path: first, why }] = notRestored as [(typeof notRestored)[0]];
			warn(
				`${notRestoredCount} ${notRestoredCount === 1 ? 'entry was' : 'entries were'} not restored: ${first}: ${why}${notRestoredCount > 1 ? ', …' : ''}`,
			);
		}
		const comparison = comparisonOf(summary, to === null);
		return { comparison, facts: { ...comparison.figures }, notRestored, listed };
	} finally {
		if (to !== null) await fs.rm(temporary, { recursive: true, force: true });
		await removeTemporaryFolder(folder);
	}
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

/** What is left of a restore that failed before its first entry. */
async function removeIfEmpty(folder: string): Promise<void> {
	try {
		await fs.rmdir(folder);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
	}
}

/**
 * Makes a folder and those above it. Step by step: in /proc, Node's own way never ends.
 * @returns whether it was made
 */
async function makeFolder(folder: string): Promise<boolean> {
	try {
		await fs.mkdir(folder, { mode: 0o700 });
		return true;
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === 'EEXIST') return false;
		if (code !== 'ENOENT' || (await isThere(path.dirname(folder)))) throw error;
	}
	await makeFolder(path.dirname(folder));
	await fs.mkdir(folder, { mode: 0o700 });
	return true;
}

async function isThere(folder: string): Promise<boolean> {
	return await fs.access(folder).then(
		() => true,
		() => false,
	);
}

/**
 * The folder to restore into, links resolved.
 * @throws BackupError 'invalid-input', 'already-exists', 'access-denied'
 */
async function prepareTarget({
	to,
	overwrite = false,
}: FilesRestoreOptions): Promise<{ to: string; wasMade: boolean }> {
	if (!path.isAbsolute(to)) {
		throw new BackupError('invalid-input', `"${to}" is not an absolute path`, {
			hint: 'Write the folder from the root on, e.g. /tmp/restored.',
		});
	}
	try {
		const wasMade = await makeFolder(to);
		const names = await fs.readdir(to);
		if (names.length > 0 && !overwrite) throw notEmpty(to, names);
		return { to: await fs.realpath(to), wasMade };
	} catch (error) {
		if (error instanceof BackupError) throw error;
		const { code } = error as NodeJS.ErrnoException;
		if (code === 'EEXIST' || code === 'ENOTDIR') {
			throw new BackupError('already-exists', `${to} is not a folder`, {
				hint: 'Choose another one to restore into.',
				cause: error,
			});
		}
		const why = toError(faultOf(error, 'restored'));
		throw new BackupError(why.code, `cannot make or read ${to}: ${code}`, { hint: why.hint, cause: error });
	}
}

function notEmpty(to: string, names: readonly string[]): BackupError {
	const isLeft = names.some((name) => name.startsWith('.n8n-backup-restore-'));
	return new BackupError(
		'already-exists',
		`${to} is not empty${isLeft ? ': a restore into it was ended before its end' : ''}`,
		{
			hint: 'Choose an empty folder, or one that does not exist. To replace what is there, allow it.',
		},
	);
}
