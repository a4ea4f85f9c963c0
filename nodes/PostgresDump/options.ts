/** The options of the Postgres Dump node, by name. Their texts say what a choice means for the backup. */
import type { INodeProperties } from 'n8n-workflow';
import { REQUEST_OPTIONS } from '../shared/actor';
import { LIMIT_OPTIONS } from '../shared/fields';
import { retentionLockOption } from '../shared/retention-lock';
import { STORE_OPTIONS } from '../shared/store-options';

export const dumpOptions: INodeProperties[] = [
	{
		displayName: 'Allow Another Server',
		name: 'allowAnotherServer',
		type: 'boolean',
		default: false,
		description:
			'Whether to go on where the newest backup of a group came from another server. Needed once after a server was moved, upgraded or made anew. Two servers want group prefixes of their own.',
	},
	STORE_OPTIONS.zstdLevel,
	{
		displayName: 'Content Hashes',
		name: 'contentHash',
		type: 'boolean',
		default: false,
		description:
			'Whether to hash the rows of every table too, so that a restore proves that they are the same and not only as many. Reads all rows once more.',
	},
	{
		displayName: 'Engine',
		name: 'engine',
		type: 'options',
		options: [
			{ name: 'Automatic', value: 'auto', description: 'Built-in, unless the server is newer than it' },
			{
				name: 'Built-In',
				value: 'builtin',
				description: 'The pg_dump inside this package; needs nothing on the host',
			},
			{
				name: 'Native',
				value: 'native',
				description: 'A pg_dump installed on the n8n host: in PATH, or where N8N_BACKUP_PG_DUMP points',
			},
		],
		default: 'auto',
		description: 'Which pg_dump makes the dump',
	},
	{
		displayName: 'Exclude Schemas',
		name: 'excludeSchemas',
		type: 'string',
		default: '',
		placeholder: 'e.g. audit, tmp_*',
		description: 'Patterns as in pg_dump, separated by commas. What is left out cannot be restored.',
	},
	{
		displayName: 'Exclude Table Data',
		name: 'excludeTableData',
		type: 'string',
		default: '',
		placeholder: 'e.g. public.sessions',
		description: 'Tables that are restored empty: patterns as in pg_dump, separated by commas',
	},
	{
		displayName: 'Exclude Tables',
		name: 'excludeTables',
		type: 'string',
		default: '',
		placeholder: 'e.g. public.log_*',
		description: 'Patterns as in pg_dump, separated by commas. What is left out cannot be restored.',
	},
	{
		displayName: 'Format',
		name: 'format',
		type: 'options',
		options: [
			{
				name: 'Custom',
				value: 'custom',
				description: 'Needs pg_restore of the same major version or later to be opened',
			},
			{ name: 'Plain SQL', value: 'plain', description: 'Can be restored by psql and by this package alone' },
		],
		default: 'plain',
	},
	{
		displayName: 'Lock Timeout (Seconds)',
		name: 'lockTimeout',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 60,
		description: 'Give up when a table stays locked by somebody else for this long',
	},
	{
		displayName: 'Maximum Duration (Hours)',
		name: 'hardTimeout',
		type: 'number',
		typeOptions: { minValue: 0.01 },
		default: 24,
		description: 'A dump that takes longer is stopped and counts as failed',
	},
	{
		...STORE_OPTIONS.rateLimit,
		description:
			'Read no faster than this, to spare a busy server; 0 means no limit. A slower dump holds its snapshot longer.',
	},
	STORE_OPTIONS.recipients,
	REQUEST_OPTIONS.request,
	REQUEST_OPTIONS.requestedBy,
	retentionLockOption('the backup'),
	{
		displayName: 'Roles',
		name: 'globals',
		type: 'options',
		options: [
			{
				name: 'None',
				value: 'none',
				description: 'A restore on another server needs roles that somebody makes there',
			},
			{
				name: 'With Password Hashes',
				value: 'passwords',
				description: 'Roles that are restored can log in as before; needs a superuser',
			},
			{
				name: 'Without Passwords',
				value: 'roles',
				description: 'Roles that are restored need a new password before they can log in',
			},
		],
		default: 'roles',
		description:
			'Whether the roles of the server and their memberships are saved beside the dump, which only names them',
	},
	{
		displayName: 'Schema Only',
		name: 'schemaOnly',
		type: 'boolean',
		default: false,
		description: 'Whether to leave out all rows. Such a backup restores empty tables.',
	},
	{
		displayName: 'Schemas',
		name: 'schemas',
		type: 'string',
		default: '',
		placeholder: 'e.g. public, app',
		description: 'Only these schemas: patterns as in pg_dump, separated by commas. Large objects are left out.',
	},
	{
		displayName: 'Stall Timeout (Seconds)',
		name: 'stallTimeout',
		type: 'number',
		typeOptions: { minValue: 5 },
		default: 300,
		description: 'A dump in which nothing moves for this long is stopped and counts as failed',
	},
	{
		displayName: 'Tables',
		name: 'tables',
		type: 'string',
		default: '',
		placeholder: 'e.g. public.orders*',
		description:
			'Only these tables: patterns as in pg_dump, separated by commas. Functions, types and large objects are left out.',
	},
	STORE_OPTIONS.tags,
	LIMIT_OPTIONS.lockWait,
	{
		displayName: 'Warn After (Minutes)',
		name: 'snapshotWarning',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 60,
		description: 'Add a warning when the dump held its snapshot, and with it vacuum, back for longer than this',
	},
	{
		displayName: 'Warn When Lost (%)',
		name: 'maxLost',
		type: 'number',
		typeOptions: { minValue: 0, maxValue: 100, numberPrecision: 0 },
		default: 50,
		description:
			'Warn when a table has lost more than this share of its rows since the backup before, and hold retention back until somebody approves it (Apply Retention: Approve). Needs an identity, a passphrase or a host key, which can read how many rows there were.',
	},
];
