/** n8n-backup bucket: a bucket of S3, or what is below a prefix of it, as one backup. */
import { sizeText } from '../../core/base/size-text';
import { dataSize } from '../../core/records/manifest';
import { assertBucketApart } from '../../core/sources/bucket/config';
import { bucketSource } from '../../core/sources/bucket/source';
import { versionsText } from '../../core/sources/bucket/versions-text';
import type { ArchiveSummary } from '../../core/sources/files/archive/messages.ts';
import { createStorage } from '../../core/storage/create';
import { parseStorageUrl } from '../../core/storage/url';
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
import { type AddCommand, BUCKET_KEYS, envWith } from '../options';
import { EXIT, printJson, printLine, printNamed, printWarning, showProgress } from '../output';

interface BucketOptions extends BackupOptions, ChainOptions {
	from: string;
	maxLost: string;
	versions?: boolean;
	allowAnotherServer?: boolean;
}

const WHAT = 'the objects';

export const bucketCommand: AddCommand = (program, run) => {
	const command = program
		.command('bucket')
		.description('back up a bucket of S3, or what is below a prefix of it')
		.requiredOption('--storage <url>', 'where to: file:///path or s3://bucket/prefix?endpoint=…')
		.requiredOption('--group <group>', 'name under which its backups are kept, e.g. bucket/photos')
		.requiredOption('--from <url>', 'what to back up: s3://bucket/prefix?endpoint=https://host:port&region=…');
	command.option('--versions', 'also versions that are not current, and delete markers');
	addMaxLostOption(command, 'objects or bytes');
	addChainOptions(command, 'auto: incremental, and a full one every few days', 'auto');
	addBackupOptions(command, WHAT, OPENS_BASE)
		.option('--allow-another-server', 'the group may go on with another bucket or prefix, from this run on')
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
	const maxLostPercent = readMaxLost(options.maxLost);
	const settings = await readBackupOptions(options);
	const chain = await readChainOptions(options, settings.encryption);
	const bucket = parseStorageUrl(options.from, envWith(BUCKET_KEYS, process.env));
	const to = parseStorageUrl(options.storage, process.env);
	assertBucketApart(bucket, to, options.group);
	let summary: ArchiveSummary | null = null;
	const source = bucketSource({
		...{ bucket, versions: options.versions, maxLostPercent, onSummary: (each) => (summary = each) },
		onProgress: ({ entries, bytes }) => showProgress(`${entries} objects, ${sizeText(bytes)}`),
	});
	const storage = createStorage(to);
	try {
		const { manifest, location } = await backUp({
			...{ storage, group: options.group, source, ...settings, ...chain, signal },
			allowAnotherServer: options.allowAnotherServer,
		});
		showProgress(null);
		if (options.json) printJson({ ...manifest, location });
		else {
			for (const warning of manifest.warnings) printWarning(warning);
			printNamed(summary, '');
			const { details } = manifest.source;
			const { objects, bytes, storedObjects } = details;
			printLine(
				`${manifest.group}/${manifest.label}: ${String(objects)} objects of ${sizeText(Number(bytes))}${versionsText(details)}; ` +
					`${String(storedObjects)} of them as ${sizeText(dataSize(manifest).storedBytes)} in ${location}`,
			);
			printUnprotected(settings, WHAT);
		}
		return manifest.status === 'whole' ? EXIT.ok : EXIT.incomplete;
	} finally {
		showProgress(null);
		await storage.close();
	}
}
