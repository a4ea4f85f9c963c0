/** The fields of the Archive Config node. Their texts say what a choice means for the backup. */
import type { INodeProperties } from 'n8n-workflow';
import { REQUEST_OPTIONS } from '../shared/actor';
import { keepField, verifyAfterwardsFields } from '../shared/afterwards-fields';
import { LIMIT_OPTIONS, NEW_ENCRYPTION, PROGRESS_NOTICE } from '../shared/fields';
import { retentionLockOption } from '../shared/retention-lock';
import { STORE_OPTIONS } from '../shared/store-options';

/** Configuration is small: what is larger is something else. */
export const LARGEST_DRILL_MB = 1000;

const ARCHIVE = { operation: ['archive'] };
const WRITE_WORKFLOWS = { operation: ['writeWorkflows'] };
const AFTERWARDS = {
	show: ARCHIVE,
	restored: 'Restored into a temporary folder, compared file by file, and removed',
	upTo: 'Larger backups are read to their end, but not restored',
	largest: LARGEST_DRILL_MB,
	each: 'the group',
};

const shownOnArchive = (field: INodeProperties): INodeProperties => ({
	...field,
	displayOptions: { ...field.displayOptions, show: { ...field.displayOptions?.show, ...ARCHIVE } },
});

export const properties: INodeProperties[] = [
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Archive',
				value: 'archive',
				description: 'Store the configuration that is found as one backup, with a record of versions and changes',
				action: 'Archive configuration',
			},
			{
				name: 'Discover',
				value: 'discover',
				description: 'List configuration, one item per file, with the names of its secrets; stores nothing',
				action: 'Discover configuration',
			},
			{
				name: 'Write Workflows',
				value: 'writeWorkflows',
				description:
					'Write the workflows that come in, one file each, the same way every time and without their secrets: for git',
				action: 'Write workflows as files',
			},
		],
		default: 'archive',
	},
	{
		displayName:
			'Connect the node <b>n8n</b> with the operation <b>Get Many Workflows</b>. Left out are pinned data, and what is or may be a secret in parameters: a workflow that is imported from its file may need some of it again.',
		name: 'workflowsNotice',
		type: 'notice',
		default: '',
		displayOptions: { show: WRITE_WORKFLOWS },
	},
	{
		displayName: 'Folder',
		name: 'workflowFolder',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'e.g. ~/.n8n-files/workflows',
		description:
			'Where the files are, in the file system of n8n; it must exist, and n8n must be allowed to write to it',
		displayOptions: { show: WRITE_WORKFLOWS },
	},
	{
		displayName: 'Remove Files of Other Workflows',
		name: 'allWorkflows',
		type: 'boolean',
		default: false,
		description:
			'Whether the files of workflows that do not come in are deleted, so that the folder shows what n8n has. Only for items that are all workflows. Files that this node did not write stay.',
		displayOptions: { show: WRITE_WORKFLOWS },
	},
	{
		displayName: 'Folders to Search',
		name: 'search',
		type: 'string',
		typeOptions: { rows: 3 },
		default: '',
		placeholder: 'e.g. /srv',
		description:
			'Where to look for compose files, env files, proxies, certificates, systemd units and other known configuration, one folder per line. N8n must be allowed to read them, and in a container they must be mounted.',
		displayOptions: { hide: WRITE_WORKFLOWS },
	},
	{
		displayName: 'Take',
		name: 'take',
		type: 'options',
		options: [
			{ name: 'Everything That Is Found', value: 'all' },
			{
				name: 'Only Files Named by Input Items',
				value: 'items',
				description: 'Items of Discover, filtered as you like; what they name outside of the folders is ignored',
			},
		],
		default: 'all',
		description: 'Which of the files that the search finds are stored',
		displayOptions: { show: ARCHIVE },
	},
	{
		displayName: 'Paths to Take Whole',
		name: 'paths',
		type: 'string',
		typeOptions: { rows: 2 },
		default: '',
		placeholder: 'e.g. /etc/myapp',
		description: 'Files and folders that are stored whatever they are called, one per line',
		displayOptions: { show: ARCHIVE },
	},
	{
		displayName: 'Group',
		name: 'group',
		type: 'string',
		default: 'config/server',
		required: true,
		placeholder: 'e.g. config/server1',
		description: 'Name under which its backups are kept. Give each server a group of its own.',
		displayOptions: { show: ARCHIVE },
	},
	{
		displayName: 'Secrets',
		name: 'secrets',
		type: 'options',
		options: [
			{
				name: 'Keep',
				value: 'kept',
				description: 'Files are stored as they are, so that a server can be restored; must be encrypted',
			},
			{
				name: 'Remove',
				value: 'removed',
				description:
					'Passwords, tokens and private keys are replaced or left out, so that others may read the backup; a restored server needs new ones',
			},
		],
		default: 'kept',
		description: 'Whether passwords, tokens and private keys are in the backup',
		displayOptions: { show: ARCHIVE },
	},
	...NEW_ENCRYPTION.map(shownOnArchive),
	...verifyAfterwardsFields(AFTERWARDS),
	keepField(AFTERWARDS),
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [
			STORE_OPTIONS.zstdLevel,
			{
				displayName: 'Exclude',
				name: 'exclude',
				type: 'string',
				typeOptions: { rows: 3 },
				default: '',
				placeholder: 'e.g. node_modules/',
				description:
					'Patterns as in a .gitignore, one per line, from the root of the file system. What is left out cannot be restored.',
			},
			LIMIT_OPTIONS.hardTimeout,
			STORE_OPTIONS.recipients,
			REQUEST_OPTIONS.request,
			REQUEST_OPTIONS.requestedBy,
			retentionLockOption('the backup'),
			LIMIT_OPTIONS.stallTimeout,
			STORE_OPTIONS.tags,
			LIMIT_OPTIONS.lockWait,
			{
				displayName: 'Warn Before Certificates Expire (Days)',
				name: 'certificateDays',
				type: 'number',
				typeOptions: { minValue: 0, maxValue: 365, numberPrecision: 0 },
				default: 21,
				description: 'Certificates that expire within so many days are in the item and a warning of the backup',
			},
		],
		displayOptions: { show: ARCHIVE },
	},
	{
		displayName: 'Options',
		name: 'discoverOptions',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [
			{
				displayName: 'Exclude',
				name: 'exclude',
				type: 'string',
				typeOptions: { rows: 3 },
				default: '',
				placeholder: 'e.g. node_modules/',
				description: 'Patterns as in a .gitignore, one per line, from the root of the file system',
			},
		],
		displayOptions: { show: { operation: ['discover'] } },
	},
	PROGRESS_NOTICE,
];
