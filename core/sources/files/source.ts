/** Folders and files as a source: the archive, its index, and what is to be said of them. */
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { BackupError, isBackupError } from '../../base/errors';
import { createTemporaryFolder, removeTemporaryFolder } from '../../base/temporary-folder';
import type { Manifest } from '../../records/manifest';
import type { OpenBackup, OpenSource, Source, SourceDetails, SourceFacts } from '../source';
import { MAX_LOST_PERCENT, shrunkSince } from '../shrunk';
import type { DatabaseCopy } from '../sqlite/messages';
import { snapshotSqlite } from '../sqlite/snapshot';
import { startArchive } from './archive/host';
import type { ArchiveOptions, ArchiveSummary, Root } from './archive/messages.ts';
import { type FilesContents, formatContents } from './contents';
import { FILES } from './kind';
import { type Bytes, toDisplay, nameToText } from './names';
import { type AssertAllowed, resolveRoots } from './roots';
import { spoolIndexes } from './spool';

export const ARCHIVE_DEFAULTS: ArchiveOptions = {
	exclude: [],
	skipTagged: true,
	oneFileSystem: false,
	maxFileBytes: null,
	compareContents: false,
	sqlite: true,
};

export interface FilesOptions extends Partial<ArchiveOptions> {
	/** Absolute paths of folders or files. */
	paths: readonly string[];
	/** A person must approve it when more of the entries or bytes than this are gone since the backup before, percent. @default 50 */
	maxLostPercent?: number;
	/** Called with each path, and with where its links lead, before it is read. */
	assertAllowed?: AssertAllowed;
	/** Why these paths, whose links are resolved, may not be stored in the clear, as a sentence; undefined where they may. */
	mustEncrypt?: (real: readonly string[]) => string | undefined;
	/** Facts of the host for the manifest, in the clear, and what it is to be warned of. */
	addition?: Pick<ArchiveAddition, 'details' | 'warnings'>;
	/** Called about once a second. */
	onProgress?: (progress: { entries: number; bytes: number }) => void;
	/** Told what was archived, with names, when all of it was read. */
	onSummary?: (summary: ArchiveSummary) => void;
}

/** What a source that is made of files says beside them. */
export interface ArchiveAddition {
	/** For the contents: it is encrypted whenever the backup is, and the host can read it. */
	record: unknown;
	/** For the manifest, in the clear. */
	details: SourceDetails;
	warnings: readonly string[];
	/** Something that was there is not in the archive. */
	incomplete: boolean;
}

/** Folders and files of this host. */
export function filesSource(options: FilesOptions): Source {
	const { paths, assertAllowed, mustEncrypt, addition, ...rest } = options;
	const roots = () => resolveRoots(paths, assertAllowed);
	return {
		kind: FILES,
		get mustEncrypt() {
			return mustEncrypt && whyEncrypt(roots, mustEncrypt);
		},
		async open(run) {
			const added = addition && { record: undefined, incomplete: false, ...addition };
			return await openArchive(roots(), { ...rest, addition: added }, run);
		},
	};
}

function whyEncrypt(roots: () => Root[], mustEncrypt: (real: readonly string[]) => string | undefined) {
	try {
		return mustEncrypt(roots().map(({ real }) => nameToText(real) ?? toDisplay(real)));
	} catch (error) {
		// Opening it will say the same, within a run that is noted.
		if (isBackupError(error)) return undefined;
		throw error;
	}
}

/**
 * Opens an archive of what lies at some places.
 * @param roots in the order of {@link sortRoots}, none within another
 * @throws BackupError as opening a source does
 */
export async function openArchive(
	roots: readonly Root[],
	options: Omit<FilesOptions, 'paths' | 'assertAllowed' | 'mustEncrypt' | 'addition'> & { addition?: ArchiveAddition },
	{ signal, base, previous }: Pick<Parameters<Source['open']>[0], 'signal' | 'base' | 'previous'>,
): Promise<OpenSource> {
	const { onProgress, onSummary, addition, maxLostPercent = MAX_LOST_PERCENT, ...archiveOptions } = options;
	const folder = await createTemporaryFolder('archive');
	try {
		const before = base as OpenBackup<FilesContents> | null;
		const { bases, note } = before ? await basesOf(before, folder, signal) : { bases: [], note: null };
		const indexFile = path.join(folder, 'index');
		const archive = startArchive(
			{ roots, options: { ...ARCHIVE_DEFAULTS, ...archiveOptions }, bases, indexFile, folder },
			{ signal, onProgress, snapshot: async (from) => await copyDatabase(from, folder, signal) },
		);
		const built = bases.length > 0 ? before : null;
		return opened({ archive, indexFile, folder, before: built, note, previous, onSummary, maxLostPercent, addition });
	} catch (error) {
		await removeTemporaryFolder(folder);
		throw error;
	}
}

/** What makes a backup unusable to build on, and a full one possible all the same. */
const WAY_OUT = ['damaged', 'incomplete', 'not-found', 'invalid-manifest'] as const;

/**
 * Unpacks the indexes of what a backup builds on; none, and why, where they cannot be read: then it is a full one.
 * @throws BackupError of a storage that cannot be read now, or of another key
 */
export async function basesOf(
	before: OpenBackup,
	folder: string,
	signal: AbortSignal,
): Promise<{ bases: string[]; note: string | null }> {
	try {
		return { bases: await spoolIndexes(before, folder, signal), note: null };
	} catch (error) {
		if (!isBackupError(error, ...WAY_OUT)) throw error;
		const { group, label } = before.manifest;
		const note = `made a full backup, because the index of ${group}/${label} or of its parents cannot be read: ${error.message}`;
		return { bases: [], note };
	}
}

/** SQLite takes names as text only: a file with another one is read as it is. */
async function copyDatabase(from: Bytes, folder: string, signal: AbortSignal): Promise<DatabaseCopy> {
	const file = nameToText(from);
	return file === null ? { refused: 'locked' } : await snapshotSqlite(file, folder, signal);
}

interface Opened {
	archive: ReturnType<typeof startArchive>;
	indexFile: string;
	folder: string;
	/** What it builds on. */
	before: OpenBackup<FilesContents> | null;
	/** Why it is full although it was to build on another. */
	note: string | null;
	previous: Manifest | null;
	maxLostPercent: number;
	onSummary?: (summary: ArchiveSummary) => void;
	addition?: ArchiveAddition;
}

function opened(options: Opened): OpenSource {
	const { archive, indexFile, folder, before, note, previous, onSummary, maxLostPercent, addition } = options;
	return {
		...(note !== null && { type: 'full' }),
		async *parts() {
			yield { role: 'data', name: 'archive.tar', body: archive.body, recycle: archive.recycle };
			const summary = archive.summary();
			assertNotEmptied(summary, before?.contents ?? null);
			assertNotEmpty(summary, previous);
			onSummary?.(summary);
			yield { role: 'index', name: 'index.jsonl', body: fs.createReadStream(indexFile) };
			yield {
				role: 'contents',
				name: 'contents.json',
				body: Readable.from([Buffer.from(formatContents({ ...contentsOf(summary), record: addition?.record }))]),
			};
		},
		async finish() {
			const facts = factsOf(archive.summary());
			const shrunk = shrunkSince(previous, facts.details, {
				kind: FILES,
				what: ['files', 'bytes'],
				maxPercent: maxLostPercent,
			});
			return await Promise.resolve({
				details: { ...facts.details, ...addition?.details },
				warnings: [...(note === null ? [] : [note]), ...facts.warnings, ...(addition?.warnings ?? [])],
				incomplete: facts.incomplete || addition?.incomplete,
				shrunk,
			});
		},
		async close() {
			archive.body.destroy();
			await removeTemporaryFolder(folder);
		},
	};
}

function contentsOf({ roots, counts, bytes, stored, named, remarks }: ArchiveSummary): FilesContents {
	return { version: 1, roots, counts, bytes, stored, named, remarks };
}

/**
 * A folder that was emptied, or whose disk is not mounted, must not become a backup of nothing.
 * @throws BackupError 'source-missing'
 */
function assertNotEmptied({ roots }: ArchiveSummary, before: FilesContents | null): void {
	for (const root of roots) {
		const was = before?.roots.find(({ path: each }) => each === root.path);
		if (!was) continue;
		if (was.mounted && !root.mounted) {
			throw new BackupError('source-missing', `${root.path} is not mounted; it was when the backup before was made`, {
				hint: 'Mount it. If it is meant to be like this, make a full backup.',
			});
		}
		if (was.entries > 1 && root.entries <= 1) {
			throw new BackupError(
				'source-missing',
				`${root.path} is empty; the backup before has ${was.entries - 1} entries of it`,
				{
					hint: 'Is its disk mounted? If it is meant to be empty, make a full backup.',
				},
			);
		}
	}
}

/**
 * The same where a full backup is made, which reads nothing of the one before but its manifest.
 * @throws BackupError 'source-missing'
 */
function assertNotEmpty({ counts, roots }: ArchiveSummary, previous: Manifest | null): void {
	const { files = 0, others = 0 } = previous?.source.kind === FILES ? previous.source.details : {};
	const had = Number(files) + Number(others);
	const { directory = 0, ...rest } = counts;
	if (had === 0 || directory > roots.length || Object.keys(rest).length > 0) return;
	throw new BackupError('source-missing', `there are no files; ${previous!.label} has ${had}`, {
		hint: 'Are the disks mounted? If there are meant to be none, there is nothing to back up: stop the schedule.',
	});
}

/** What may stand in the clear: counts, and no names. */
function factsOf({ roots, counts, bytes, stored, remarks, incomplete }: ArchiveSummary): SourceFacts {
	const { file = 0, directory = 0, ...others } = counts;
	const other = Object.values(others).reduce((sum, count) => sum + count, 0);
	return {
		details: {
			...{ roots: roots.length, files: file, folders: directory, others: other, bytes },
			...{ storedEntries: stored.entries, storedBytes: stored.bytes, goneEntries: stored.gone },
		},
		warnings: Object.entries(remarks).flatMap(([remark, count]) => {
			const text = REMARKS[remark];
			return text === undefined ? [] : [text(count)];
		}),
		incomplete,
	};
}

const entries = (count: number) => (count === 1 ? '1 entry' : `${count} entries`);
/** Remarks that need somebody's eye. Others are in the contents only. */
const REMARKS: Record<string, (count: number) => string> = {
	changed: (count) =>
		`${entries(count)} changed while being read, also at the second attempt: stored as read; the contents name them`,
	unreadable: (count) => `${entries(count)} could not be read; the contents name them`,
	vanished: (count) => `${entries(count)} vanished while the archive was made; the contents name them`,
	'damaged-database': (count) =>
		`${entries(count)} of SQLite are damaged by its own judgement: stored as they are; the contents name them`,
	'locked-database': (count) =>
		`${entries(count)} of SQLite were locked: stored as they were, not as one moment; the contents name them`,
};
