/** What an archive would hold: a walk that reads no contents and writes nothing. */
import { finished } from 'node:stream/promises';
import { createTemporaryFolder, removeTemporaryFolder } from '../../base/temporary-folder';
import type { OpenBackup } from '../source';
import { startArchive } from './archive/host';
import type { ArchiveSummary } from './archive/messages.ts';
import type { FilesContents } from './contents';
import { resolveRoots } from './roots';
import { ARCHIVE_DEFAULTS, basesOf, type FilesOptions } from './source';

/** What an archive would be. */
export interface ArchivePreview {
	/** Bytes are those of the files, before compression. */
	summary: ArchiveSummary;
	/** It would build on another backup. */
	builds: boolean;
	/** Why it would be a full one although it was to build on another; null where there is no such reason. */
	note: string | null;
}

/**
 * Looks at everything that an archive would hold.
 * @param base what a differential or incremental one would build on; null for a full one
 * @throws BackupError 'source-missing', 'access-denied', 'invalid-input'; those of opening the base
 */
export async function previewArchive(
	options: Omit<FilesOptions, 'onSummary' | 'maxLostPercent' | 'mustEncrypt' | 'addition'>,
	base: OpenBackup | null,
	signal: AbortSignal,
): Promise<ArchivePreview> {
	const { paths, assertAllowed, onProgress, ...archiveOptions } = options;
	const roots = resolveRoots(paths, assertAllowed);
	const folder = await createTemporaryFolder('archive');
	try {
		const before = base as OpenBackup<FilesContents> | null;
		const { bases, note } = before ? await basesOf(before, folder, signal) : { bases: [], note: null };
		const job = { roots, options: { ...ARCHIVE_DEFAULTS, ...archiveOptions }, bases, indexFile: null, folder };
		const archive = startArchive(job, {
			...{ signal, onProgress, snapshot: async () => await Promise.resolve({ refused: 'no-database' } as const) },
		});
		await finished(archive.body.resume());
		return { summary: archive.summary(), builds: bases.length > 0, note };
	} finally {
		await removeTemporaryFolder(folder);
	}
}
