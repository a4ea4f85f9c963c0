/** Where a database is restored to, as the options of `n8n-backup restore` say, and what is told of it. */
import { counted } from '../../core/base/counted';
import { BackupError } from '../../core/base/errors';
import { sizeText } from '../../core/base/size-text';
import { type DatabaseTarget, describeTarget } from '../../core/sources/postgres/connection/target';
import { ALLOWANCES, parseAllowances } from '../../core/sources/postgres/replay/allowances';
import type { RewriteRules } from '../../core/sources/postgres/replay/rewrite';
import { postgresRestorer, type RestoredDatabase } from '../../core/sources/postgres/restore/restorer';
import type { RestorePlace } from '../../core/sources/postgres/restore/target';
import type { RestoreResult } from '../../core/verbs/restore/types';
import { parseDatabaseUrl, wholeNumberOption } from '../options';
import { printLine } from '../output';
import type { RestoreWay } from './restore-way';

/** Options that only a database has. */
export interface DatabaseFlags {
	to: string;
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
}

/** Whether `--to` names a database. */
export function isDatabaseUrl(to: string): boolean {
	return /^postgres(?:ql)?:/i.test(to);
}

/** @throws BackupError 'invalid-input' */
export async function databaseWay(options: DatabaseFlags): Promise<RestoreWay<RestoredDatabase>> {
	const connections = wholeNumberOption('--connections', options.connections, 1, 64);
	const rules = readRules(options);
	const { target, database } = await readTarget(options);
	return {
		restorer: postgresRestorer({
			server: target,
			into: { mode: options.into, database, confirmation: options.confirm },
			rules,
			connections,
			nativePath: options.pgRestore ?? process.env.N8N_BACKUP_PG_RESTORE,
			allowMissingExtensions: options.allowMissingExtensions,
			globals: options.globals,
		}),
		progress: ({ figures }) => `, ${figures?.rows ?? 0} rows`,
		show: (result, asOf) => show(result, asOf, { ...target, database: result.database }),
	};
}

/** The database of the URL is the one to be made; we connect to another one of the same server, with the same password. */
async function readTarget(options: DatabaseFlags): Promise<{ target: DatabaseTarget; database: string }> {
	const target = await parseDatabaseUrl(options.to, process.env);
	if (!new URL(options.to).pathname.slice(1)) {
		throw wrongUse('the URL of --to has no database name', 'Write postgres://user@host/newdatabase.');
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
}: DatabaseFlags): RewriteRules {
	const roles = role.map((text) => {
		const [, from, to] = /^([^=]+)=([^=]+)$/.exec(text) ?? [];
		if (from === undefined || to === undefined)
			throw wrongUse(`invalid value for --role: ${text}`, 'Write --role old=new.');
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

function wrongUse(message: string, hint: string): BackupError {
	return new BackupError('invalid-input', message, { hint });
}

function show(result: RestoreResult<RestoredDatabase>, asOf: string, target: DatabaseTarget): void {
	const { group, label, rows, originalBytes, seconds, comparison, properties } = result;
	printLine(
		`${group}/${label} is restored as ${describeTarget(target)}: ${sizeText(originalBytes)}, ${rows} rows in ${seconds.toFixed(1)} s`,
	);
	printLine(asOf);
	if (!comparison.ok) return;
	const { tables = 0, hashed = 0 } = comparison.figures;
	const contents = hashed > 0 ? `, ${hashed} of them by their content` : '';
	printLine(`${counted(tables, 'table')} as backed up, by the number of rows${contents}`);
	if (properties.length > 0) printLine(`the database itself got back ${properties.join(', ')}`);
}
