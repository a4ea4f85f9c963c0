/** Fields by which a status is judged: where to look, what is expected, what is too old. */
import type { INodeProperties } from 'n8n-workflow';

type StatusField = 'expected' | 'groups' | 'retention' | 'storages';

export const STATUS_FIELDS: Record<StatusField, INodeProperties> = {
	storages: {
		displayName: 'Look In',
		name: 'storages',
		type: 'options',
		options: [
			{ name: 'First, Second and Third Storage', value: 'third' },
			{
				name: 'First and Second Storage',
				value: 'second',
				description: 'Which backups were copied, and which were not',
			},
			{ name: 'One Storage', value: 'first' },
		],
		default: 'first',
		description: 'Backups are made in the first one; the others hold copies',
	},
	groups: {
		displayName: 'Groups',
		name: 'groups',
		type: 'string',
		default: '',
		placeholder: 'e.g. postgres/*',
		description: 'Only these groups, separated by commas; * and ? stand for characters. Empty: all.',
	},
	expected: {
		displayName: 'Expected',
		name: 'expected',
		type: 'string',
		typeOptions: { rows: 3 },
		default: '',
		placeholder: 'e.g. postgres/shop = 26',
		description:
			'One group per line, with the hours within which a new backup must come. A group without hours is late by its own past: an hourly one after two hours. A group that is named here and never appears is critical; others are found by themselves.',
	},
	retention: {
		displayName: 'Retention',
		name: 'retention',
		type: 'string',
		typeOptions: { rows: 2 },
		default: '',
		placeholder: 'e.g. postgres/* = thirtyDays',
		description:
			'One group or pattern per line, with the policy that Apply Retention uses for it: shows what expires next, or why nothing does. Nothing is removed.',
	},
};

/** For a node's "Options". */
export const STATUS_OPTIONS: INodeProperties[] = [
	{
		displayName: 'Capacity (GB)',
		name: 'capacity',
		type: 'number',
		typeOptions: { minValue: 0 },
		default: 0,
		description: 'What fits into the first storage, where it cannot know itself, as a bucket. 0: not known.',
	},
	{
		displayName: 'Longest Restore (Minutes)',
		name: 'rto',
		type: 'number',
		typeOptions: { minValue: 0 },
		default: 0,
		description: 'A last restore that took longer is critical (RTO). 0: no such rule.',
	},
	{
		displayName: 'Most Data Lost (Hours)',
		name: 'rpo',
		type: 'number',
		typeOptions: { minValue: 0 },
		default: 0,
		description: 'An older newest proved backup is critical (RPO). 0: no such rule.',
	},
];
