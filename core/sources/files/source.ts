/** Folders and files as a source: the archive, its index, and what is to be said of them. */
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { BackupError } from '../../base/errors';
import { createTemporaryFolder, removeTemporaryFolder } from '../../base/temporary-folder';
import type { OpenBackup, OpenSource, Source, SourceFacts } from '../source';
import { startArchive } from './archive/host';
import type { ArchiveOptions, ArchiveSummary } from './archive/messages.ts';
import { type FilesContents, formatContents } from './contents';
import { FILES } from './kind';
import { resolveRoots } from './roots';
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
	/** Called about once a second. */
	onProgress?: (progress: { entries: number; bytes: number }) => void;
	/** Told what was archived, with names, when all of it was read. */
	onSummary?: (summary: ArchiveSummary) => void;
}

/** Folders and files of this host. */
export function filesSource({ paths, onProgress, onSummary, ...options }: FilesOptions): Source {
	return {
		kind: FILES,
		async open({ signal, base }) {
			const roots = resolveRoots(paths);
			const folder = await createTemporaryFolder('archive');
			try {
				const before = base as OpenBackup<FilesContents> | null;
				const bases = before ? await spoolIndexes(before, folder, signal) : [];
				const indexFile = path.join(folder, 'index');
				const archive = startArchive(
					{ roots, options: { ...ARCHIVE_DEFAULTS, ...options }, bases, indexFile, folder },
					{ signal, onProgress, snapshot: async () => await Promise.resolve({ refused: 'no-database' }) },
				);
				return opened({ archive, indexFile, folder, before, onSummary });
			} catch (error) {
				await removeTemporaryFolder(folder);
				throw error;
			}
		},
	};
}

interface Opened {
	archive: ReturnType<typeof startArchive>;
	indexFile: string;
	folder: string;
	before: OpenBackup<FilesContents> | null;
	onSummary?: (summary: ArchiveSummary) => void;
}

function opened({ archive, indexFile, folder, before, onSummary }: Opened): OpenSource {
	return {
		async *parts() {
			yield { role: 'data', name: 'archive.tar', body: archive.body, recycle: archive.recycle };
			const summary = archive.summary();
			assertNotEmptied(summary, before?.contents ?? null);
			onSummary?.(summary);
			yield { role: 'index', name: 'index.jsonl', body: fs.createReadStream(indexFile) };
			yield {
				role: 'contents',
				name: 'contents.json',
				body: Readable.from([Buffer.from(formatContents(contentsOf(summary)))]),
			};
		},
		finish: async () => await Promise.resolve(factsOf(archive.summary())),
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
