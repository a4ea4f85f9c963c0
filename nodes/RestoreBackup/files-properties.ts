/** The fields of Restore Backup that are about files. Their texts say what a choice means for what is there already. */
import type { INodeProperties } from 'n8n-workflow';
import { REQUEST_OPTIONS } from '../shared/actor';
import { ALLOW_UNSIGNED, LIMIT_OPTIONS } from '../shared/fields';

const FILES = { operation: ['restoreFiles'] };
const LIST = { operation: ['listContents'] };

export const filesProperties: INodeProperties[] = [
	{
		displayName: 'To Folder',
		name: 'folder',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'e.g. /home/node/.n8n-files/restored',
		description:
			'On the machine that runs n8n; made where it is missing. Files keep their whole path below it: srv/www/index.html, not index.html. n8n must be allowed to use it (N8N_RESTRICT_FILE_ACCESS_TO).',
		displayOptions: { show: FILES },
	},
	{
		displayName: 'Folder May Hold',
		name: 'intoFolder',
		type: 'options',
		options: [
			{ name: 'Nothing', value: 'empty', description: 'A folder that holds anything is refused' },
			{
				name: 'Anything, Replacing Files of the Same Name',
				value: 'replace',
				description: 'Each file of the backup takes the place of the one that has its name now; all others stay',
			},
		],
		default: 'empty',
		displayOptions: { show: FILES },
	},
	{
		displayName:
			'A file that is replaced is lost as it is now, with what was written to it since the backup. Each one is replaced at once: nobody sees half a file.',
		name: 'replaceFilesNotice',
		type: 'notice',
		default: '',
		displayOptions: { show: FILES, hide: { intoFolder: ['empty'] } },
	},
	{
		displayName: 'Type the Folder Again',
		name: 'folderConfirmation',
		type: 'string',
		default: '',
		required: true,
		description: 'The folder in which files will be replaced. Without it no file is replaced.',
		displayOptions: { show: FILES, hide: { intoFolder: ['empty'] } },
	},
	{
		displayName: 'Only These',
		name: 'include',
		type: 'string',
		typeOptions: { rows: 3 },
		default: '',
		placeholder: 'e.g. /srv/www/index.html',
		description:
			'Paths or patterns, one per line, as in a .gitignore; a folder stands for all in it. Everything when empty. Of a large backup, only what is needed is read.',
		displayOptions: { show: FILES },
	},
	{
		displayName: 'Path',
		name: 'path',
		type: 'string',
		default: '',
		placeholder: 'e.g. srv/www',
		description: 'Only this folder and what is below it. Everything when empty.',
		displayOptions: { show: LIST },
	},
	{
		displayName: 'Limit',
		name: 'limit',
		type: 'number',
		typeOptions: { minValue: 1, numberPrecision: 0 },
		default: 50,
		description: 'Max number of results to return',
		displayOptions: { show: LIST },
	},
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		displayOptions: { show: FILES },
		options: [
			ALLOW_UNSIGNED,
			{
				displayName: 'Dry Run',
				name: 'dryRun',
				type: 'boolean',
				default: false,
				description: 'Whether to say only what would be restored. Nothing is written.',
			},
			LIMIT_OPTIONS.hardTimeout,
			{
				displayName: 'Owners',
				name: 'owners',
				type: 'options',
				options: [
					{
						name: 'By Name',
						value: 'names',
						description: 'Who has the same name here, else the same number. Needs root.',
					},
					{ name: 'By Number', value: 'numbers', description: 'Whoever has the same number here. Needs root.' },
					{ name: 'Whoever Runs N8n', value: 'no', description: 'Everything belongs to the user that runs n8n' },
				],
				default: 'no',
			},
			REQUEST_OPTIONS.request,
			REQUEST_OPTIONS.requestedBy,
			LIMIT_OPTIONS.stallTimeout,
		],
	},
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		displayOptions: { show: LIST },
		options: [ALLOW_UNSIGNED, LIMIT_OPTIONS.hardTimeout, LIMIT_OPTIONS.stallTimeout],
	},
];
