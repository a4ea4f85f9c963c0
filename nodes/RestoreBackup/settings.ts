/** The node's fields as the engine takes them. */
import type { IExecuteFunctions } from 'n8n-workflow';
import type { DecryptionKeys } from '../../core/codecs/age/age';
import type { Limits } from '../../core/streams/pipeline';
import { ALLOWANCES, parseAllowances } from '../../core/sources/postgres/replay/allowances';
import type { RewriteRules } from '../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import type { DatabaseRestoreOptions } from '../../core/sources/postgres/restore/restorer';
import type { RestorePlace } from '../../core/sources/postgres/restore/target';
import type { BackupChoice } from '../../core/verbs/restore/restore';
import { readDecryptionKeys, toDatabaseTarget } from '../shared/credentials';
import { type LimitFields, readLimits } from '../shared/limits';
import { locatorValue, splitList } from '../shared/run';
import { toDate } from '../shared/time';
import { filled, unknownOption, wholeNumber } from '../shared/values';

/** Fields of the node's "Options" collection; each is absent until the user adds it. */
interface OptionFields extends LimitFields {
	allowUnsigned?: boolean;
	allow?: string[];
	allowMissingExtensions?: boolean;
	connections?: number;
	globals?: boolean;
	owners?: RewriteRules['owners'];
	privileges?: RewriteRules['privileges'];
	roles?: { role?: Array<{ from: string; to: string }> };
	schemas?: string;
	tables?: string;
	withoutExtensions?: string;
}

export interface RestoreSettings {
	allowUnsigned: boolean;
	group: string;
	choice: BackupChoice;
	keys: DecryptionKeys | null;
	limits: Limits;
	/** Where and how the database is restored. */
	database: DatabaseRestoreOptions;
}

const ESCROW =
	'Add the identity to the credential while you restore, or restore with "n8n-backup restore --identity FILE" where the identity is.';

/** @throws BackupError 'invalid-input' */
export async function readSettings(context: IExecuteFunctions, itemIndex: number): Promise<RestoreSettings> {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	const into = readPlace(context, itemIndex);
	return {
		allowUnsigned: options.allowUnsigned === true,
		group: filled('Group', locatorValue(context, 'group', itemIndex)),
		choice: readChoice(context, itemIndex),
		keys: await readDecryptionKeys(context, itemIndex, ESCROW),
		limits: readLimits(options),
		database: {
			into,
			rules: readRules(options),
			connections: wholeNumber('Connections', options.connections ?? 1, 1, 16),
			allowMissingExtensions: options.allowMissingExtensions === true,
			globals: options.globals === true,
			server: beside(into, toDatabaseTarget(await context.getCredentials('postgres', itemIndex))),
		},
	};
}

/** A database that is made or replaced cannot be the one we are connected to; every server has "postgres". */
function beside({ mode, database }: RestorePlace, server: DatabaseTarget): DatabaseTarget {
	return mode !== 'empty' && server.database === database ? { ...server, database: 'postgres' } : server;
}

function readChoice(context: IExecuteFunctions, itemIndex: number): BackupChoice {
	const kind = context.getNodeParameter('backup', itemIndex) as BackupChoice['kind'];
	switch (kind) {
		case 'newest':
			return { kind };
		case 'label':
			return { kind, label: filled('Backup', locatorValue(context, 'label', itemIndex)) };
		case 'before':
			return { kind, time: toDate('Time', context.getNodeParameter('time', itemIndex), context.getTimezone()) };
		default:
			throw unknownOption('Which Backup', kind);
	}
}

function readPlace(context: IExecuteFunctions, itemIndex: number): RestorePlace {
	const mode = context.getNodeParameter('into', itemIndex) as RestorePlace['mode'];
	if (!['new', 'empty', 'replace'].includes(mode)) throw unknownOption('Restore Into', mode);
	const database = filled('Database', (context.getNodeParameter('database', itemIndex) as string).trim());
	if (mode !== 'replace') return { mode, database };
	return { mode, database, confirmation: (context.getNodeParameter('confirmation', itemIndex, '') as string).trim() };
}

function readRules(options: OptionFields): RewriteRules {
	const schemas = splitList(options.schemas);
	const tables = splitList(options.tables);
	const withoutExtensions = splitList(options.withoutExtensions);
	const roles = (options.roles?.role ?? []).map(({ from, to }) => {
		return [filled('In the Backup', from.trim()), filled('On This Server', to.trim())] as const;
	});
	return {
		owners: options.owners ?? 'keep',
		privileges: options.privileges ?? 'keep',
		...(withoutExtensions.length > 0 ? { withoutExtensions } : {}),
		...(options.allow?.length ? { allow: parseAllowances(options.allow, ALLOWANCES) } : {}),
		...(roles.length > 0 ? { roles: Object.fromEntries(roles) } : {}),
		...(schemas.length + tables.length > 0
			? { only: { ...(schemas.length > 0 ? { schemas } : {}), ...(tables.length > 0 ? { tables } : {}) } }
			: {}),
	};
}
