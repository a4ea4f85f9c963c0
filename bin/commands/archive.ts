/** n8n-backup archive: folders and files, one backup. */
import { Option } from 'commander';
import { BackupError } from '../../core/base/errors';
import { sizeText } from '../../core/base/size-text';
import { dataSize } from '../../core/records/manifest';
import { assertStorageApart } from '../../core/sources/files/apart';
import type { ArchiveSummary } from '../../core/sources/files/archive/messages.ts';
import { filesSource } from '../../core/sources/files/source';
import { n8nMustEncrypt } from '../../core/sources/n8n/user-folder';
import { openStorage } from '../../core/storage/create';
import { backUp, DEFAULT_ZSTD_LEVEL } from '../../core/verbs/backup/backup';
import { AUTO_DEFAULTS } from '../../core/verbs/backup/base';
import type { BackupType } from '../../core/records/label';
import {
	type AddCommand,
	type AuthorityOptions,
	collect,
	type EncryptionOptions,
	HOST_KEY_HELP,
	readAuthority,
	readEncryption,
	readHostKey,
	SIGNERS_HELP,
	SIGNING_KEY_HELP,
	wholeNumber,
} from '../options';
import { EXIT, printJson, printLine, printNamed, printWarning, showProgress } from '../output';

interface ArchiveOptions extends EncryptionOptions, AuthorityOptions {
	storage: string;
	group: string;
	path: string[];
	type: BackupType | 'auto';
	fullEvery: string;
	maxChain: string;
	hostKey?: string;
	exclude?: string[];
	maxFileSize?: string;
	oneFileSystem?: boolean;
	caches?: boolean;
	compareContents?: boolean;
	sqlite: boolean;
	zstdLevel: string;
	rateLimit?: string;
	json?: boolean;
}

export const archiveCommand: AddCommand = (program, run) => {
	program
		.command('archive')
		.description('back up folders and files')
		.requiredOption('--storage <url>', 'where to: file:///path or s3://bucket/prefix?endpoint=…')
		.requiredOption('--group <group>', 'name under which its backups are kept, e.g. files/www')
		.requiredOption('--path <path>', 'a folder or file; may be repeated', collect)
		.addOption(
			new Option('--type <type>', 'auto: incremental, and a full one every few days')
				.choices(['auto', 'full', 'differential', 'incremental'])
				.default('auto'),
		)
		.option(
			'--full-every <days>',
			'of --type auto: how old the last full backup may be',
			String(AUTO_DEFAULTS.fullEveryDays),
		)
		.option(
			'--max-chain <n>',
			'of --type auto: how many backups may build on a full one',
			String(AUTO_DEFAULTS.maxChain),
		)
		.option('--recipient <recipient>', 'who can open the backup, age1…; may be repeated', collect)
		.option('--recipients-file <file>', 'recipients, one per line')
		.option('--identity <file>', 'prove right away that this identity opens the backup; opens the one it builds on')
		.option('--host-key <file>', HOST_KEY_HELP)
		.option('--no-encryption', 'store in the clear: whoever reads the storage reads the files')
		.option('--exclude <pattern>', 'leave out what matches, as in a .gitignore; may be repeated', collect)
		.option('--max-file-size <mb>', 'leave out files that are larger, MB')
		.option('--one-file-system', 'leave out what is mounted below a path')
		.option('--caches', 'also what a CACHEDIR.TAG or .nobackup asks to leave out')
		.option('--compare-contents', 'read files that only look changed, and store them only if they are')
		.option('--no-sqlite', 'read SQLite databases like any file, also while somebody writes to them')
		.option('--zstd-level <n>', '1 (fastest) to 19 (smallest)', String(DEFAULT_ZSTD_LEVEL))
		.option('--rate-limit <n>', 'read no faster than this many MB per second')
		.option('--signing-key <file>', SIGNING_KEY_HELP)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--json', 'print the manifest')
		.action(run(archive));
};

async function archive(options: ArchiveOptions, signal: AbortSignal): Promise<number> {
	const zstdLevel = wholeNumber('--zstd-level', options.zstdLevel, 1, 19);
	const rateLimit =
		options.rateLimit === undefined ? undefined : wholeNumber('--rate-limit', options.rateLimit, 1, 1_000_000);
	const maxFileSize =
		options.maxFileSize === undefined ? null : wholeNumber('--max-file-size', options.maxFileSize, 1, 1_000_000_000);
	const auto = {
		fullEveryDays: wholeNumber('--full-every', options.fullEvery, 1, 3650),
		maxChain: wholeNumber('--max-chain', options.maxChain, 1, 999),
	};
	const { encryption, keys } = await readEncryption(options, process.env);
	const hostKey = await readHostKey(options.hostKey);
	if (hostKey !== undefined && (encryption === null || 'passphrase' in encryption)) {
		throw new BackupError('invalid-input', '--host-key is given, and there are no recipients', {
			hint: 'Give --recipient too, or leave the host key out: only what is encrypted to recipients needs it.',
		});
	}
	const authority = await readAuthority(options);
	const exclude = options.exclude ?? [];
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
				onSummary: (each) => (summary = each),
				onProgress: ({ entries, bytes }) => showProgress(`${entries} entries, ${sizeText(bytes)}`),
			}),
			type: options.type === 'auto' ? auto : options.type,
			encryption,
			proveWith: keys,
			hostKey,
			authority,
			zstdLevel,
			limits: rateLimit ? { bytesPerSecond: rateLimit * 1_000_000 } : {},
			actor: { via: 'command line' },
			signal,
		});
		showProgress(null);
		if (options.json) printJson({ ...manifest, location });
		else {
			for (const warning of manifest.warnings) printWarning(warning);
			printNamed(summary, '/');
			const { files, bytes, storedEntries } = manifest.source.details;
			printLine(
				`${manifest.group}/${manifest.label}: ${String(files)} files of ${sizeText(Number(bytes))}; ` +
					`${String(storedEntries)} entries as ${sizeText(dataSize(manifest).storedBytes)} in ${location}`,
			);
			if (!encryption) printLine('not encrypted: whoever reads the storage reads the files');
			if (!authority.key) printLine('not signed: whoever writes to the storage can forge backups');
		}
		return manifest.status === 'whole' ? EXIT.ok : EXIT.incomplete;
	} finally {
		showProgress(null);
		await storage.close();
	}
}
