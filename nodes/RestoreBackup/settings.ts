/** The node's fields as the engine takes them. */
import type { IExecuteFunctions } from 'n8n-workflow';
import { BackupError } from '../../core/base/errors';
import type { DecryptionKeys } from '../../core/codecs/age/age';
import type { Limits } from '../../core/streams/pipeline';
import { belowPrefix, type BucketConfig } from '../../core/sources/bucket/config';
import type { BucketRestoreOptions } from '../../core/sources/bucket/restore-options';
import type { FilesRestoreOptions } from '../../core/sources/files/restore/restorer';
import { ALLOWANCES, parseAllowances } from '../../core/sources/postgres/replay/allowances';
import type { RewriteRules } from '../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { parseLsn } from '../../core/sources/postgres/physical/lsn';
import type { RecoveryTarget } from '../../core/sources/postgres/physical/restore/recovery';
import type { ClusterRestoreOptions } from '../../core/sources/postgres/physical/restore/restorer';
import type { DatabaseRestoreOptions } from '../../core/sources/postgres/restore/restorer';
import type { RestorePlace } from '../../core/sources/postgres/restore/target';
import type { BackupChoice } from '../../core/verbs/restore/restore';
import { allowedFolder } from '../shared/allowed-folder';
import { readDecryptionKeys, toDatabaseTarget, toStorageConfig } from '../shared/credentials';
import { type LimitFields, readLimits } from '../shared/limits';
import { locatorValue, splitList } from '../shared/run';
import { toDate } from '../shared/time';
import { filled, linesOf, textOf, unknownOption, wholeNumber } from '../shared/values';

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

/** The same for files. */
interface FilesFields extends LimitFields {
	owners?: NonNullable<FilesRestoreOptions['owners']>;
	dryRun?: boolean;
}

/** The same for objects of a bucket. */
interface BucketFields extends LimitFields {
	dryRun?: boolean;
	versions?: boolean;
}

/** The same for clusters. */
interface ClusterFields extends LimitFields {
	/** A command of the new server's machine; empty: the log is written. */
	fetchLogBy?: string;
	baseBackup?: string;
}

interface TablespaceFields {
	tablespace?: Array<{ from?: unknown; to?: unknown }>;
}

/** What every operation reads. */
export interface ChosenBackupSettings {
	allowUnsigned: boolean;
	group: string;
	choice: BackupChoice;
	keys: DecryptionKeys | null;
	limits: Limits;
}

const ESCROW =
	'Add the identity to the credential while you restore, or restore with "n8n-backup restore --identity FILE" where the identity is.';

/** Which backup, and how it is opened. @throws BackupError 'invalid-input' */
export async function readBackupSettings(context: IExecuteFunctions, itemIndex: number): Promise<ChosenBackupSettings> {
	return { ...(await readOpening(context, itemIndex)), choice: readChoice(context, itemIndex) };
}

/** Of which group, and how its backups are opened. @throws BackupError 'invalid-input' */
export async function readOpening(
	context: IExecuteFunctions,
	itemIndex: number,
): Promise<Omit<ChosenBackupSettings, 'choice'>> {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	return {
		allowUnsigned: options.allowUnsigned === true,
		group: filled('Group', locatorValue(context, 'group', itemIndex)),
		keys: await readDecryptionKeys(context, itemIndex, ESCROW),
		limits: readLimits(options),
	};
}

/** Where and how a database is restored. @throws BackupError 'invalid-input' */
export async function readDatabase(context: IExecuteFunctions, itemIndex: number): Promise<DatabaseRestoreOptions> {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	const into = readPlace(context, itemIndex);
	return {
		into,
		rules: readRules(options),
		connections: wholeNumber('Connections', options.connections ?? 1, 1, 16),
		allowMissingExtensions: options.allowMissingExtensions === true,
		globals: options.globals === true,
		server: beside(into, toDatabaseTarget(await context.getCredentials('postgres', itemIndex))),
	};
}

/** Where and how files are restored. @throws BackupError 'invalid-input', 'access-denied' */
export async function readFiles(context: IExecuteFunctions, itemIndex: number): Promise<FilesRestoreOptions> {
	const { owners = 'no', dryRun = false } = context.getNodeParameter('options', itemIndex, {}) as FilesFields;
	if (!['no', 'numbers', 'names'].includes(owners)) throw unknownOption('Owners', owners);
	const text = (name: string) => (context.getNodeParameter(name, itemIndex, '') as string).trim();
	const folder = filled('To Folder', text('folder'));
	const into = text('intoFolder');
	if (into !== 'empty' && into !== 'replace') throw unknownOption('Folder May Hold', into);
	if (into === 'replace' && text('folderConfirmation') !== folder) {
		throw new BackupError('invalid-input', `files in ${folder} are replaced only when its name is typed again`, {
			hint: 'Type the same folder into "Type the Folder Again".',
		});
	}
	return {
		to: await allowedFolder(folder, blockedBy(context)),
		include: text('include')
			.split('\n')
			.map((line) => line.trim())
			.filter((line) => line !== ''),
		overwrite: into === 'replace',
		...{ owners, dryRun },
	};
}

/** Where a cluster is restored to, and up to which moment. @throws BackupError 'invalid-input', 'access-denied' */
export async function readClusterRestore(
	context: IExecuteFunctions,
	itemIndex: number,
): Promise<ClusterRestoreOptions & { label: string | undefined; target: RecoveryTarget; fetchLogBy: string }> {
	const { baseBackup = '', fetchLogBy = '' } = context.getNodeParameter('options', itemIndex, {}) as ClusterFields;
	const { tablespace = [] } = context.getNodeParameter('tablespaces', itemIndex, {}) as TablespaceFields;
	const tablespaces: Record<string, string> = {};
	for (const { from, to } of tablespace) {
		const here = await allowedFolder(filled('Here', textOf(to)), blockedBy(context));
		tablespaces[filled('On the Server', textOf(from))] = here;
	}
	return {
		target: readMoment(context, itemIndex),
		label: textOf(baseBackup) || undefined,
		fetchLogBy: textOf(fetchLogBy),
		to: await allowedFolder(
			filled('To Folder', textOf(context.getNodeParameter('folder', itemIndex))),
			blockedBy(context),
		),
		tablespaces,
	};
}

function readMoment(context: IExecuteFunctions, itemIndex: number): RecoveryTarget {
	const upTo = context.getNodeParameter('upTo', itemIndex) as string;
	const field = (name: string) => context.getNodeParameter(name, itemIndex, '') as unknown;
	switch (upTo) {
		case 'newest':
			return { kind: 'newest' };
		case 'baseOnly':
			return { kind: 'base' };
		case 'time':
			return { kind: 'time', time: toDate('Moment', field('moment'), context.getTimezone()) };
		case 'lsn': {
			const lsn = filled('Place', textOf(field('lsn')));
			parseLsn(lsn);
			return { kind: 'lsn', lsn };
		}
		case 'restorePoint':
			return { kind: 'name', name: filled('Restore Point', textOf(field('restorePoint'))) };
		default:
			throw unknownOption('Up To', upTo);
	}
}

/** n8n's own answer to whether a folder may be used. */
function blockedBy({ helpers }: IExecuteFunctions): (resolved: string) => boolean {
	return (resolved) => helpers.isFilePathBlocked(resolved as Awaited<ReturnType<typeof helpers.resolvePath>>);
}

/** Which bucket objects are restored to, and how. @throws BackupError 'invalid-input' */
export async function readBucket(
	context: IExecuteFunctions,
	itemIndex: number,
): Promise<BucketRestoreOptions & { to: BucketConfig }> {
	const { dryRun = false, versions = false } = context.getNodeParameter('options', itemIndex, {}) as BucketFields;
	const text = (name: string) => textOf(context.getNodeParameter(name, itemIndex, ''));
	const existing = text('existing');
	if (existing !== 'refuse' && existing !== 'keep' && existing !== 'replace') {
		throw unknownOption('Objects That Are There', existing);
	}
	const whole = toStorageConfig(await context.getCredentials('backupStorageSecondApi', itemIndex));
	const to = belowPrefix(whole, text('bucketPrefix'));
	if (existing === 'replace' && text('bucketConfirmation') !== to.bucket) {
		throw new BackupError('invalid-input', `objects in ${to.bucket} are replaced only when its name is typed again`, {
			hint: 'Type the name of the bucket into "Type the Bucket Again".',
		});
	}
	return { to, existing, include: linesOf(context.getNodeParameter('include', itemIndex, '')), versions, dryRun };
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
