/** n8n-backup wal: the write-ahead log of a cluster since the last run, once or again and again. */
import { BackupError } from '../../core/base/errors';
import { sizeText } from '../../core/base/size-text';
import { dataSize } from '../../core/records/manifest';
import { assertGroupOf } from '../../core/sources/postgres/physical/groups';
import { slotName } from '../../core/sources/postgres/physical/wal/slot-name';
import { followLog } from '../../core/sources/postgres/physical/wal/follow';
import { logSource } from '../../core/sources/postgres/physical/wal/source';
import type { Source } from '../../core/sources/source';
import { openStorage } from '../../core/storage/create';
import { backUpNews, type BackupResult } from '../../core/verbs/backup/backup';
import { addBackupOptions, type BackupOptions, readBackupOptions } from '../backup-options';
import { type AddCommand, parseDatabaseUrl, wholeNumberOption } from '../options';
import { EXIT, printJson, printLine, printWarning } from '../output';

interface WalOptions extends BackupOptions {
	database: string;
	slot?: string;
	startOver?: boolean;
	every?: string;
}

export const walCommand: AddCommand = (program, run) => {
	const command = program
		.command('wal')
		.description('store what a cluster has written to its log since the last run')
		.requiredOption('--storage <url>', 'where to: file:///path or s3://bucket/prefix?endpoint=…')
		.requiredOption('--database <url>', 'any database of it: postgres://user@host:5432/postgres?sslmode=verify-full')
		.requiredOption('--group <group>', 'wal/main for base backups in cluster/main')
		.option('--every <seconds>', 'stay connected, and store what is new as often as this, until it is stopped')
		.option('--start-over', 'begin anew where the log cannot be joined to what is stored: make a base backup then')
		.option('--slot <name>', 'the replication slot; otherwise one is made for this storage and group');
	addBackupOptions(command, 'the data')
		.option('--json', 'print the manifest, or null where nothing was new')
		.action(run(wal));
};

async function wal(options: WalOptions, signal: AbortSignal): Promise<number> {
	assertGroupOf('log', options.group);
	const every = options.every === undefined ? null : wholeNumberOption('--every', options.every, 1, 86_400);
	if (options.slot !== undefined && !/^[a-z0-9_]{1,63}$/.test(options.slot)) {
		throw new BackupError('invalid-input', `invalid value for --slot: ${options.slot}`, {
			hint: 'Names of slots are made of lower-case letters, digits and underscores, 63 at most.',
		});
	}
	const settings = await readBackupOptions(options);
	const target = await parseDatabaseUrl(options.database, process.env);
	const storage = openStorage(options.storage, process.env);
	const slot = options.slot ?? slotName(storage.location, options.group);
	const chosen = { slot, startOver: options.startOver };
	const collect = async (source: Source) => {
		show(await backUpNews({ storage, group: options.group, source, ...settings, signal }), options);
		return true;
	};
	try {
		// Stopped between two runs, nothing is cut short: that is how a service ends.
		if (every !== null) await followLog(target, { ...chosen, everyMs: every * 1000, signal }, collect);
		else await collect(logSource(target, chosen));
		return EXIT.ok;
	} finally {
		await storage.close();
	}
}

function show(result: BackupResult | null, { group, json }: WalOptions): void {
	if (json) return printJson(result && { ...result.manifest, location: result.location });
	if (result === null) return printLine(`${group}: nothing new`);
	const { manifest } = result;
	for (const warning of manifest.warnings) printWarning(warning);
	const { originalBytes, storedBytes } = dataSize(manifest);
	const { walEnd, lastCommit } = manifest.source.details;
	const commit = typeof lastCommit === 'string' ? `, the last transaction of ${lastCommit}` : '';
	printLine(
		`${manifest.group}/${manifest.label}: ${sizeText(originalBytes)} as ${sizeText(storedBytes)}, up to ${String(walEnd)}${commit}`,
	);
}
