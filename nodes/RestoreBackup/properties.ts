/** The fields of the Restore Backup node. Their texts say what a choice means for what is there already. */
import type { INodeProperties } from 'n8n-workflow';
import { REQUEST_OPTIONS } from '../shared/actor';
import { allowOption } from '../shared/allowances';
import {
	ALLOW_UNSIGNED,
	PROGRESS_NOTICE,
	encryptionField,
	groupField,
	labelField,
	LIMIT_OPTIONS,
} from '../shared/fields';
import { bucketProperties } from './bucket-properties';
import { clusterProperties } from './cluster-properties';
import { filesProperties } from './files-properties';

/** Fields of the operation that restores a database. */
const DATABASE = { operation: ['restoreDatabase'] };
/** Finds its base backup by itself. */
const CLUSTER = { operation: ['restoreCluster'] };

export const properties: INodeProperties[] = [
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'List Contents',
				value: 'listContents',
				description: 'List what is inside of a backup of files or of a bucket: one item each. Nothing is restored.',
				action: 'List contents of a backup of files',
			},
			{
				name: 'Restore Bucket',
				value: 'restoreBucket',
				description: 'Restore the objects of a bucket into the same or another one, read them back, and compare them',
				action: 'Restore bucket',
			},
			{
				name: 'Restore Cluster',
				value: 'restoreCluster',
				description:
					'Restore a whole PostgreSQL cluster as it was at any moment, into a folder in which a server is started then',
				action: 'Restore cluster to a moment',
			},
			{
				name: 'Restore Database',
				value: 'restoreDatabase',
				description: 'Restore a database, and compare its tables with those that were backed up',
				action: 'Restore database',
			},
			{
				name: 'Restore Files',
				value: 'restoreFiles',
				description:
					'Restore folders and files, all of them or some, and compare them with those that were backed up; also objects of a bucket, as files',
				action: 'Restore files',
			},
		],
		default: 'restoreDatabase',
	},
	groupField(),
	{
		displayName: 'Which Backup',
		name: 'backup',
		type: 'options',
		options: [
			{ name: 'Chosen', value: 'label', description: 'The backup you name or pick from a list' },
			{ name: 'Newest', value: 'newest', description: 'The last one that was stored' },
			{
				name: 'Newest Before a Time',
				value: 'before',
				description: 'The last one that was started before a moment: say, before somebody made a mistake',
			},
		],
		default: 'newest',
		displayOptions: { hide: CLUSTER },
	},
	labelField({ displayOptions: { hide: { backup: ['newest', 'before'], ...CLUSTER } } }),
	{
		displayName: 'Time',
		name: 'time',
		type: 'dateTime',
		default: '',
		required: true,
		description: 'In the time zone of the workflow, unless the value names another',
		displayOptions: { hide: { backup: ['newest', 'label'], ...CLUSTER } },
	},
	encryptionField(),
	{
		displayName: 'Restore Into',
		name: 'into',
		type: 'options',
		options: [
			{
				name: 'Existing Database, Replacing It',
				value: 'replace',
				description:
					'Everything in that database is lost. It is swapped for the restored one at the end: a restore that fails or does not match leaves it untouched.',
			},
			{
				name: 'Existing Empty Database',
				value: 'empty',
				description: 'A database that somebody has prepared; one that holds anything is refused',
			},
			{ name: 'New Database', value: 'new', description: 'Is created; a name that is taken is refused' },
		],
		default: 'new',
		displayOptions: { show: DATABASE },
	},
	{
		displayName: 'Database',
		name: 'database',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'e.g. shop_restored',
		description:
			'Its name, on the server of the Postgres credential. The database that the credential names is only connected to.',
		displayOptions: { show: DATABASE },
	},
	{
		displayName:
			'A database that is replaced loses whatever is in it now, including what was written since the backup, and everyone who is connected to it is disconnected',
		name: 'replaceNotice',
		type: 'notice',
		default: '',
		displayOptions: { show: DATABASE, hide: { into: ['new', 'empty'] } },
	},
	{
		displayName: 'Type the Name Again',
		name: 'confirmation',
		type: 'string',
		default: '',
		required: true,
		description: 'The name of the database that will be replaced. Without it no database is replaced.',
		displayOptions: { show: DATABASE, hide: { into: ['new', 'empty'] } },
	},
	...filesProperties,
	...bucketProperties,
	...clusterProperties,
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		displayOptions: { show: DATABASE },
		options: [
			allowOption('restore'),
			{
				displayName: 'Allow Missing Extensions',
				name: 'allowMissingExtensions',
				type: 'boolean',
				default: false,
				description:
					'Whether to begin although the server lacks extensions the backup needs. The restore then stops at the first statement that uses one.',
			},
			ALLOW_UNSIGNED,
			{
				displayName: 'Connections',
				name: 'connections',
				type: 'number',
				typeOptions: { minValue: 1, maxValue: 16, numberPrecision: 0 },
				default: 1,
				description: 'How many build indexes and constraints at the same time. More are faster and need more memory.',
			},
			LIMIT_OPTIONS.hardTimeout,
			{
				displayName: 'Owners',
				name: 'owners',
				type: 'options',
				options: [
					{
						name: 'Drop',
						value: 'drop',
						description: 'Everything belongs to the user of the Postgres credential',
					},
					{
						name: 'Keep',
						value: 'keep',
						description:
							'Everything belongs to who owned it; roles that are missing are found before anything is written',
					},
				],
				default: 'keep',
			},
			{
				displayName: 'Privileges',
				name: 'privileges',
				type: 'options',
				options: [
					{ name: 'Drop', value: 'drop', description: 'Nobody but the owner may use anything until it is granted' },
					{ name: 'Keep', value: 'keep', description: 'Everyone may do what they were allowed to do' },
				],
				default: 'keep',
			},
			REQUEST_OPTIONS.request,
			REQUEST_OPTIONS.requestedBy,
			{
				displayName: 'Role Names',
				name: 'roles',
				type: 'fixedCollection',
				typeOptions: { multipleValues: true },
				placeholder: 'Add role',
				default: {},
				description: 'Roles that have another name on this server',
				options: [
					{
						displayName: 'Role',
						name: 'role',
						values: [
							{
								displayName: 'In the Backup',
								name: 'from',
								type: 'string',
								default: '',
								required: true,
								placeholder: 'e.g. shop_owner',
							},
							{
								displayName: 'On This Server',
								name: 'to',
								type: 'string',
								default: '',
								required: true,
								placeholder: 'e.g. staging_owner',
							},
						],
					},
				],
			},
			{
				displayName: 'Roles of the Server',
				name: 'globals',
				type: 'boolean',
				default: false,
				description:
					'Whether to create the roles and memberships that were saved beside the dump first. Roles that exist stay as they are; roles that are created have no password unless it was saved. Needs a user who may create roles.',
			},
			{
				displayName: 'Schemas',
				name: 'schemas',
				type: 'string',
				default: '',
				placeholder: 'e.g. public, app',
				description:
					'Restore only these schemas: names, separated by commas. Something in them that needs something elsewhere makes the restore fail.',
			},
			LIMIT_OPTIONS.stallTimeout,
			{
				displayName: 'Tables',
				name: 'tables',
				type: 'string',
				default: '',
				placeholder: 'e.g. public.orders',
				description:
					'Restore only these tables: names with their schema, or without for those in public, separated by commas',
			},
			{
				displayName: 'Without Extensions',
				name: 'withoutExtensions',
				type: 'string',
				default: '',
				placeholder: 'e.g. pg_cron',
				description:
					'Leave these extensions out, with what the backup has of their tables: names, separated by commas. For one that may be in a single database of a server only.',
			},
		],
	},
	PROGRESS_NOTICE,
];
