/** n8n-backup restore: a database from its backup, compared with what was backed up. */
import { Argument, Option } from 'commander';
import { BackupError } from '../../core/base/errors';
import { ALLOWANCES, parseAllowances } from '../../core/sources/postgres/replay/allowances';
import type { RewriteRules } from '../../core/sources/postgres/replay/rewrite';
import { type DatabaseTarget, describeTarget } from '../../core/sources/postgres/connection/target';
import { Repository } from '../../core/records/repository';
import { postgresRestorer, type RestoredDatabase } from '../../core/sources/postgres/restore/restorer';
import type { RestorePlace } from '../../core/sources/postgres/restore/target';
import { chooseForRestore, restoreBackup } from '../../core/verbs/restore/restore';
import { type RestoreResult } from '../../core/verbs/restore/types';
import { ageText } from '../../core/base/age-text';
import { sizeText } from '../../core/base/size-text';
import { openStorage } from '../../core/storage/create';
import {
	type AddCommand,
	collect,
	parseBackupName,
	parseDatabaseUrl,
	readKeys,
	wholeNumber,
	ALLOW_UNSIGNED_HELP,
	allowUnsigned,
	type AuthorityOptions,
	readAuthority,
	SIGNERS_HELP,
} from '../options';
import { count, EXIT, forTerminal, printJson, printLine, printWarning, showProgress } from '../output';

interface RestoreOptions extends AuthorityOptions {
	storage: string;
	to: string;
	identity?: string;
	before?: string;
	into: RestorePlace['mode'];
	confirm?: string;
	owner: boolean;
	privileges: boolean;
	role?: string[];
	schema?: string[];
	table?: string[];
	connections: string;
	globals?: boolean;
	allowMissingExtensions?: boolean;
	allow?: string[];
	withoutExtension?: string[];
	maintenanceDb: string;
	pgRestore?: string;
	allowUnsigned?: boolean;
	json?: boolean;
}

export const restoreCommand: AddCommand = (program, run) => {
	program
		.command('restore')
		.description('restore a database, and compare it with what was backed up')
		.addArgument(new Argument('<backup>', 'GROUP for its newest backup, or GROUP/LABEL'))
		.requiredOption('--storage <url>', 'where the backup is')
		.requiredOption('--to <url>', 'postgres://user@host/newdatabase: the database in it is the one that is made')
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
	const before = options.before === undefined ? null : readTime(options.before);
	const connections = wholeNumber('--connections', options.connections, 1, 64);
	const rules = readRules(options);
	const { target, database } = await readTarget(options);
	const keys = (await readKeys(options.identity, process.env)) ?? null;
	const restorer = postgresRestorer({
		server: target,
		into: { mode: options.into, database, confirmation: options.confirm },
		rules,
		connections,
		nativePath: options.pgRestore ?? process.env.N8N_BACKUP_PG_RESTORE,
		allowMissingExtensions: options.allowMissingExtensions,
		globals: options.globals,
	});
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
			onProgress: ({ phase, bytes, totalBytes, figures }) =>
				showProgress(`${phase}: ${sizeText(bytes)} of ${sizeText(totalBytes)}, ${figures?.rows ?? 0} rows`),
		});
		showProgress(null);
		if (options.json) printJson({ ok: result.comparison.ok, ...result, warnings: [...warnings, ...result.warnings] });
		else show(result, { ...target, database: result.database });
		return result.comparison.ok ? EXIT.ok : EXIT.verificationFailed;
	} finally {
		showProgress(null);
		await storage.close();
	}
}

/** The database of the URL is the one to be made; we connect to another one of the same server, with the same password. */
async function readTarget(options: RestoreOptions): Promise<{ target: DatabaseTarget; database: string }> {
	const target = await parseDatabaseUrl(options.to, process.env);
	if (!new URL(options.to).pathname.slice(1)) {
		throw wrongUse('the URL of --to names no database', 'Write postgres://user@host/newdatabase.');
	}
	return { target: { ...target, database: options.maintenanceDb }, database: target.database };
}

function readRules({
	owner,
	privileges,
	role = [],
	schema,
	table,
	allow = [],
	...options
}: RestoreOptions): RewriteRules {
	const roles = role.map((text) => {
		const [, from, to] = /^([^=]+)=([^=]+)$/.exec(text) ?? [];
		if (from === undefined || to === undefined)
			throw wrongUse(`--role ${text} cannot be read`, 'Write --role old=new.');
		return [from, to] as const;
	});
	return {
		owners: owner ? 'keep' : 'drop',
		privileges: privileges ? 'keep' : 'drop',
		roles: Object.fromEntries(roles),
		withoutExtensions: options.withoutExtension,
		allow: parseAllowances(allow, ALLOWANCES),
		...((schema ?? table) && { only: { schemas: schema, tables: table } }),
	};
}

/** Without a zone, it would mean another moment on each machine. */
function readTime(text: string): Date {
	const time = new Date(text);
	const form = 'Write it as 2026-11-20T02:00:00Z, or with another offset from UTC: 2026-11-20T03:00:00+01:00.';
	if (Number.isNaN(time.getTime())) throw wrongUse(`--before ${text} is no time`, form);
	if (!/T.*(?:Z|[+-]\d{2}:?\d{2})$/i.test(text)) throw wrongUse(`--before ${text} names no time zone`, form);
	return time;
}

function wrongUse(message: string, hint: string): BackupError {
	return new BackupError('invalid-input', message, { hint });
}

function show(result: RestoreResult<RestoredDatabase>, target: DatabaseTarget): void {
	const { group, label, rows, originalBytes, seconds, comparison, properties, warnings, backedUpAt } = result;
	for (const warning of warnings) printWarning(warning);
	printLine(
		`${group}/${label} is restored as ${describeTarget(target)}: ${sizeText(originalBytes)}, ${rows} rows in ${seconds.toFixed(1)} s`,
	);
	printLine(`as it was ${ageText(backedUpAt)}, at ${backedUpAt}`);
	if (comparison.ok) {
		const { tables = 0, hashed = 0 } = comparison.figures;
		const contents = hashed > 0 ? `, ${hashed} of them by their content` : '';
		printLine(`${count(tables, 'table')} as backed up, by the number of rows${contents}`);
		if (properties.length > 0) printLine(`the database itself got back ${properties.join(', ')}`);
		return;
	}
	for (const { item, expected, found } of comparison.differences) {
		process.stderr.write(`${forTerminal(`differs: ${item}: ${found} instead of ${expected}`)}\n`);
	}
}
