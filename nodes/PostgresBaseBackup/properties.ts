/** The fields of the Base Backup of Postgres node. Their texts say what a choice means for what can be restored. */
import type { INodeProperties } from 'n8n-workflow';
import { REQUEST_OPTIONS } from '../shared/actor';
import { keepField, verifyAfterwardsFields } from '../shared/afterwards-fields';
import { CHAIN_FIELDS } from '../shared/chain';
import { LIMIT_OPTIONS, NEW_ENCRYPTION, PROGRESS_NOTICE } from '../shared/fields';
import { retentionLockOption } from '../shared/retention-lock';
import { STORE_OPTIONS } from '../shared/store-options';

const BASE = { operation: ['backUpCluster'] };
const STORES = { operation: ['backUpCluster', 'check', 'collectLog'] };

/** Larger clusters are restored as a test by Verify Backup, or by hand: they would fill the disk of temporary files. */
export const LARGEST_DRILL_MB = 100_000;

const AFTERWARDS = {
	show: { operation: ['backUpCluster', 'collectLog'] },
	restored:
		'A base backup is restored into a temporary folder, and a server is started in it, which nobody can reach. Needs the programs of that PostgreSQL on the n8n host.',
	upTo: 'Larger clusters are read to their end, but not restored: a restore needs as much space in the folder of temporary files',
	largest: LARGEST_DRILL_MB,
	each: 'the cluster',
};

const storing = (field: INodeProperties): INodeProperties => ({
	...field,
	displayOptions: { ...field.displayOptions, show: { ...field.displayOptions?.show, ...STORES } },
});

/** Of each operation that stores something. */
const COMMON_OPTIONS: INodeProperties[] = [
	{
		displayName: 'Allow Another Server',
		name: 'allowAnotherServer',
		type: 'boolean',
		default: false,
		description:
			'Whether to go on where the newest backup of the group came from another cluster. Needed once after it was made anew or upgraded. Two clusters want names of their own.',
	},
	STORE_OPTIONS.zstdLevel,
	LIMIT_OPTIONS.hardTimeout,
	STORE_OPTIONS.rateLimit,
	STORE_OPTIONS.recipients,
	REQUEST_OPTIONS.request,
	REQUEST_OPTIONS.requestedBy,
	retentionLockOption('the backup'),
	LIMIT_OPTIONS.stallTimeout,
];

export const properties: INodeProperties[] = [
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Back Up Cluster',
				value: 'backUpCluster',
				description: 'A base backup: all databases and roles of a server, as files. Once a day, say.',
				action: 'Back up cluster',
			},
			{
				name: 'Check',
				value: 'check',
				description:
					'Find out beforehand what is missing on the server, with the SQL that grants it, and how it would be read: over replication or plain SQL',
				action: 'Check server',
			},
			{
				name: 'Collect WAL',
				value: 'collectLog',
				description:
					'Store what the server has written to its log since the last run. Every few minutes: what is not collected can be lost.',
				action: 'Collect write ahead log',
			},
			{
				name: 'Drop Slot',
				value: 'dropSlot',
				description: 'End collecting for good: the server then keeps no log for it any more',
				action: 'Drop replication slot',
			},
		],
		default: 'backUpCluster',
	},
	{
		displayName:
			'The role needs nothing but <code>LOGIN REPLICATION</code>, and the server no change. Without replication, the right to run five functions is enough, which Check names. Collect WAL first, then back up: what is written between two base backups can be restored only where the log is stored. <a href="https://www.npmjs.com/package/n8n-nodes-backup">docs/point-in-time.md</a> says more.',
		name: 'rightsNotice',
		type: 'notice',
		default: '',
		displayOptions: { show: STORES },
	},
	{
		displayName:
			'After that, moments since the last collected log can no longer be restored, until Collect WAL and Back Up Cluster have run again. What is stored stays.',
		name: 'dropNotice',
		type: 'notice',
		default: '',
		displayOptions: { show: { operation: ['dropSlot'] } },
	},
	{
		displayName: 'Cluster Name',
		name: 'cluster',
		type: 'string',
		default: 'main',
		required: true,
		placeholder: 'e.g. main',
		description:
			'Base backups of "main" are kept in the group "cluster/main", its log in "wal/main". Give each server a name of its own. The database that the credential names is only connected to.',
	},
	...CHAIN_FIELDS.map((field) => ({
		...field,
		displayOptions: { ...field.displayOptions, show: BASE },
	})),
	{
		displayName: 'Where It Cannot Be Incremental',
		name: 'otherwise',
		type: 'options',
		options: [
			{
				name: 'Make a Full One',
				value: 'full',
				description: 'The backup says why. Without any backup before, or without a key that opens it, it is an error.',
			},
			{
				name: 'Make None',
				value: 'nothing',
				description: 'The item says why. For an hourly schedule, beside a daily full one.',
			},
		],
		default: 'full',
		description:
			'PostgreSQL 17 and later can, with <code>summarize_wal</code> on. The server’s list of files must be read too: by the identity, or by the host key in the credential.',
		displayOptions: { show: BASE, hide: { type: ['auto', 'full'] } },
	},
	{
		displayName: 'Go On For (Seconds)',
		name: 'goOnFor',
		type: 'number',
		typeOptions: { minValue: 0, maxValue: 86400 },
		default: 0,
		description:
			'How long to stay connected to the server and store what it writes; 0 for once. With the time between two runs of the schedule, less a few seconds, what can be lost is seconds old and not minutes. The execution lasts as long.',
		displayOptions: { show: { operation: ['collectLog'] } },
	},
	{
		displayName: 'Store Every (Seconds)',
		name: 'storeEvery',
		type: 'number',
		typeOptions: { minValue: 1, maxValue: 3600 },
		default: 30,
		description:
			'How often to store what is new, while it stays connected. Each time is a backup with a few small objects, which restores and retention read; nothing is stored when nothing is new.',
		displayOptions: { show: { operation: ['collectLog'] }, hide: { goOnFor: [0] } },
	},
	{
		displayName: 'Start Over',
		name: 'startOver',
		type: 'boolean',
		default: false,
		description:
			'Whether to begin anew where the log of the server cannot be joined to what is stored: it was put back to an older state, or log was lost. Otherwise that is an error. Make a base backup right after; moments in between cannot be restored.',
		displayOptions: { show: { operation: ['collectLog'] } },
	},
	{
		displayName: 'If a Check Fails',
		name: 'onFinding',
		type: 'options',
		options: [
			{ name: 'Fail', value: 'fail', description: 'The node fails, or the error output gets all that was found' },
			{
				name: 'Give It as Result',
				value: 'result',
				description: 'The item says ok: false, and the workflow goes on: something after this node must look at it',
			},
		],
		default: 'fail',
		displayOptions: { show: { operation: ['check'] } },
	},
	...NEW_ENCRYPTION.map(storing),
	...verifyAfterwardsFields(AFTERWARDS),
	keepField({ ...AFTERWARDS, show: BASE }),
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [...COMMON_OPTIONS, STORE_OPTIONS.tags, LIMIT_OPTIONS.lockWait],
		displayOptions: { show: STORES },
	},
	storing(PROGRESS_NOTICE),
];
