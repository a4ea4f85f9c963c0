/** n8n-backup base: a whole PostgreSQL cluster, one base backup. */
import { sizeText } from '../../core/base/size-text';
import { dataSize } from '../../core/records/manifest';
import { clusterSource } from '../../core/sources/postgres/physical/base/source';
import { assertGroupOf } from '../../core/sources/postgres/physical/groups';
import { openStorage } from '../../core/storage/create';
import { backUp } from '../../core/verbs/backup/backup';
import {
	addBackupOptions,
	addChainOptions,
	type BackupOptions,
	type ChainOptions,
	OPENS_BASE,
	printUnprotected,
	readBackupOptions,
	readChainOptions,
} from '../backup-options';
import { type AddCommand, parseDatabaseUrl } from '../options';
import { EXIT, printJson, printLine, printWarning, showProgress } from '../output';

interface BaseOptions extends BackupOptions, ChainOptions {
	database: string;
	allowAnotherServer?: boolean;
}

const WHAT = 'the data';

export const baseCommand: AddCommand = (program, run) => {
	const command = program
		.command('base')
		.description('back up a whole PostgreSQL cluster, for restores to any moment together with its log')
		.requiredOption('--storage <url>', 'where to: file:///path or s3://bucket/prefix?endpoint=…')
		.requiredOption('--database <url>', 'any database of it: postgres://user@host:5432/postgres?sslmode=verify-full')
		.requiredOption('--group <group>', 'name under which its backups are kept, e.g. cluster/main');
	addChainOptions(command, 'all but full: only the blocks that changed, of PostgreSQL 17 and later', 'full');
	addBackupOptions(command, WHAT, OPENS_BASE)
		.option('--allow-another-server', 'go on although the group’s newest backup came from another server')
		.option('--json', 'print the manifest')
		.action(run(base));
};

async function base(options: BaseOptions, signal: AbortSignal): Promise<number> {
	assertGroupOf('base backups', options.group);
	const settings = await readBackupOptions(options);
	const chain = await readChainOptions(options, settings.encryption);
	const target = await parseDatabaseUrl(options.database, process.env);
	const storage = openStorage(options.storage, process.env);
	try {
		const { manifest, location } = await backUp({
			...{ storage, group: options.group, source: clusterSource(target), ...settings, ...chain, signal },
			allowAnotherServer: options.allowAnotherServer,
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
			printUnprotected(settings, WHAT);
		}
		return EXIT.ok;
	} finally {
		showProgress(null);
		await storage.close();
	}
}
