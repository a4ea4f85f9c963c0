/** n8n-backup restore: a database or files from their backup, compared with what was backed up. */
import { Argument, Option } from 'commander';
import { ageText } from '../../core/base/age-text';
import { BackupError } from '../../core/base/errors';
import { sizeText } from '../../core/base/size-text';
import { Repository } from '../../core/records/repository';
import { ALLOWANCES } from '../../core/sources/postgres/replay/allowances';
import type { Restored } from '../../core/sources/source';
import { openStorage } from '../../core/storage/create';
import { chooseForRestore, restoreBackup } from '../../core/verbs/restore/restore';
import {
	type AddCommand,
	ALLOW_UNSIGNED_HELP,
	allowUnsigned,
	type AuthorityOptions,
	collect,
	parseBackupName,
	readAuthority,
	readKeys,
	SIGNERS_HELP,
} from '../options';
import { EXIT, forTerminal, printJson, printWarning, showProgress } from '../output';
import { type DatabaseRestoreOptions, databaseWay, isDatabaseUrl } from './restore-database';
import { type FilesRestoreOptions, filesWay } from './restore-files';
import type { RestoreWay } from './restore-way';

interface RestoreOptions extends AuthorityOptions, DatabaseRestoreOptions, FilesRestoreOptions {
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
		.description('restore a database or files, and compare them with what was backed up')
		.addArgument(new Argument('<backup>', 'GROUP for its newest backup, or GROUP/LABEL'))
		.requiredOption('--storage <url>', 'where the backup is')
		.requiredOption(
			'--to <place>',
			'postgres://user@host/newdatabase: the database that is made; or a folder for files',
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
		.option('--role <old=new>', 'another role in the place of one; may be repeated', collect)
		.option('--schema <schema>', 'only these schemas; may be repeated', collect)
		.option('--table <table>', 'only these tables, schema.table; may be repeated', collect)
		.option('--connections <n>', 'build indexes over this many connections', '1')
		.option('--globals', 'make the roles that were saved beside the backup first')
		.option('--allow-missing-extensions', 'only warn of extensions that the server lacks')
		.option('--without-extension <name>', 'leave an extension out, with its rows and rights; may be repeated', collect)
		.option('--allow <what>', `what the dump may do though it is refused otherwise: ${ALLOWANCES.join(', ')}`, collect)
		.option('--maintenance-db <name>', 'the database to connect to for making another one', 'postgres')
		.option('--pg-restore <path>', 'for backups in custom format, when it is not in PATH')
		.option('--include <pattern>', 'of files: only what matches, as in a .gitignore; may be repeated', collect)
		.option('--overwrite', 'of files: into a folder that is not empty, replacing what has the same names')
		.addOption(
			new Option('--owners <how>', 'of files: whom they belong to').choices(['no', 'numbers', 'names']).default('no'),
		)
		.option('--dry-run', 'of files: say what would be restored, and write nothing')
		.option('--signers <file>', SIGNERS_HELP)
		.option('--allow-unsigned', ALLOW_UNSIGNED_HELP)
		.option('--json', 'print the result')
		.action(async (name: string, options: RestoreOptions) => {
			await run(async (given: RestoreOptions, signal) => await restore(name, given, signal))(options);
		});
};

async function restore(name: string, options: RestoreOptions, signal: AbortSignal): Promise<number> {
	if (isDatabaseUrl(options.to)) return await restoreTo(await databaseWay(options), name, options, signal);
	return await restoreTo(filesWay(options), name, options, signal);
}

async function restoreTo<Result extends Restored>(
	{ restorer, progress, show }: RestoreWay<Result>,
	name: string,
	options: RestoreOptions,
	signal: AbortSignal,
): Promise<number> {
	const { group, label } = parseBackupName(name);
	if (label !== null && options.before !== undefined) {
		throw wrongUse('a label and --before are given', 'Give the group alone with --before.');
	}
	const before = options.before === undefined ? null : readTime(options.before);
	const keys = (await readKeys(options.identity, process.env)) ?? null;
	const authority = await readAuthority(options);
	const storage = openStorage(options.storage, process.env);
	try {
		const opened = await Repository.open(storage, { signal, authority });
		const repository = allowUnsigned(opened, options, { group, label });
		const choice =
			label !== null
				? ({ kind: 'label', label } as const)
				: before !== null
					? ({ kind: 'before', time: before } as const)
					: ({ kind: 'newest' } as const);
		const { label: chosen, warnings } = await chooseForRestore(
			repository,
			await repository.list(group),
			choice,
			signal,
		);
		for (const warning of warnings) printWarning(warning);
		const result = await restoreBackup({
			repository,
			group,
			label: chosen,
			keys,
			restorer,
			actor: { via: 'command line' },
			signal,
			onProgress: (now) =>
				showProgress(`${now.phase}: ${sizeText(now.bytes)} of ${sizeText(now.totalBytes)}${progress(now)}`),
		});
		showProgress(null);
		const { comparison, backedUpAt } = result;
		if (options.json) printJson({ ok: comparison.ok, ...result, warnings: [...warnings, ...result.warnings] });
		else {
			for (const warning of result.warnings) printWarning(warning);
			show(result, `as it was ${ageText(backedUpAt)}, at ${backedUpAt}`);
			for (const { item, expected, found } of comparison.differences) {
				process.stderr.write(`${forTerminal(`differs: ${item}: ${found} instead of ${expected}`)}\n`);
			}
		}
		return comparison.ok ? EXIT.ok : EXIT.verificationFailed;
	} finally {
		showProgress(null);
		await storage.close();
	}
}

/** Without a zone, it would mean another moment on each machine. */
function readTime(text: string): Date {
	const time = new Date(text);
	const form = 'Write it as 2026-11-20T02:00:00Z, or with another offset from UTC: 2026-11-20T03:00:00+01:00.';
	if (Number.isNaN(time.getTime())) throw wrongUse(`--before ${text} is not a valid time`, form);
	if (!/T.*(?:Z|[+-]\d{2}:?\d{2})$/i.test(text)) throw wrongUse(`--before ${text} has no time zone`, form);
	return time;
}

function wrongUse(message: string, hint: string): BackupError {
	return new BackupError('invalid-input', message, { hint });
}
