/** The fields of the Verify Backup node. Their texts say what each depth proves, and what it costs. */
import type { INodeProperties } from 'n8n-workflow';
import { REQUEST_OPTIONS } from '../shared/actor';
import { allowOption } from '../shared/allowances';
import {
	ALLOW_UNSIGNED,
	PROGRESS_NOTICE,
	encryptionField,
	groupField,
	groupsField,
	labelField,
	LIMIT_OPTIONS,
} from '../shared/fields';

export const properties: INodeProperties[] = [
	{
		displayName: 'Which Backups',
		name: 'choose',
		type: 'options',
		options: [
			{
				name: 'A Share Each Day',
				value: 'share',
				description: 'Another part of all backups each day, so that every one is seen once in that many days',
			},
			{
				name: 'All Unverified',
				value: 'unverified',
				description: 'Every backup that was not yet proved to be good at this depth or a deeper one',
			},
			{ name: 'Newest of a Group', value: 'group', description: 'The last backup of one source' },
			{ name: 'Newest of Each Group', value: 'newest', description: 'The last backup of every source' },
			{ name: 'One Backup', value: 'label', description: 'Say, the one that the node before has just made' },
		],
		default: 'label',
		description:
			'One backup that is bad does not stop the others. What several items ask for in the same words is done once.',
	},
	groupField({ displayOptions: { hide: { choose: ['newest', 'share', 'unverified'] } }, value: '={{ $json.group }}' }),
	labelField({
		displayOptions: { hide: { choose: ['group', 'newest', 'share', 'unverified'] } },
		value: '={{ $json.label }}',
	}),
	groupsField({ hide: { choose: ['group', 'label'] } }),
	{
		displayName: 'Days per Round',
		name: 'parts',
		type: 'number',
		typeOptions: { minValue: 1, maxValue: 10000, numberPrecision: 0 },
		default: 7,
		description: 'With 7, a seventh of the backups is verified each day, and all of them within a week',
		displayOptions: { hide: { choose: ['group', 'label', 'newest', 'unverified'] } },
	},
	{
		displayName: 'Depth',
		name: 'depth',
		type: 'options',
		options: [
			{
				name: 'Readable',
				value: 'readable',
				description:
					'Decrypts and decompresses everything and compares it with the digest of the original: proves that your key opens it and that it is complete. Needs the key and some processor time.',
			},
			{
				name: 'Restored',
				value: 'restored',
				description:
					'Restores into a scratch database, compares every table with what was there in the dump’s own snapshot, and drops it again: proves that you can have your data back. Takes as long as a restore does. A base backup is restored with the log behind it, and a server started in it: needs the programs of that PostgreSQL on the n8n host.',
			},
			{
				name: 'Stored',
				value: 'stored',
				description:
					'Reads the objects and compares size and digest: proves that the storage has kept what was written, not that anybody can open it. Needs no key; costs the traffic.',
			},
		],
		default: 'restored',
	},
	encryptionField({ hide: { depth: ['stored'] } }),
	{
		displayName: 'Scratch Database',
		name: 'scratch',
		type: 'options',
		options: [
			{
				name: 'Embedded',
				value: 'embedded',
				description:
					'PostgreSQL inside this node: needs no server, but has few extensions and takes dumps of up to 500 MB before compression. What does not fit fails as a matter of the environment, not of the backup.',
			},
			{
				name: 'On a Server',
				value: 'server',
				description:
					'A new database on the server of the Postgres credential, dropped at the end. Its user must be allowed to create databases. The database the credential names is only connected to.',
			},
		],
		default: 'embedded',
		description: 'Where to restore to. The database that was backed up is never touched.',
		displayOptions: { hide: { depth: ['readable', 'stored'] } },
	},
	{
		displayName: 'Assertions',
		name: 'assertions',
		type: 'fixedCollection',
		typeOptions: { multipleValues: true, sortable: true },
		placeholder: 'Add assertion',
		default: {},
		description: 'Questions to the restored database. A backup that answers one with no is bad.',
		displayOptions: { hide: { depth: ['readable', 'stored'] } },
		options: [
			{
				displayName: 'Assertion',
				name: 'assertion',
				values: [
					{
						displayName: 'Name',
						name: 'name',
						type: 'string',
						default: '',
						required: true,
						placeholder: 'e.g. there are orders of yesterday',
					},
					{
						displayName: 'SQL',
						name: 'sql',
						type: 'string',
						typeOptions: { editor: 'sqlEditor', rows: 3, sqlDialect: 'PostgreSQL' },
						default: '',
						required: true,
						placeholder: "e.g. SELECT max(created) > now() - interval '2 days' FROM public.orders",
						description:
							'One SELECT, WITH or VALUES. It passes when the first column of its first row is true or another number than 0; no row is a no, and so is an error of the data. What only reads can be asked; anything else is refused and proves nothing.',
					},
				],
			},
		],
	},
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [
			allowOption('drill'),
			ALLOW_UNSIGNED,
			{
				displayName: 'Assertion Database',
				name: 'assertDatabase',
				type: 'string',
				default: '',
				placeholder: 'e.g. shop',
				description: 'Of base backups of a cluster with several databases: the one in which the assertions are asked',
			},
			{
				displayName: 'Cluster up To',
				name: 'clusterMoment',
				type: 'options',
				options: [
					{
						name: 'A Random Moment',
						value: 'random',
						description: 'Between the end of the base backup and the newest log: another one each time',
					},
					{ name: 'The Newest Moment', value: 'newest', description: 'All log that is stored' },
				],
				default: 'newest',
				description: 'Up to which moment a base backup is restored at the depth Restored',
			},
			{
				displayName: 'Fail When the Environment Fails',
				name: 'failOnEnvironment',
				type: 'boolean',
				default: true,
				description:
					'Whether the node fails too when a backup could not be verified: the storage or scratch was not reachable, had no space, or lacks an extension. Otherwise such an item has "ok": false and "outcome": "environment". A bad backup always fails the node.',
			},
			LIMIT_OPTIONS.hardTimeout,
			{
				displayName: 'N8n’s Files (Group)',
				name: 'n8nGroup',
				type: 'string',
				default: 'files/n8n',
				placeholder: 'e.g. files/n8n',
				description:
					'When n8n itself is what was backed up: the group with the archive of its folder. Every credential of its database is opened with the key in there, in the backup with the same tag, else in the newest; one that does not open makes the backup bad. Needs the depth Restored.',
			},
			{
				displayName: 'N8n’s Key File',
				name: 'n8nKeyFile',
				type: 'string',
				default: '',
				placeholder: 'e.g. /srv/n8n/.env',
				description:
					'The file in that archive which gives N8N_ENCRYPTION_KEY to n8n. Empty: n8n’s own file, .n8n/config.',
			},
			REQUEST_OPTIONS.request,
			REQUEST_OPTIONS.requestedBy,
			LIMIT_OPTIONS.stallTimeout,
		],
	},
	PROGRESS_NOTICE,
];
