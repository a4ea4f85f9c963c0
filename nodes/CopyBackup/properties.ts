/** The fields of the Copy Backup node. Their texts say what a copy is, and what it proves. */
import type { INodeProperties } from 'n8n-workflow';
import { REQUEST_OPTIONS } from '../shared/actor';
import { ALLOW_UNSIGNED, PROGRESS_NOTICE, groupField, groupsField, labelField, LIMIT_OPTIONS } from '../shared/fields';
import { retentionLockOption } from '../shared/retention-lock';

export const properties: INodeProperties[] = [
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Copy',
				value: 'copy',
				description: 'Copy backups as they are stored, still encrypted; needs no key',
				action: 'Copy backups',
			},
		],
		default: 'copy',
	},
	{
		displayName:
			'Backups that a backup needs come along. Each copy is read back and compared, and what was found is stored beside it.',
		name: 'copyNotice',
		type: 'notice',
		default: '',
	},
	{
		displayName: 'Copy To',
		name: 'to',
		type: 'options',
		options: [
			{
				name: 'Second and Third Storage',
				value: 'both',
				description:
					'Both at the same time. Where one copy exists and the other failed, the run is degraded, not failed.',
			},
			{ name: 'Second Storage', value: 'second', description: 'It may be of another kind than the first one' },
		],
		default: 'second',
	},
	{
		displayName: 'Which Backups',
		name: 'choose',
		type: 'options',
		options: [
			{
				name: 'All That Are Missing',
				value: 'missing',
				description: 'Every backup that a destination lacks, each destination by itself',
			},
			{
				name: 'Newest of Each Group',
				value: 'newest',
				description: 'The last backup of every source, where a destination lacks it',
			},
			{ name: 'One Backup', value: 'label', description: 'Say, the one that the node before has just made' },
		],
		default: 'label',
		description: 'A copy that fails does not stop the others',
	},
	groupField({ displayOptions: { hide: { choose: ['missing', 'newest'] } }, value: '={{ $json.group }}' }),
	labelField({ displayOptions: { hide: { choose: ['missing', 'newest'] } }, value: '={{ $json.label }}' }),
	groupsField({ hide: { choose: ['label'] } }),
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [
			ALLOW_UNSIGNED,
			LIMIT_OPTIONS.hardTimeout,
			{
				displayName: 'Rate Limit (MB per Second)',
				name: 'rateLimit',
				type: 'number',
				typeOptions: { minValue: 0 },
				default: 0,
				description: 'Write no faster than this to each storage, to spare a busy line; 0 means no limit',
			},
			REQUEST_OPTIONS.request,
			REQUEST_OPTIONS.requestedBy,
			retentionLockOption('the copy'),
			LIMIT_OPTIONS.stallTimeout,
			LIMIT_OPTIONS.lockWait,
		],
	},
	PROGRESS_NOTICE,
];
