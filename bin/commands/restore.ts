/** n8n-backup restore: a database or files from their backup, compared with what was backed up. */
import { Argument, Option } from 'commander';
import { ageText } from '../../core/base/age-text';
import { BackupError } from '../../core/base/errors';
import { sizeText } from '../../core/base/size-text';
import { listSome } from '../../core/records/list-some';
import { Repository } from '../../core/records/repository';
import { ALLOWANCES } from '../../core/sources/postgres/replay/allowances';
import type { Restored } from '../../core/sources/source';
import { openStorage } from '../../core/storage/create';
import { chooseForRestore, restoreBackup } from '../../core/verbs/restore/restore';
import type { RestoreRequest } from '../../core/verbs/restore/types';
import {
	type AddCommand,
	ALLOW_UNSIGNED_HELP,
	allowUnsignedOption,
	type AuthorityOptions,
	repeated,
	parseBackupName,
	printUnauthenticated,
	readAuthority,
	readKeys,
	SIGNERS_HELP,
} from '../options';
import { EXIT, forTerminal, printJson, printWarning, showProgress } from '../output';
import { type ClusterRestoreCommand, isCluster, planCluster } from './restore-cluster';
import { type DatabaseFlags, databaseWay, isDatabaseUrl } from './restore-database';
import { type BucketFlags, bucketWay, isBucketUrl } from './restore-bucket';
import { type FilesFlags, filesWay } from './restore-files';
import type { RestoreWay } from './restore-way';

interface RestoreOptions extends AuthorityOptions, DatabaseFlags, FilesFlags, BucketFlags, ClusterRestoreCommand {
	storage: string;
	to: string;
	identity?: string;
	before?: string;
	allowUnsigned?: boolean;
	json?: boolean;
}

export const restoreCommand: AddCommand = (program, run) => {
	program
		.command('restore')
		.description('restore a database, files, objects or a cluster, and compare them with what was backed up')
		.addArgument(new Argument('<backup>', 'GROUP for its newest backup, or GROUP/LABEL'))
		.requiredOption('--storage <url>', 'where the backup is')
		.requiredOption(
			'--to <place>',
			'postgres://user@host/newdatabase: the database that is made; a folder for files or a cluster; s3://bucket/prefix?endpoint=…',
		)
		.option('--identity <file>', 'the key that opens it')
		.option('--before <time>', 'the newest backup that was started at this time or earlier, e.g. 2026-11-20T02:00:00Z')
		.addOption(
			new Option('--into <mode>', 'a new database, an empty one, or in the place of one')
				.choices(['new', 'empty', 'replace'])
				.default('new'),
		)
		.option('--confirm <name>', 'for --into replace: the name of the database that will be gone')
		.option('--no-owner', 'everything belongs to the user who restores')
		.option('--no-privileges', 'leave out grants')
		.option('--role <old=new>', 'another role in the place of one; may be repeated', repeated)
		.option('--schema <schema>', 'only these schemas; may be repeated', repeated)
		.option('--table <table>', 'only these tables, schema.table; may be repeated', repeated)
		.option('--connections <n>', 'build indexes over this many connections', '1')
		.option('--globals', 'make the roles that were saved beside the backup first')
		.option('--allow-missing-extensions', 'only warn of extensions that the server lacks')
		.option('--without-extension <name>', 'leave an extension out, with its rows and rights; may be repeated', repeated)
		.option('--allow <what>', `what the dump may do though it is refused otherwise: ${ALLOWANCES.join(', ')}`, repeated)
		.option('--maintenance-db <name>', 'the database to connect to for making another one', 'postgres')
		.option('--pg-restore <path>', 'for backups in custom format, when it is not in PATH')
		.option(
			'--include <pattern>',
			'of files and buckets: only what matches, as in a .gitignore; may be repeated',
			repeated,
		)
		.option('--overwrite', 'of files and buckets: replace what has the same names; the folder may hold something')
		.option('--missing-only', 'of a bucket: keep what is there, and restore what is not')
		.option('--versions', 'of a bucket: also versions that were not current, and delete markers, in their order')
		.addOption(
			new Option('--owners <how>', 'of files: whom they belong to').choices(['no', 'numbers', 'names']).default('no'),
		)
		.option('--dry-run', 'of files and buckets: say what would be restored, and write nothing')
		.option(
			'--until <time>',
			'of a cluster: up to this time, e.g. 2026-11-20T02:00:00Z; otherwise as far as there is log',
		)
		.option('--lsn <place>', 'of a cluster: up to this place in the log, e.g. 16/B374D848')
		.option('--restore-point <name>', 'of a cluster: up to this name, which pg_create_restore_point gave')
		.option('--base-only', 'of a cluster: as it was at the end of the base backup, without the log behind it')
		.option('--fetch-log', 'of a cluster: do not write the log; the server fetches it when it starts, by wal-get')
		.option('--tablespace <old=new>', 'of a cluster: the folder of a tablespace, and an empty one for it', repeated)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--allow-unsigned', ALLOW_UNSIGNED_HELP)
		.option('--json', 'print the result')
		.action(async (name: string, options: RestoreOptions) => {
			await run(async (given: RestoreOptions, signal) => await restore(name, given, signal))(options);
		});
};

async function restore(name: string, options: RestoreOptions, signal: AbortSignal): Promise<number> {
	const { group, label } = parseBackupName(name);
	if (label !== null && options.before !== undefined) {
		throw wrongUse('a label and --before are given', 'Give the group alone with --before.');
	}
	const before = options.before === undefined ? null : readTime('--before', options.before);
	const keys = (await readKeys(options.identity, process.env)) ?? null;
	const authority = await readAuthority(options);
	const toDatabase = isDatabaseUrl(options.to) ? await databaseWay(options) : null;
	const toBucket = isBucketUrl(options.to) ? bucketWay(options) : null;
	const storage = openStorage(options.storage, process.env);
	try {
		const opened = await Repository.open(storage, { signal, authority });
		const repository = allowUnsignedOption(opened, options, { group, label });
		const reading = { repository, group, keys, signal };
		if (toDatabase === null && (await isCluster(repository, group, signal))) {
			if (before !== null) throw wrongUse('--before is given for a cluster', 'Give the moment itself with --until.');
			const until = options.until === undefined ? null : readTime('--until', options.until);
			const { way, ...chosen } = await planCluster(reading, label, { ...options, until });
			return await restoreChosen(way, { ...reading, ...chosen }, options);
		}
		const choice =
			label !== null
				? ({ kind: 'label', label } as const)
				: before !== null
					? ({ kind: 'before', time: before } as const)
					: ({ kind: 'newest' } as const);
		const chosen = await chooseForRestore(repository, await listSome(repository, [group]), choice, signal);
		if (toDatabase) return await restoreChosen(toDatabase, { ...reading, ...chosen }, options);
		if (toBucket) return await restoreChosen(toBucket, { ...reading, ...chosen }, options);
		const { source } = await repository.readManifest(group, chosen.label, signal);
		return await restoreChosen(filesWay(options, source.kind), { ...reading, ...chosen }, options);
	} finally {
		showProgress(null);
		await storage.close();
	}
}

/** What is restored, and how it is read. */
type Chosen = Pick<RestoreRequest, 'repository' | 'group' | 'label' | 'alongside' | 'keys' | 'signal'> & {
	/** Of what was passed over. */
	warnings: readonly string[];
};

async function restoreChosen<Result extends Restored>(
	{ restorer, progress, show }: RestoreWay<Result>,
	{ warnings, ...chosen }: Chosen,
	options: RestoreOptions,
): Promise<number> {
	for (const warning of warnings) printWarning(warning);
	const result = await restoreBackup({
		...chosen,
		restorer,
		actor: { via: 'command line' },
		onProgress: (now) =>
			showProgress(`${now.phase}: ${sizeText(now.bytes)} of ${sizeText(now.totalBytes)}${progress(now)}`),
	});
	showProgress(null);
	const { comparison, backedUpAt } = result;
	if (options.json) printJson({ ok: comparison.ok, ...result, warnings: [...warnings, ...result.warnings] });
	else {
		for (const warning of result.warnings) printWarning(warning);
		show(result, `as it was ${ageText(backedUpAt)}, at ${backedUpAt}`);
		printUnauthenticated(chosen.repository.authority);
		for (const { item, expected, found } of comparison.differences) {
			process.stderr.write(`${forTerminal(`differs: ${item}: ${found} instead of ${expected}`)}\n`);
		}
	}
	return comparison.ok ? EXIT.ok : EXIT.verificationFailed;
}

/** Without a zone, it would mean another moment on each machine. */
function readTime(option: string, text: string): Date {
	const time = new Date(text);
	const form = 'Write it as 2026-11-20T02:00:00Z, or with another offset from UTC: 2026-11-20T03:00:00+01:00.';
	if (Number.isNaN(time.getTime())) throw wrongUse(`${option} ${text} is not a valid time`, form);
	if (!/T.*(?:Z|[+-]\d{2}:?\d{2})$/i.test(text)) throw wrongUse(`${option} ${text} has no time zone`, form);
	return time;
}

function wrongUse(message: string, hint: string): BackupError {
	return new BackupError('invalid-input', message, { hint });
}
