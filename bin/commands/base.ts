/** n8n-backup base: a whole PostgreSQL cluster, one base backup. */
import { Option } from 'commander';
import { sizeText } from '../../core/base/size-text';
import type { BackupType } from '../../core/records/label';
import { dataSize } from '../../core/records/manifest';
import { clusterSource } from '../../core/sources/postgres/physical/base/source';
import { assertGroupOf } from '../../core/sources/postgres/physical/groups';
import { openStorage } from '../../core/storage/create';
import { backUp, DEFAULT_ZSTD_LEVEL } from '../../core/verbs/backup/backup';
import { AUTO_DEFAULTS } from '../../core/verbs/backup/base';
import {
	type AddCommand,
	type AuthorityOptions,
	collect,
	type EncryptionOptions,
	parseDatabaseUrl,
	readAuthority,
	HOST_KEY_HELP,
	readEncryption,
	readHostKey,
	SIGNERS_HELP,
	SIGNING_KEY_HELP,
	wholeNumber,
} from '../options';
import { EXIT, printJson, printLine, printWarning, showProgress } from '../output';

interface BaseOptions extends EncryptionOptions, AuthorityOptions {
	type: BackupType | 'auto';
	fullEvery: string;
	maxChain: string;
	hostKey?: string;
	storage: string;
	database: string;
	group: string;
	zstdLevel: string;
	rateLimit?: string;
	allowAnotherServer?: boolean;
	json?: boolean;
}

export const baseCommand: AddCommand = (program, run) => {
	program
		.command('base')
		.description('back up a whole PostgreSQL cluster, for restores to any moment together with its log')
		.requiredOption('--storage <url>', 'where to: file:///path or s3://bucket/prefix?endpoint=…')
		.requiredOption('--database <url>', 'any database of it: postgres://user@host:5432/postgres?sslmode=verify-full')
		.requiredOption('--group <group>', 'name under which its backups are kept, e.g. cluster/main')
		.addOption(
			new Option('--type <type>', 'incremental and auto: only the blocks that changed, of PostgreSQL 17 and later')
				.choices(['auto', 'full', 'differential', 'incremental'])
				.default('full'),
		)
		.option(
			'--full-every <days>',
			'of --type auto: how old the last full one may be',
			String(AUTO_DEFAULTS.fullEveryDays),
		)
		.option('--max-chain <n>', 'of --type auto: how many may build on a full one', String(AUTO_DEFAULTS.maxChain))
		.option('--recipient <recipient>', 'who can open the backup, age1…; may be repeated', collect)
		.option('--recipients-file <file>', 'recipients, one per line')
		.option('--identity <file>', 'prove right away that this identity opens the backup')
		.option('--host-key <file>', HOST_KEY_HELP)
		.option('--no-encryption', 'store in the clear: whoever reads the storage reads the data')
		.option('--zstd-level <n>', '1 (fastest) to 19 (smallest)', String(DEFAULT_ZSTD_LEVEL))
		.option('--rate-limit <n>', 'read no faster than this many MB per second')
		.option('--allow-another-server', 'go on although the group’s newest backup came from another server')
		.option('--signing-key <file>', SIGNING_KEY_HELP)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--json', 'print the manifest')
		.action(run(base));
};

async function base(options: BaseOptions, signal: AbortSignal): Promise<number> {
	assertGroupOf('base backups', options.group);
	const zstdLevel = wholeNumber('--zstd-level', options.zstdLevel, 1, 19);
	const rateLimit =
		options.rateLimit === undefined ? undefined : wholeNumber('--rate-limit', options.rateLimit, 1, 1_000_000);
	const auto = {
		fullEveryDays: wholeNumber('--full-every', options.fullEvery, 1, 3650),
		maxChain: wholeNumber('--max-chain', options.maxChain, 1, 999),
	};
	const hostKey = await readHostKey(options.hostKey);
	const { encryption, keys } = await readEncryption(options, process.env);
	const target = await parseDatabaseUrl(options.database, process.env);
	const authority = await readAuthority(options);
	const storage = openStorage(options.storage, process.env);
	try {
		const { manifest, location } = await backUp({
			...{ storage, group: options.group, source: clusterSource(target) },
			...{ encryption, proveWith: keys, authority, zstdLevel, signal },
			...{ type: options.type === 'auto' ? auto : options.type, hostKey },
			allowAnotherServer: options.allowAnotherServer,
			limits: rateLimit ? { bytesPerSecond: rateLimit * 1_000_000 } : {},
			actor: { via: 'command line' },
			onProgress: ({ originalBytes, storedBytes }) =>
				showProgress(`${sizeText(originalBytes)} read, ${sizeText(storedBytes)} stored`),
		});
		showProgress(null);
		if (options.json) printJson({ ...manifest, location });
		else {
			for (const warning of manifest.warnings) printWarning(warning);
			const { originalBytes, storedBytes } = dataSize(manifest);
			printLine(
				`${manifest.group}/${manifest.label}: ${sizeText(originalBytes)} as ${sizeText(storedBytes)} in ${location}`,
			);
			if (!encryption) printLine('not encrypted: whoever reads the storage reads the data');
			if (!authority.key) printLine('not signed: whoever writes to the storage can forge backups');
		}
		return EXIT.ok;
	} finally {
		showProgress(null);
		await storage.close();
	}
}
