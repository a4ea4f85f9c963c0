/** The fields of Restore Backup that are about clusters. Their texts say up to which moment, and what must be there. */
import type { INodeProperties } from 'n8n-workflow';
import { REQUEST_OPTIONS } from '../shared/actor';
import { ALLOW_UNSIGNED, LIMIT_OPTIONS } from '../shared/fields';

const CLUSTER = { operation: ['restoreCluster'] };

/** Shown where one value of "Up To" is chosen, or may be. */
const upTo = (value: string) => ({
	show: CLUSTER,
	hide: { upTo: ['baseOnly', 'lsn', 'newest', 'restorePoint', 'time'].filter((each) => each !== value) },
});

export const clusterProperties: INodeProperties[] = [
	{
		displayName: 'Up To',
		name: 'upTo',
		type: 'options',
		options: [
			{ name: 'A Place in the Log', value: 'lsn', description: 'A log sequence number, as PostgreSQL writes it' },
			{
				name: 'A Restore Point',
				value: 'restorePoint',
				description: 'A name that was given on the server with pg_create_restore_point',
			},
			{ name: 'A Time', value: 'time', description: 'All that was committed until then: the second before a mistake' },
			{
				name: 'The End of the Base Backup',
				value: 'baseOnly',
				description: 'The newest base backup alone, without the log behind it',
			},
			{ name: 'The Newest Moment', value: 'newest', description: 'The last transaction that is stored' },
		],
		default: 'newest',
		description:
			'The base backup that fits is found by itself. What cannot be reached from what is stored is refused before anything is written.',
		displayOptions: { show: CLUSTER },
	},
	{
		displayName: 'Moment',
		name: 'moment',
		type: 'dateTime',
		default: '',
		required: true,
		placeholder: 'e.g. 2026-11-20T14:29:59',
		description: 'In the time zone of the workflow, unless the value names another',
		displayOptions: upTo('time'),
	},
	{
		displayName: 'Place',
		name: 'lsn',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'e.g. 16/B374D848',
		displayOptions: upTo('lsn'),
	},
	{
		displayName: 'Restore Point',
		name: 'restorePoint',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'e.g. before-upgrade',
		displayOptions: upTo('restorePoint'),
	},
	{
		displayName: 'To Folder',
		name: 'folder',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'e.g. /home/node/.n8n-files/restored',
		description:
			'On the machine that runs n8n: new or empty, in a folder that is there. It becomes the data directory of a server of the same major version. n8n must be allowed to use it (N8N_RESTRICT_FILE_ACCESS_TO).',
		displayOptions: { show: CLUSTER },
	},
	{
		displayName: 'Tablespaces',
		name: 'tablespaces',
		type: 'fixedCollection',
		typeOptions: { multipleValues: true },
		placeholder: 'Add tablespace',
		default: {},
		description:
			'Each tablespace of the cluster needs a new or empty folder here, never the one that it had: that may still belong to the server',
		displayOptions: { show: CLUSTER },
		options: [
			{
				displayName: 'Tablespace',
				name: 'tablespace',
				values: [
					{ displayName: 'On the Server', name: 'from', type: 'string', default: '', placeholder: 'e.g. /srv/fast' },
					{
						displayName: 'Here',
						name: 'to',
						type: 'string',
						default: '',
						placeholder: 'e.g. /home/node/.n8n-files/restored-fast',
					},
				],
			},
		],
	},
	{
		displayName:
			'The server that was backed up is not touched. What is restored belongs to the user who runs n8n: give the folder to the one who runs PostgreSQL (<code>chown -R postgres:</code>), then start the server there. It replays the log when it starts.',
		name: 'clusterNotice',
		type: 'notice',
		default: '',
		displayOptions: { show: CLUSTER },
	},
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		displayOptions: { show: CLUSTER },
		options: [
			ALLOW_UNSIGNED,
			{
				displayName: 'Base Backup',
				name: 'baseBackup',
				type: 'string',
				default: '',
				placeholder: 'e.g. 20261120T020000Z-full-k3f9',
				description: 'The label of the one to begin with, instead of the newest that ended before the moment',
			},
			{
				displayName: 'Fetch Log By',
				name: 'fetchLogBy',
				type: 'string',
				default: '',
				placeholder: 'e.g. /usr/local/bin/n8n-backup wal-get --storage s3://… --identity /etc/n8n-backup/key.txt',
				description:
					'A command on the machine of the new server, which fetches the log when it starts, one file after the other, instead of writing all of it into the folder now. Needs the command line program there, and for S3 its keys in the environment of the server.',
			},
			LIMIT_OPTIONS.hardTimeout,
			REQUEST_OPTIONS.request,
			REQUEST_OPTIONS.requestedBy,
			LIMIT_OPTIONS.stallTimeout,
		],
	},
];
