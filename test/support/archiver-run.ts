/** The work of the thread that archives, done in this one: so that a test can change files between two of its calls to the system. */
import fs from 'node:fs';
import path from 'node:path';
import { Archiver } from '../../core/sources/files/archive/archiver';
import type { DatabaseCopy } from '../../core/sources/sqlite/messages';
import type { ArchiveOptions, ArchiveSummary } from '../../core/sources/files/archive/messages';
import { Output } from '../../core/sources/files/archive/output';
import { type Entry, parseEntry } from '../../core/sources/files/entry';
import { resolveRoots } from '../../core/sources/files/roots';
import { ARCHIVE_DEFAULTS } from '../../core/sources/files/source';

export interface RunOptions {
	/** What came before, the full one first. */
	chain?: readonly ArchiverRun[];
	options?: Partial<ArchiveOptions>;
	/** Called after each entry. */
	onEntry?: (entries: number) => void;
	/** Called whenever so many more bytes were written. */
	onBytes?: (position: number) => void;
	/** How many. @default 1 MiB */
	chunkBytes?: number;
	snapshot?: (from: string) => Promise<DatabaseCopy>;
}

export interface ArchiverRun {
	/** The archive, a file. */
	tar: string;
	/** The index, a file. */
	index: string;
	summary: ArchiveSummary;
	/** What the index says. */
	entries: Entry[];
}

/**
 * Archives some roots.
 * @param folder where the archive and the index are made
 */
export async function runArchiver(
	roots: readonly string[],
	folder: string,
	{ chain = [], options, onEntry, onBytes, chunkBytes = 1024 * 1024, snapshot }: RunOptions = {},
): Promise<ArchiverRun> {
	const name = path.join(fs.mkdtempSync(path.join(folder, 'run-')), 'archive');
	const [tar, index] = [`${name}.tar`, `${name}.index`];
	const fd = fs.openSync(tar, 'w');
	let position = 0;
	const output = new Output({
		send(bytes) {
			fs.writeSync(fd, bytes);
			position += bytes.length;
			onBytes?.(position);
		},
		next: () => new Uint8Array(chunkBytes),
	});
	try {
		const archiver = new Archiver(
			{
				...{ roots: resolveRoots(roots), indexFile: index, folder, gate: new Int32Array(new SharedArrayBuffer(4)) },
				bases: chain.map((each) => each.index).reverse(),
				options: { ...ARCHIVE_DEFAULTS, ...options },
			},
			output,
			{
				onEntry: (entries) => onEntry?.(entries),
				snapshot: snapshot ?? (async () => await Promise.resolve({ refused: 'no-database' })),
			},
		);
		const summary = await archiver.run();
		const lines = fs.readFileSync(index, 'utf8').split('\n').slice(0, -1);
		return { tar, index, summary, entries: lines.map(parseEntry) };
	} finally {
		fs.closeSync(fd);
	}
}
