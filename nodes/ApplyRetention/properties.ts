/** The fields of the Apply Retention node. Their texts say what stays, what goes, and what may be lost. */
import type { INodeProperties } from 'n8n-workflow';
import { groupField, labelField } from '../shared/fields';
import { PRESET_OPTIONS } from '../shared/policy';
import { policyField, retentionOptions } from './policy-fields';

const forPolicy = { show: { operation: ['apply', 'plan'] } };
const forPins = { show: { operation: ['pin', 'unpin', 'approve'] } };
const forPrune = { show: { operation: ['prune'] } };

export const properties: INodeProperties[] = [
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Apply',
				value: 'apply',
				description: 'Removes for good what the policy does not keep. Plan shows beforehand what that is.',
				action: 'Apply retention policy',
			},
			{
				name: 'Approve',
				value: 'approve',
				description:
					'Says that what a source lost up to a backup is right. Until then nothing of its group is removed.',
				action: 'Approve backup that lost much',
			},
			{
				name: 'Pin',
				value: 'pin',
				description: 'Keeps a backup whatever a policy says, until it is unpinned',
				action: 'Pin backup',
			},
			{
				name: 'Plan',
				value: 'plan',
				description: 'Shows what would be kept and removed; deletes nothing',
				action: 'Plan retention',
			},
			{
				name: 'Prune',
				value: 'prune',
				description: 'Finds what killed runs have left: objects without a manifest, unfinished uploads, stale locks',
				action: 'Prune leftovers',
			},
			{
				name: 'Unpin',
				value: 'unpin',
				description: 'Lets policies decide about a backup again; the next Apply may remove it',
				action: 'Unpin backup',
			},
		],
		default: 'plan',
	},
	{
		displayName: 'Which Groups',
		name: 'choose',
		type: 'options',
		options: [
			{ name: 'All', value: 'all', description: 'Every group of the storage, also ones that are new; each by itself' },
			{
				name: 'By Name or Pattern',
				value: 'named',
				description: 'The groups you name; one that is not there is an error',
			},
			{ name: 'One Group', value: 'group', description: 'Say, of the backup that the node before has just made' },
		],
		default: 'group',
		description:
			'Each group is planned by itself and becomes an item of its own. One that fails does not stop the others. What several items ask for in the same words is done once.',
		displayOptions: forPolicy,
	},
	{
		displayName: 'Groups',
		name: 'groups',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'e.g. postgres/shop, postgres/customer_*',
		description:
			'Names, separated by commas; * stands for any characters and ? for one. A name without them is that group only: app does not mean app-staging.',
		displayOptions: { ...forPolicy, hide: { choose: ['all', 'group'] } },
	},
	groupField({
		displayOptions: { ...forPolicy, hide: { choose: ['all', 'named'] } },
		value: '={{ $json.group }}',
	}),
	{
		displayName: 'Policy',
		name: 'policy',
		type: 'options',
		options: [
			...PRESET_OPTIONS,
			{ name: 'Custom', value: 'custom', description: 'How many to keep of each kind, as you enter it' },
		].sort((a, b) => a.name.localeCompare(b.name)),
		default: 'critical',
		description:
			'Of the last hours, days and so on that have a backup, the newest one of each is kept. Pinned backups, what a kept backup needs, the newest verified one and the last few always stay.',
		displayOptions: forPolicy,
	},
	policyField({ ...forPolicy, hide: { policy: PRESET_OPTIONS.map(({ value }) => value) } }),
	groupField({ displayOptions: forPins }),
	labelField({ displayOptions: forPins }),
	{
		displayName: 'Reason',
		name: 'reason',
		type: 'string',
		default: '',
		placeholder: 'e.g. before the move to version 7',
		description: 'Why it stays, or why the loss is right, for people. Whoever can read the storage can read it.',
		displayOptions: { show: { operation: ['pin', 'approve'] } },
	},
	{
		displayName: 'What to Do',
		name: 'pruneMode',
		type: 'options',
		options: [
			{ name: 'Remove', value: 'remove', description: 'Removes it. Files that are nobody’s are named and stay.' },
			{ name: 'Show', value: 'show', description: 'Shows what would be removed; deletes nothing' },
		],
		default: 'show',
		displayOptions: forPrune,
	},
	{
		displayName: 'Grace Time (Hours)',
		name: 'graceHours',
		type: 'number',
		typeOptions: { minValue: 0, maxValue: 8760 },
		default: 24,
		description:
			'What is younger is left alone, since it may belong to a run that lives. Must be longer than the longest run.',
		displayOptions: forPrune,
	},
	retentionOptions(forPolicy),
];
