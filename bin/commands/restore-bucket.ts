/** Which bucket objects are restored to, as the options of `n8n-backup restore` say, and what is told of it. */
import { BackupError } from '../../core/base/errors';
import { bucketRestorer } from '../../core/sources/bucket/restore';
import type { BucketRestored } from '../../core/sources/bucket/restore-options';
import { parseStorageUrl } from '../../core/storage/url';
import { BUCKET_KEYS, envWith } from '../options';
import { printLine } from '../output';
import type { FilesFlags } from './restore-files';
import type { RestoreWay } from './restore-way';

/** Options that only a bucket has. */
export interface BucketFlags extends Pick<FilesFlags, 'to' | 'include' | 'overwrite' | 'dryRun' | 'versions'> {
	missingOnly?: boolean;
}

/** Whether `--to` names a bucket. */
export function isBucketUrl(to: string): boolean {
	return /^s3:/i.test(to);
}

/** @throws BackupError 'invalid-input' */
export function bucketWay(options: BucketFlags): RestoreWay<BucketRestored> {
	const { to, include, overwrite, missingOnly, versions, dryRun } = options;
	if (overwrite && missingOnly) {
		throw new BackupError('invalid-input', '--overwrite and --missing-only are given', {
			hint: 'Objects that are there can be replaced, or kept.',
		});
	}
	const existing = overwrite ? 'replace' : missingOnly ? 'keep' : 'refuse';
	const config = parseStorageUrl(to, envWith(BUCKET_KEYS, process.env));
	const restorer = bucketRestorer({ to: config, include: include ?? [], existing, versions, dryRun });
	return {
		restorer,
		progress: () => '',
		show({ group, label, comparison, listed, seconds }, asOf) {
			for (const name of listed) printLine(name);
			const where = dryRun ? '' : ` in ${to.split('?')[0]}, in ${seconds.toFixed(1)} s`;
			printLine(`${group}/${label}: ${comparison.says}${where}`);
			printLine(asOf);
		},
	};
}
