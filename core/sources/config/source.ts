/** The configuration of a server as a source: an archive of files, of which secrets are removed or which must be encrypted. */
import { isBackupError } from '../../base/errors';
import { createTemporaryFolder, removeTemporaryFolder } from '../../base/temporary-folder';
import type { FilesContents } from '../files/contents';
import { FILES } from '../files/kind';
import { sortRoots } from '../files/roots';
import { type ArchiveAddition, openArchive } from '../files/source';
import type { OpenSource, Source, SourceDetails } from '../source';
import { type ConfigChange, changesBetween } from './changes';
import { type ConfigOptions, type ConfigReport, gather } from './gather';
import { Staged } from './staged';
import { readRecord, type RecordedFile, type VersionRecord } from './version-record';

export type { ConfigOptions, ConfigReport } from './gather';

/** The name of the version record among the files of an archive. */
export const RECORD_FILE = 'n8n-backup-version-record.json';

/** The configuration of this host. Its backups are archives of files, and always full ones. */
export function configSource(options: ConfigOptions): Source {
	return {
		kind: FILES,
		...(options.secrets === 'kept' && {
			mustEncrypt: 'Its secrets are kept: give recipients or a passphrase, or have the secrets removed.',
		}),
		async open({ signal, previous, readPrevious }) {
			const folder = await createTemporaryFolder('archive');
			try {
				const staged = new Staged(folder);
				const report = await gather(options, staged, signal);
				report.changes = await changesSince(readPrevious, report.record);
				await staged.addNew(RECORD_FILE, forReaders(report.record));
				options.onReport?.(report);
				const addition = additionOf(report);
				const how = { addition, sqlite: false, skipTagged: false };
				const archive = await openArchive(sortRoots(staged.roots), how, { signal, base: null, previous });
				return closing({ ...archive, type: 'full' }, folder);
			} catch (error) {
				await removeTemporaryFolder(folder);
				throw error;
			}
		},
	};
}

/** The same, with the copies removed in the end. */
function closing(archive: OpenSource, folder: string): OpenSource {
	return {
		...archive,
		async close() {
			try {
				await archive.close();
			} finally {
				await removeTemporaryFolder(folder);
			}
		},
	};
}

async function changesSince(
	readPrevious: (() => Promise<unknown>) | undefined,
	now: VersionRecord,
): Promise<ConfigChange[] | null> {
	try {
		const contents = (await readPrevious?.()) as Partial<FilesContents> | null | undefined;
		const before = readRecord(contents?.record);
		return before && changesBetween(before, now);
	} catch (error) {
		// What changed is good to know. A backup that cannot be read any more is the business of verifications.
		if (isBackupError(error, 'damaged', 'incomplete', 'not-found', 'newer-format')) return null;
		throw error;
	}
}

/** What the manifest says of it, in the clear: counts, and no names. */
function additionOf({ record, remarks }: ConfigReport): ArchiveAddition {
	const { files } = record;
	const count = (done: RecordedFile['done']) => files.filter((file) => file.done === done).length;
	const ends = files.flatMap((file) => file.certificates.map(({ notAfter }) => notAfter)).sort();
	const details: SourceDetails = {
		secrets: record.secrets,
		...{ sanitisedFiles: count('sanitised'), leftOutFiles: count('left out') },
		...{ certificates: ends.length, firstCertificateEnd: ends[0] ?? null },
	};
	const incomplete = files.some(({ why }) => why?.startsWith('cannot be read'));
	return { record, details, warnings: remarks.counted, incomplete };
}

/** The record without its digests, which are for the next backup only. */
function forReaders(record: VersionRecord): Buffer {
	const files = record.files.map(({ found: _, settings: __, archived: ___, ...file }) => file);
	const { digestKey: _, ...rest } = { ...record, files };
	return Buffer.from(`${JSON.stringify(rest, null, 2)}\n`);
}
