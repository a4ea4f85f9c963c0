/** n8n-backup bucket: a bucket of S3, or what is below a prefix of it, as one backup. */
import { Option } from 'commander';
import { BackupError } from '../../core/base/errors';
import { sizeText } from '../../core/base/size-text';
import type { BackupType } from '../../core/records/label';
import { dataSize } from '../../core/records/manifest';
import { assertBucketApart } from '../../core/sources/bucket/config';
import { bucketSource } from '../../core/sources/bucket/source';
import type { ArchiveSummary } from '../../core/sources/files/archive/messages.ts';
import { createStorage } from '../../core/storage/create';
import { parseStorageUrl } from '../../core/storage/url';
import { backUp, DEFAULT_ZSTD_LEVEL } from '../../core/verbs/backup/backup';
import { AUTO_DEFAULTS } from '../../core/verbs/backup/base';
import {
	type AddCommand,
	type AuthorityOptions,
	BUCKET_KEYS,
	collect,
	type EncryptionOptions,
	envWith,
	HOST_KEY_HELP,
	readAuthority,
	readEncryption,
	readHostKey,
	SIGNERS_HELP,
	SIGNING_KEY_HELP,
	wholeNumber,
} from '../options';
import { EXIT, printJson, printLine, printNamed, printWarning, showProgress } from '../output';

interface BucketOptions extends EncryptionOptions, AuthorityOptions {
	storage: string;
	group: string;
	from: string;
	type: BackupType | 'auto';
	fullEvery: string;
	maxChain: string;
	maxLost: string;
	hostKey?: string;
	zstdLevel: string;
	rateLimit?: string;
	allowAnotherServer?: boolean;
	json?: boolean;
}

export const bucketCommand: AddCommand = (program, run) => {
	program
		.command('bucket')
		.description('back up a bucket of S3, or what is below a prefix of it')
		.requiredOption('--storage <url>', 'where to: file:///path or s3://bucket/prefix?endpoint=…')
		.requiredOption('--group <group>', 'name under which its backups are kept, e.g. bucket/photos')
		.requiredOption('--from <url>', 'what to back up: s3://bucket/prefix?endpoint=https://host:port&region=…')
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
		.option('--no-encryption', 'store in the clear: whoever reads the storage reads the objects')
		.option('--max-lost <percent>', 'warn when more of the objects or bytes are gone since the backup before', '50')
		.option('--allow-another-server', 'the group may go on with another bucket or prefix, from this run on')
		.option('--zstd-level <n>', '1 (fastest) to 19 (smallest)', String(DEFAULT_ZSTD_LEVEL))
		.option('--rate-limit <n>', 'read no faster than this many MB per second')
		.option('--signing-key <file>', SIGNING_KEY_HELP)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--json', 'print the manifest')
		.addHelpText(
			'after',
			`
Keys of the bucket: ${BUCKET_KEYS}AWS_ACCESS_KEY_ID and ${BUCKET_KEYS}AWS_SECRET_ACCESS_KEY; without them
those of the storage. docs/buckets.md lists the rights that are needed.`,
		)
		.action(run(backUpBucket));
};

async function backUpBucket(options: BucketOptions, signal: AbortSignal): Promise<number> {
	const zstdLevel = wholeNumber('--zstd-level', options.zstdLevel, 1, 19);
	const maxLostPercent = wholeNumber('--max-lost', options.maxLost, 0, 100);
	const rateLimit =
		options.rateLimit === undefined ? undefined : wholeNumber('--rate-limit', options.rateLimit, 1, 1_000_000);
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
	const bucket = parseStorageUrl(options.from, envWith(BUCKET_KEYS, process.env));
	const to = parseStorageUrl(options.storage, process.env);
	assertBucketApart(bucket, to);
	let summary: ArchiveSummary | null = null;
	const source = bucketSource({
		...{ bucket, maxLostPercent, onSummary: (each) => (summary = each) },
		onProgress: ({ entries, bytes }) => showProgress(`${entries} objects, ${sizeText(bytes)}`),
	});
	const storage = createStorage(to);
	try {
		const { manifest, location } = await backUp({
			...{ storage, group: options.group, source, encryption, proveWith: keys, hostKey, authority, zstdLevel, signal },
			type: options.type === 'auto' ? auto : options.type,
			allowAnotherServer: options.allowAnotherServer,
			limits: rateLimit ? { bytesPerSecond: rateLimit * 1_000_000 } : {},
			actor: { via: 'command line' },
		});
		showProgress(null);
		if (options.json) printJson({ ...manifest, location });
		else {
			for (const warning of manifest.warnings) printWarning(warning);
			printNamed(summary, '');
			const { objects, bytes, storedObjects } = manifest.source.details;
			printLine(
				`${manifest.group}/${manifest.label}: ${String(objects)} objects of ${sizeText(Number(bytes))}; ` +
					`${String(storedObjects)} of them as ${sizeText(dataSize(manifest).storedBytes)} in ${location}`,
			);
			if (!encryption) printLine('not encrypted: whoever reads the storage reads the objects');
			if (!authority.key) printLine('not signed: whoever writes to the storage can forge backups');
		}
		return manifest.status === 'whole' ? EXIT.ok : EXIT.incomplete;
	} finally {
		showProgress(null);
		await storage.close();
	}
}
