/** Whether an archive of a base backup holds every file that the server listed, each as it was, with sound pages, while its bytes pass. */
import { counted } from '../../../../base/counted';
import { BackupError } from '../../../../base/errors';
import { crc32cOf, CRC32C_START, updateCrc32c } from '../../../../codecs/digest/crc32c';
import type { StoredPart } from '../../../../records/manifest';
import type { DataCheck, OpenBackup } from '../../../source';
import { parseLsn } from '../lsn';
import type { ClusterContents } from './contents';
import { type ListedFile } from './file-list';
import { PageCheck } from './page-check';
import { archivePartOf, readListedFiles } from './parts';
import { TarReader } from './tar-reader';

/**
 * Begins to compare one archive with the list of files, which is read first.
 * @throws BackupError as opening the list does
 */
export async function checkArchive(backup: OpenBackup<ClusterContents>, part: StoredPart): Promise<DataCheck> {
	const { group, label } = backup.manifest;
	const archive = archivePartOf(part);
	const expected = new FileCheck(`${group}/${label}`, await readListedFiles(backup), archive.prefix);
	const { checksums, start } = backup.contents;
	const pages = checksums ? new PageCheck(parseLsn(start.lsn)) : null;
	const reader = new TarReader(`${group}/${label}/${part.name}`, (entry) => {
		if (entry.type !== 'file') return NO_BYTES;
		const path = archive.prefix + entry.path;
		const check = expected.begin(path);
		const blocks = pages?.begin(path);
		return {
			take(chunk) {
				check?.take(chunk);
				blocks?.take(chunk);
			},
			end: () => check?.end(),
		};
	});
	return {
		add: (chunk) => reader.add(chunk),
		end() {
			reader.end();
			expected.end();
			if (pages && pages.damaged > 0) throw damagedPages(`${group}/${label}`, pages);
		},
	};
}

const NO_BYTES = { take: () => undefined, end: () => undefined };

/** @param backup what has them, for messages */
export function damagedPages(backup: string, { damaged, examples }: PageCheck): BackupError {
	const more = damaged > examples.length ? ', …' : '';
	return new BackupError(
		'damaged',
		`${backup} has ${counted(damaged, 'page')} whose checksum is wrong: ${examples.join(', ')}${more}`,
		{
			hint: 'The server’s disk or memory damaged them before they were backed up. Look at that machine, find what they belong to (SELECT oid::regclass FROM pg_class WHERE relfilenode = the number of the file), and take these tables from an earlier backup.',
		},
	);
}

/** What the server lists of one archive, and what of it has come. */
export class FileCheck {
	readonly #expected: Map<string, ListedFile>;
	readonly #backup: string;
	/** Files that were as listed. */
	files = 0;
	bytes = 0;

	/** @param prefix of the paths in the list that belong to this archive; `''` for those of no tablespace */
	constructor(backup: string, list: readonly ListedFile[], prefix: string) {
		this.#backup = backup;
		const isOurs = ({ path }: ListedFile) =>
			prefix === '' ? !/^pg_tblspc\/\d+\//.test(path) : path.startsWith(prefix);
		this.#expected = new Map(list.filter(isOurs).map((file) => [file.path, file]));
	}

	/**
	 * A file begins.
	 * @returns null for files that the server does not list: those of the log, and the list itself
	 * @throws BackupError 'damaged' for any other
	 */
	begin(path: string): { take(chunk: Buffer): void; end(): void } | null {
		const file = this.#expected.get(path);
		if (!file) {
			if (path.startsWith('pg_wal/')) return null;
			throw this.#damaged(`holds ${path}, which the server did not list`);
		}
		this.#expected.delete(path);
		let size = 0;
		let crc = CRC32C_START;
		return {
			take: (chunk) => {
				size += chunk.length;
				if (file.crc32c !== null) crc = updateCrc32c(crc, chunk);
			},
			end: () => {
				if (size !== file.size) throw this.#damaged(`has ${path} with ${size} bytes, not ${file.size}`);
				if (file.crc32c !== null && crc32cOf(crc) !== file.crc32c) {
					throw this.#damaged(`has other bytes in ${path} than the server listed`);
				}
				this.files++;
				this.bytes += size;
			},
		};
	}

	/** @throws BackupError 'damaged' where a listed file has not come */
	end(): void {
		const [missing] = this.#expected.keys();
		if (missing !== undefined) throw this.#damaged(`lacks ${missing}, and ${this.#expected.size - 1} more files`);
	}

	#damaged(why: string): BackupError {
		return new BackupError('damaged', `${this.#backup} ${why}`, {
			hint: 'It was damaged before it was stored, or the server made it so. Make another base backup.',
		});
	}
}
