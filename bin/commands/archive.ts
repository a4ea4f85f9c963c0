/** n8n-backup archive: folders and files, one backup. */
import { setFlagsFromString } from 'node:v8';
import { counted } from '../../core/base/counted';
import { sizeText } from '../../core/base/size-text';
import { dataSize } from '../../core/records/manifest';
import { assertStorageApart } from '../../core/sources/files/apart';
import type { ArchiveSummary } from '../../core/sources/files/archive/messages.ts';
import { filesSource } from '../../core/sources/files/source';
import { n8nMustEncrypt } from '../../core/sources/n8n/user-folder';
import { openStorage } from '../../core/storage/create';
import { backUp } from '../../core/verbs/backup/backup';
import {
	addBackupOptions,
	addChainOptions,
	addMaxLostOption,
	type BackupOptions,
	type ChainOptions,
	OPENS_BASE,
	printUnprotected,
	readBackupOptions,
	readChainOptions,
	readMaxLost,
} from '../backup-options';
import { type AddCommand, repeated, wholeNumberOption } from '../options';
import { EXIT, printJson, printLine, printNamed, printWarning, showProgress } from '../output';

interface ArchiveOptions extends BackupOptions, ChainOptions {
	path: string[];
	exclude?: string[];
	maxFileSize?: string;
	oneFileSystem?: boolean;
	caches?: boolean;
	compareContents?: boolean;
	sqlite: boolean;
	maxLost: string;
}

const WHAT = 'the files';

export const archiveCommand: AddCommand = (program, run) => {
	const command = program
		.command('archive')
		.description('back up folders and files')
		.requiredOption('--storage <url>', 'where to: file:///path or s3://bucket/prefix?endpoint=…')
		.requiredOption('--group <group>', 'name under which its backups are kept, e.g. files/www')
		.requiredOption('--path <path>', 'a folder or file; may be repeated', repeated);
	addMaxLostOption(command, 'files or bytes');
	addChainOptions(command, 'auto: incremental, and a full one every few days', 'auto');
	addBackupOptions(command, WHAT, OPENS_BASE)
		.option('--exclude <pattern>', 'leave out what matches, as in a .gitignore; may be repeated', repeated)
		.option('--max-file-size <mb>', 'leave out files that are larger, MB')
		.option('--one-file-system', 'leave out what is mounted below a path')
		.option('--caches', 'also what a CACHEDIR.TAG or .nobackup asks to leave out')
		.option('--compare-contents', 'read files that only look changed, and store them only if they are')
		.option('--no-sqlite', 'read SQLite databases like any file, also while somebody writes to them')
		.option('--json', 'print the manifest')
		.action(run(archive));
};

async function archive(options: ArchiveOptions, signal: AbortSignal): Promise<number> {
	const maxFileSize =
		options.maxFileSize === undefined
			? null
			: wholeNumberOption('--max-file-size', options.maxFileSize, 1, 1_000_000_000);
	const settings = await readBackupOptions(options);
	const chain = await readChainOptions(options, settings.encryption);
	const maxLostPercent = readMaxLost(options.maxLost);
	const exclude = options.exclude ?? [];
	// What is under way lies outside of a heap of 15 MB, but counts: V8 would collect it all the time, which takes a tenth of all CPU.
	setFlagsFromString('--heap-growing-percent=400');
	const storage = openStorage(options.storage, process.env);
	let summary: ArchiveSummary | null = null;
	try {
		const { manifest, location } = await backUp({
			storage,
			group: options.group,
			source: filesSource({
				paths: options.path,
				exclude,
				assertAllowed: (_, real) => assertStorageApart(real, storage, exclude),
				mustEncrypt: n8nMustEncrypt,
				maxFileBytes: maxFileSize === null ? null : maxFileSize * 1_000_000,
				oneFileSystem: options.oneFileSystem ?? false,
				skipTagged: !options.caches,
				compareContents: options.compareContents ?? false,
				sqlite: options.sqlite,
				maxLostPercent,
				onSummary: (each) => (summary = each),
				onProgress: ({ entries, bytes }) => showProgress(`${entries} entries, ${sizeText(bytes)}`),
			}),
			...settings,
			...chain,
			signal,
		});
		showProgress(null);
		if (options.json) printJson({ ...manifest, location });
		else {
			for (const warning of manifest.warnings) printWarning(warning);
			printNamed(summary, '/');
			const { files, bytes, storedEntries } = manifest.source.details;
			printLine(
				`${manifest.group}/${manifest.label}: ${counted(Number(files), 'file')} of ${sizeText(Number(bytes))}; ` +
					`${counted(Number(storedEntries), 'entry')} as ${sizeText(dataSize(manifest).storedBytes)} in ${location}`,
			);
			printUnprotected(settings, WHAT);
		}
		return manifest.status === 'whole' ? EXIT.ok : EXIT.incomplete;
	} finally {
		showProgress(null);
		await storage.close();
	}
}
