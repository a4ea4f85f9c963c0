/** The fields of Restore Backup that are about buckets. Their texts say what a choice means for what is there already. */
import type { INodeProperties } from 'n8n-workflow';
import { ALLOW_UNSIGNED, LIMIT_OPTIONS } from '../shared/fields';

const BUCKET = { operation: ['restoreBucket'] };

export const bucketProperties: INodeProperties[] = [
	{
		displayName: 'Below Prefix',
		name: 'bucketPrefix',
		type: 'string',
		default: '',
		placeholder: 'e.g. restored',
		description:
			'Below the prefix of the bucket’s credential. Objects keep their whole names behind it; when both are empty, they get the names they had.',
		displayOptions: { show: BUCKET },
	},
	{
		displayName: 'Objects That Are There',
		name: 'existing',
		type: 'options',
		options: [
			{
				name: 'Stay, and Only What Is Missing Is Restored',
				value: 'keep',
				description: 'For a bucket that lost a part of its objects',
			},
			{ name: 'Stop the Restore', value: 'refuse', description: 'If one of the objects is there, nothing is written' },
			{
				name: 'Are Replaced',
				value: 'replace',
				description: 'Each object of the backup takes the place of the one that has its name now; all others stay',
			},
		],
		default: 'refuse',
		displayOptions: { show: BUCKET },
	},
	{
		displayName:
			'An object that is replaced is lost as it is now, unless the bucket keeps versions. Nothing is ever deleted.',
		name: 'replaceObjectsNotice',
		type: 'notice',
		default: '',
		displayOptions: { show: BUCKET, hide: { existing: ['refuse', 'keep'] } },
	},
	{
		displayName: 'Type the Bucket Again',
		name: 'bucketConfirmation',
		type: 'string',
		default: '',
		required: true,
		description: 'The name of the bucket in which objects will be replaced. Without it no object is replaced.',
		displayOptions: { show: BUCKET, hide: { existing: ['refuse', 'keep'] } },
	},
	{
		displayName: 'Only These',
		name: 'include',
		type: 'string',
		typeOptions: { rows: 3 },
		default: '',
		placeholder: 'e.g. /photos/2026/',
		description:
			'Names or patterns, one per line, as in a .gitignore; a folder stands for all in it. Everything when empty. Names are those in the bucket; List Contents shows odd ones escaped, for example 50%25 for 50%.',
		displayOptions: { show: BUCKET },
	},
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		displayOptions: { show: BUCKET },
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
			LIMIT_OPTIONS.stallTimeout,
			{
				displayName: 'Versions Too',
				name: 'versions',
				type: 'boolean',
				default: false,
				description:
					'Whether to restore versions that were not current as well, and delete markers, in their order: into a bucket that keeps versions and is empty. The backup must have been made with Versions Too.',
			},
		],
	},
];
