/** n8n-backup dump: one database, one backup. */
import { Option } from 'commander';
import { backUp } from '../../core/verbs/backup/backup';
import { BackupError } from '../../core/base/errors';
import type { EngineChoice } from '../../core/sources/postgres/dump/engines/choose';
import type { DumpFormat } from '../../core/sources/postgres/dump/engines/engine';
import { assertFilter, DEFAULT_DUMP_OPTIONS, postgresSource } from '../../core/sources/postgres/dump/dump';
import { dataSize } from '../../core/records/manifest';
import { dumpOf } from '../../core/sources/postgres/kind';
import { sizeText } from '../../core/base/size-text';
import { openStorage } from '../../core/storage/create';
import {
	addBackupOptions,
	addMaxLostOption,
	type BackupOptions,
	printUnprotected,
	readBackupOptions,
	readHostKeyFor,
	readMaxLost,
} from '../backup-options';
import { type AddCommand, repeated, HOST_KEY_HELP, parseDatabaseUrl } from '../options';
import { EXIT, printJson, printLine, printWarning, showProgress } from '../output';

interface DumpOptions extends BackupOptions {
	database: string;
	engine: EngineChoice;
	format: DumpFormat;
	pgDump?: string;
	schema?: string[];
	excludeSchema?: string[];
	table?: string[];
	excludeTable?: string[];
	excludeTableData?: string[];
	schemaOnly?: boolean;
	contentHash?: boolean;
	globals?: boolean;
	globalsWithPasswords?: boolean;
	allowAnotherServer?: boolean;
	maxLost: string;
	hostKey?: string;
}

const WHAT = 'the data';

export const dumpCommand: AddCommand = (program, run) => {
	const command = program
		.command('dump')
		.description('back up one database')
		.requiredOption('--storage <url>', 'where to: file:///path or s3://bucket/prefix?endpoint=…')
		.requiredOption('--database <url>', 'postgres://user@host:5432/database?sslmode=verify-full')
		.requiredOption('--group <group>', 'name under which its backups are kept, e.g. postgres/shop');
	addMaxLostOption(command, 'rows of a table');
	addBackupOptions(command, WHAT)
		.addOption(new Option('--engine <engine>', 'which pg_dump').choices(['auto', 'builtin', 'native']).default('auto'))
		.option('--pg-dump <path>', 'the native engine’s program, when it is not in PATH')
		.addOption(new Option('--format <format>', 'what pg_dump writes').choices(['plain', 'custom']).default('plain'))
		.option('--schema <pattern>', 'only these schemas; may be repeated', repeated)
		.option('--exclude-schema <pattern>', 'leave out these schemas; may be repeated', repeated)
		.option('--table <pattern>', 'only these tables; may be repeated', repeated)
		.option('--exclude-table <pattern>', 'leave out these tables; may be repeated', repeated)
		.option('--exclude-table-data <pattern>', 'leave out the rows of these tables; may be repeated', repeated)
		.option('--schema-only', 'leave out all rows')
		.option('--content-hash', 'hash the rows of every table, so that a restore is compared by content too')
		.option('--globals', 'save the roles of the server beside the dump, without passwords')
		.option('--globals-with-passwords', 'the same with the hashes of passwords; needs a superuser')
		.option('--allow-another-server', 'go on although the group’s newest backup came from another server')
		.option('--host-key <file>', HOST_KEY_HELP)
		.option('--json', 'print the manifest')
		.action(run(dump));
};

async function dump(options: DumpOptions, signal: AbortSignal): Promise<number> {
	const filter = {
		schemas: options.schema,
		excludeSchemas: options.excludeSchema,
		tables: options.table,
		excludeTables: options.excludeTable,
		excludeTableData: options.excludeTableData,
		schemaOnly: options.schemaOnly,
	};
	assertFilter(filter);
	const settings = await readBackupOptions(options);
	if (options.globalsWithPasswords && !settings.encryption) {
		throw new BackupError('invalid-input', 'hashes of passwords are not stored in the clear', {
			hint: 'Encrypt the backup, or save the roles without passwords.',
		});
	}
	const target = await parseDatabaseUrl(options.database, process.env);
	const storage = openStorage(options.storage, process.env);
	try {
		const { manifest, location, warnings } = await backUp({
			storage,
			group: options.group,
			source: postgresSource(target, {
				...DEFAULT_DUMP_OPTIONS,
				engine: options.engine,
				nativePath: options.pgDump ?? process.env.N8N_BACKUP_PG_DUMP,
				format: options.format,
				filter,
				contentHash: options.contentHash,
				maxLostPercent: readMaxLost(options.maxLost),
				globals: options.globalsWithPasswords ? 'passwords' : options.globals ? 'roles' : undefined,
			}),
			...settings,
			hostKey: await readHostKeyFor(options.hostKey, settings.encryption),
			allowAnotherServer: options.allowAnotherServer,
			signal,
			onProgress: ({ originalBytes, storedBytes }) =>
				showProgress(`${sizeText(originalBytes)} read, ${sizeText(storedBytes)} stored`),
		});
		showProgress(null);
		if (options.json) printJson({ ...manifest, location });
		else {
			for (const warning of warnings) printWarning(warning);
			const { originalBytes, storedBytes } = dataSize(manifest);
			const { name } = dumpOf(manifest);
			printLine(
				`${manifest.group}/${manifest.label}: ${sizeText(originalBytes)} as ${sizeText(storedBytes)} in ${location}/${name}`,
			);
			printUnprotected(settings, WHAT);
		}
		return EXIT.ok;
	} finally {
		showProgress(null);
		await storage.close();
	}
}
