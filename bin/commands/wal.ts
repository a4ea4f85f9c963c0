/** n8n-backup wal: the write-ahead log of a cluster since the last run, once or again and again. */
import { setTimeout as delay } from 'node:timers/promises';
import { BackupError } from '../../core/base/errors';
import { sizeText } from '../../core/base/size-text';
import { dataSize } from '../../core/records/manifest';
import { slotName } from '../../core/sources/postgres/physical/wal/slot';
import { logSource } from '../../core/sources/postgres/physical/wal/source';
import { assertGroupOf } from '../../core/sources/postgres/physical/groups';
import { openStorage } from '../../core/storage/create';
import { backUpNews, type BackupResult, DEFAULT_ZSTD_LEVEL } from '../../core/verbs/backup/backup';
import {
	type AddCommand,
	type AuthorityOptions,
	collect,
	type EncryptionOptions,
	parseDatabaseUrl,
	readAuthority,
	readEncryption,
	SIGNERS_HELP,
	SIGNING_KEY_HELP,
	wholeNumber,
} from '../options';
import { EXIT, printJson, printLine, printWarning } from '../output';

interface WalOptions extends EncryptionOptions, AuthorityOptions {
	storage: string;
	database: string;
	group: string;
	slot?: string;
	startOver?: boolean;
	every?: string;
	zstdLevel: string;
	json?: boolean;
}

export const walCommand: AddCommand = (program, run) => {
	program
		.command('wal')
		.description('store what a cluster has written to its log since the last run')
		.requiredOption('--storage <url>', 'where to: file:///path or s3://bucket/prefix?endpoint=…')
		.requiredOption('--database <url>', 'any database of it: postgres://user@host:5432/postgres?sslmode=verify-full')
		.requiredOption('--group <group>', 'wal/main for base backups in cluster/main')
		.option('--every <seconds>', 'go on, with a run as often as this, until it is stopped')
		.option('--start-over', 'begin anew where the log cannot be joined to what is stored: make a base backup then')
		.option('--slot <name>', 'the replication slot; otherwise one is made for this storage and group')
		.option('--recipient <recipient>', 'who can open it, age1…; may be repeated', collect)
		.option('--recipients-file <file>', 'recipients, one per line')
		.option('--identity <file>', 'prove right away that this identity opens it')
		.option('--no-encryption', 'store in the clear: whoever reads the storage reads the data')
		.option('--zstd-level <n>', '1 (fastest) to 19 (smallest)', String(DEFAULT_ZSTD_LEVEL))
		.option('--signing-key <file>', SIGNING_KEY_HELP)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--json', 'print the manifest, or null where nothing was new')
		.action(run(wal));
};

async function wal(options: WalOptions, signal: AbortSignal): Promise<number> {
	assertGroupOf('log', options.group);
	const zstdLevel = wholeNumber('--zstd-level', options.zstdLevel, 1, 19);
	const every = options.every === undefined ? null : wholeNumber('--every', options.every, 1, 86_400);
	if (options.slot !== undefined && !/^[a-z0-9_]{1,63}$/.test(options.slot)) {
		throw new BackupError('invalid-input', `invalid value for --slot: ${options.slot}`, {
			hint: 'Names of slots are made of lower-case letters, digits and underscores, 63 at most.',
		});
	}
	const { encryption, keys } = await readEncryption(options, process.env);
	const target = await parseDatabaseUrl(options.database, process.env);
	const authority = await readAuthority(options);
	const storage = openStorage(options.storage, process.env);
	const slot = options.slot ?? slotName(storage.location, options.group);
	const collectOnce = async () =>
		await backUpNews({
			...{ storage, group: options.group, source: logSource(target, { slot, startOver: options.startOver }) },
			...{ encryption, proveWith: keys, authority, zstdLevel, signal },
			actor: { via: 'command line' },
		});
	try {
		for (;;) {
			const start = performance.now();
			show(await collectOnce(), options);
			if (every === null) return EXIT.ok;
			const pauseMs = Math.max(every * 1000 - (performance.now() - start), 0);
			// Stopped between two runs, nothing is cut short: that is how a service ends.
			await delay(pauseMs, undefined, { signal }).catch(() => undefined);
			if (signal.aborted) return EXIT.ok;
		}
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
