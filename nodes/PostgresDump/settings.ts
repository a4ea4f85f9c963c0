/** The node's fields as the engine takes them. */
import type { IExecuteFunctions } from 'n8n-workflow';
import { connect, disconnect } from '../../core/sources/postgres/connection/connection';
import { selectDatabases } from '../../core/sources/postgres/connection/databases';
import { assertFilter, type PostgresDumpOptions } from '../../core/sources/postgres/dump/dump';
import type { GlobalsChoice } from '../../core/sources/postgres/dump/globals';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { toDatabaseTarget } from '../shared/credentials';
import { splitList } from '../shared/run';
import { readStoreSettings, type StoreFields, type StoreSettings } from '../shared/store-settings';
import { positive, wholeNumber } from '../shared/values';

/** Fields of the node's "Options" collection; each is absent until the user adds it. */
interface OptionFields extends StoreFields {
	engine?: PostgresDumpOptions['engine'];
	format?: PostgresDumpOptions['format'];
	allowAnotherServer?: boolean;
	contentHash?: boolean;
	globals?: GlobalsChoice | 'none';
	schemas?: string;
	excludeSchemas?: string;
	tables?: string;
	excludeTables?: string;
	excludeTableData?: string;
	schemaOnly?: boolean;
	lockTimeout?: number;
	snapshotWarning?: number;
	maxLost?: number;
}

export interface DumpSettings {
	dump: PostgresDumpOptions;
	allowAnotherServer: boolean;
	store: StoreSettings;
}

/** @throws BackupError 'invalid-input' */
export async function readSettings(context: IExecuteFunctions, itemIndex: number): Promise<DumpSettings> {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	const filter = {
		schemas: splitList(options.schemas),
		excludeSchemas: splitList(options.excludeSchemas),
		tables: splitList(options.tables),
		excludeTables: splitList(options.excludeTables),
		excludeTableData: splitList(options.excludeTableData),
		schemaOnly: options.schemaOnly === true,
	};
	assertFilter(filter);
	return {
		dump: {
			engine: options.engine ?? 'auto',
			// Only who runs n8n may name a program to run, not who edits a workflow.
			nativePath: process.env.N8N_BACKUP_PG_DUMP,
			format: options.format ?? 'plain',
			filter,
			contentHash: options.contentHash === true,
			maxLostPercent: wholeNumber('Warn When Lost', options.maxLost ?? 50, 0, 100),
			globals: options.globals === 'none' ? undefined : (options.globals ?? 'roles'),
			lockTimeoutMs: positive('Lock Timeout', options.lockTimeout ?? 60) * 1000,
			snapshotWarningMs: positive('Warn After', options.snapshotWarning ?? 60) * 60_000,
		},
		allowAnotherServer: options.allowAnotherServer === true,
		store: await readStoreSettings(context, itemIndex, options),
	};
}

/**
 * The databases this item is about, each as a target of its own.
 * @throws BackupError of the connection, 'database-not-found', 'invalid-input'
 */
export async function readTargets(
	context: IExecuteFunctions,
	itemIndex: number,
	signal: AbortSignal,
): Promise<DatabaseTarget[]> {
	const target = toDatabaseTarget(await context.getCredentials('postgres', itemIndex));
	const mode = context.getNodeParameter('databases', itemIndex) as 'credential' | 'list' | 'all' | 'pattern';
	if (mode === 'credential') return [target];
	const client = await connect(target, { signal });
	try {
		const names = await selectDatabases(client, {
			mode,
			names: mode === 'list' ? splitList(context.getNodeParameter('databaseNames', itemIndex)) : [],
			patterns: mode === 'pattern' ? splitList(context.getNodeParameter('databasePattern', itemIndex)) : [],
		});
		return names.map((database) => ({ ...target, database }));
	} finally {
		await disconnect(client);
	}
}
