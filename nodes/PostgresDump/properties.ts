/** The fields of the Postgres Dump node. Their texts say what a choice means for the backup. */
import { PROGRESS_NOTICE } from '../shared/fields';
import { PRESET_OPTIONS } from '../shared/policy';
import type { INodeProperties } from 'n8n-workflow';
import { dumpOptions } from './options';

const forDump = { show: { operation: ['dump'] } };

export const properties: INodeProperties[] = [
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Check Connection',
				value: 'check',
				description: 'Find out beforehand whether a dump would succeed: server, privileges, storage, key and space',
				action: 'Check connection',
			},
			{
				name: 'Dump',
				value: 'dump',
				description: 'Back up databases: consistent, compressed, encrypted and streamed to the storage',
				action: 'Dump databases',
			},
		],
		default: 'dump',
	},
	{
		displayName: 'Databases',
		name: 'databases',
		type: 'options',
		options: [
			{
				name: 'All on This Server',
				value: 'all',
				description: 'Every database except templates and those that refuse connections, also ones created later',
			},
			{ name: 'By Name Pattern', value: 'pattern', description: 'Every database whose name matches' },
			{ name: 'From List', value: 'list', description: 'The databases you name; a missing one is an error' },
			{ name: 'Of the Credential', value: 'credential', description: 'The one database the credential names' },
		],
		default: 'all',
		description:
			'Which databases to use. Each becomes a backup of its own, and one that fails does not stop the others.',
	},
	{
		displayName: 'Database Names or IDs',
		name: 'databaseNames',
		type: 'multiOptions',
		typeOptions: { loadOptionsMethod: 'getDatabases' },
		default: [],
		required: true,
		description:
			'Each must exist. Choose from the list, or specify IDs using an <a href="https://docs.n8n.io/code/expressions/">expression</a>.',
		displayOptions: { hide: { databases: ['all', 'credential', 'pattern'] } },
	},
	{
		displayName: 'Name Pattern',
		name: 'databasePattern',
		type: 'string',
		default: '*',
		required: true,
		placeholder: 'e.g. customer_*',
		description: 'Patterns with * and ?, separated by commas; one that starts with ! leaves out what it matches',
		displayOptions: { hide: { databases: ['all', 'credential', 'list'] } },
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
	{
		displayName: 'Group Prefix',
		name: 'groupPrefix',
		type: 'string',
		default: 'postgres',
		required: true,
		placeholder: 'e.g. postgres/production',
		description:
			'Backups of the database "shop" are kept in the group "postgres/shop". Give each server a prefix of its own when several use the same storage.',
		displayOptions: forDump,
	},
	{
		displayName: 'Encryption',
		name: 'encryption',
		type: 'options',
		options: [
			{
				name: 'Encrypt',
				value: 'age',
				description: 'Only who holds the identity or passphrase can read the backup',
			},
			{
				name: 'None',
				value: 'none',
				description: 'Everyone who can read the storage can read all data in the backup',
			},
		],
		default: 'age',
	},
	{
		displayName: 'Without encryption, everyone who can read the storage can read all data in the backup',
		name: 'unencryptedNotice',
		type: 'notice',
		default: '',
		displayOptions: { hide: { encryption: ['age'] } },
	},
	{
		displayName: 'Verify Afterwards',
		name: 'verifyAfterwards',
		type: 'options',
		options: [
			{
				name: 'As Deep as Possible',
				value: 'deepest',
				description:
					'Restored and compared where the key is known and the dump is not too large; otherwise as far as it goes',
			},
			{
				name: 'No',
				value: 'no',
				description: 'Nobody knows then whether the backup is good, until another node looks',
			},
			{
				name: 'Readable',
				value: 'readable',
				description: 'Read back, decrypted and decompressed to its last word; needs the identity or passphrase',
			},
			{
				name: 'Restored',
				value: 'restored',
				description: 'Restored into a database inside n8n, compared table by table, and dropped; up to 500 MB',
			},
			{ name: 'Stored', value: 'stored', description: 'Read back, and compared with what was written; needs no key' },
		],
		default: 'deepest',
		description:
			'Whether to prove each backup right after it was made. One that turns out to be bad fails the item; retention trusts only what was proved.',
		displayOptions: forDump,
	},
	{
		displayName: 'Up To (MB)',
		name: 'verifyUpTo',
		type: 'number',
		typeOptions: { minValue: 1, maxValue: 500, numberPrecision: 0 },
		default: 100,
		description:
			'Larger dumps are read to their end, but not restored: the database inside n8n needs about as much memory as the dump is large',
		displayOptions: {
			show: { operation: ['dump'] },
			hide: { verifyAfterwards: ['no', 'readable', 'restored', 'stored'] },
		},
	},
	{
		displayName: 'Keep',
		name: 'keep',
		type: 'options',
		options: [
			{
				name: 'Everything',
				value: 'everything',
				description: 'Nothing is ever removed by this node: the storage fills up',
			},
			...PRESET_OPTIONS,
		],
		default: 'everything',
		description:
			'Which backups of each database stay. The others are removed after the new one was proved, with the rules of the node Apply Retention: nothing goes while the newest backup is doubtful. An expression may give rules such as <code>daily=14,weekly=8</code>.',
		displayOptions: forDump,
	},
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: dumpOptions,
	},
	PROGRESS_NOTICE,
];
