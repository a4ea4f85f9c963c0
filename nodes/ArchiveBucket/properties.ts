/** The fields of the Archive Bucket node. Their texts say what a choice means for the backup. */
import type { INodeProperties } from 'n8n-workflow';
import { REQUEST_OPTIONS } from '../shared/actor';
import { keepField, verifyAfterwardsFields } from '../shared/afterwards-fields';
import { CHAIN_FIELDS } from '../shared/chain';
import { LIMIT_OPTIONS, NEW_ENCRYPTION, PROGRESS_NOTICE } from '../shared/fields';
import { retentionLockOption } from '../shared/retention-lock';
import { STORE_OPTIONS } from '../shared/store-options';

/** Larger archives are restored by the node Verify Backup, or by hand: they would fill the disk of temporary files. */
export const LARGEST_DRILL_MB = 10_000;

const AFTERWARDS = {
	show: { operation: ['archive'] },
	restored: 'Restored into a temporary folder, compared object by object, and removed; needs as much space there',
	upTo: 'Backups of larger buckets are read to their end, but not restored: a restore needs as much space in the folder of temporary files',
	largest: LARGEST_DRILL_MB,
	each: 'the group',
};

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
				description: 'Back up the objects of a bucket: compressed, encrypted and streamed to the storage',
				action: 'Archive a bucket',
			},
		],
		default: 'archive',
	},
	{
		displayName:
			'The bucket’s keys need to list and read only: say so in its credential (<i>Keys May Only Read</i>), so that its test writes nothing. <a href="https://www.npmjs.com/package/n8n-nodes-backup">docs/buckets.md</a> has the policy.',
		name: 'rightsNotice',
		type: 'notice',
		default: '',
	},
	{
		displayName: 'Only Below Prefix',
		name: 'prefix',
		type: 'string',
		default: '',
		placeholder: 'e.g. photos/2026',
		description: 'Below the prefix of the credential. All of the bucket when both are empty.',
	},
	{
		displayName: 'Group',
		name: 'group',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'e.g. bucket/photos',
		description: 'Name under which its backups are kept. Give each bucket and each prefix a group of its own.',
	},
	...CHAIN_FIELDS,
	...NEW_ENCRYPTION,
	...verifyAfterwardsFields(AFTERWARDS),
	keepField(AFTERWARDS),
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [
			{
				displayName: 'Allow Another Bucket',
				name: 'allowAnotherServer',
				type: 'boolean',
				default: false,
				description:
					'Whether to go on where the newest backup of the group came from another bucket or prefix. Needed once after a bucket was renamed. Two buckets want groups of their own.',
			},
			STORE_OPTIONS.zstdLevel,
			LIMIT_OPTIONS.hardTimeout,
			STORE_OPTIONS.rateLimit,
			STORE_OPTIONS.recipients,
			REQUEST_OPTIONS.request,
			REQUEST_OPTIONS.requestedBy,
			retentionLockOption('the backup'),
			LIMIT_OPTIONS.stallTimeout,
			STORE_OPTIONS.tags,
			LIMIT_OPTIONS.lockWait,
			{
				displayName: 'Versions Too',
				name: 'versions',
				type: 'boolean',
				default: false,
				description:
					'Whether to back up versions that are not current as well, and delete markers, of a bucket that keeps versions. Each version is read once. Its keys need the rights to list and read versions, and to read their tags. Changing it makes a full backup.',
			},
			{
				displayName: 'Warn When Lost (%)',
				name: 'maxLost',
				type: 'number',
				typeOptions: { minValue: 0, maxValue: 100, numberPrecision: 0 },
				default: 50,
				description:
					'Warn when more than this share of the objects or bytes of the backup before is gone, and hold retention back until somebody approves it (Apply Retention: Approve): something may have deleted them',
			},
		],
	},
	PROGRESS_NOTICE,
];
