/** The fields of the Postgres Dump node. Their texts say what a choice means for the backup. */
import { NEW_ENCRYPTION, PROGRESS_NOTICE } from '../shared/fields';
import { keepField, verifyAfterwardsFields } from '../shared/afterwards-fields';
import type { INodeProperties } from 'n8n-workflow';
import { dumpOptions } from './options';

const forDump = { show: { operation: ['dump'] } };

/** Larger dumps are not restored inside n8n. */
export const LARGEST_EMBEDDED_MB = 500;

const AFTERWARDS = {
	...forDump,
	restored: `Restored into a database inside n8n, compared table by table, and dropped; up to ${LARGEST_EMBEDDED_MB} MB`,
	upTo: 'Larger dumps are read to their end, but not restored: the database inside n8n needs about as much memory as the dump is large',
	largest: LARGEST_EMBEDDED_MB,
	each: 'each database',
};

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
	...NEW_ENCRYPTION,
	...verifyAfterwardsFields(AFTERWARDS),
	keepField(AFTERWARDS),
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
