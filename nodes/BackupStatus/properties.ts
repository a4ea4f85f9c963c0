/** The fields of the Backup Status node. */
import type { INodeProperties } from 'n8n-workflow';

const JUDGES = { operation: ['dashboard', 'health', 'metrics', 'storage'] };

export const properties: INodeProperties[] = [
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Dashboard',
				value: 'dashboard',
				description: 'The status as a page, to be sent by Respond to Webhook',
				action: 'Show the dashboard',
			},
			{
				name: 'Health',
				value: 'health',
				description: 'Whether each source could be restored right now, why not, and what to do',
				action: 'Check the health of all backups',
			},
			{
				name: 'List Backups',
				value: 'list',
				description: 'The backups that there are, newest first, with how deep each is proved',
				action: 'List backups',
			},
			{
				name: 'Metrics',
				value: 'metrics',
				description: 'The status as metrics for Prometheus',
				action: 'Get metrics',
			},
			{
				name: 'Runs',
				value: 'runs',
				description: 'What was done and what is at work, from the journal',
				action: 'List runs',
			},
			{
				name: 'Storage',
				value: 'storage',
				description: 'How much each storage holds, of which groups, and when it will be full',
				action: 'Show storage use',
			},
		],
		default: 'health',
	},
	{
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
	{
		displayName: 'Groups',
		name: 'groups',
		type: 'string',
		default: '',
		placeholder: 'e.g. postgres/*',
		description: 'Only these groups, separated by commas; * and ? stand for characters. Empty: all.',
	},
	{
		displayName: 'Expected',
		name: 'expected',
		type: 'string',
		typeOptions: { rows: 3 },
		default: '',
		placeholder: 'e.g. postgres/shop = 26',
		description:
			'One group per line, with the hours within which a new backup must come. A group without hours is late by its own past: an hourly one after two hours. A group that is named here and never appears is critical; others are found by themselves.',
		displayOptions: { show: JUDGES },
	},
	{
		displayName: 'Retention',
		name: 'retention',
		type: 'string',
		typeOptions: { rows: 2 },
		default: '',
		placeholder: 'e.g. postgres/* = thirtyDays',
		description:
			'One group or pattern per line, with the policy that Apply Retention uses for it: shows what expires next, or why nothing does. Nothing is removed.',
		displayOptions: { show: JUDGES },
	},
	{
		displayName: 'Query',
		name: 'query',
		type: 'json',
		default: '={{ JSON.stringify($json.query ?? {}) }}',
		description: 'What the address of the page asks for, as the webhook gives it',
		displayOptions: { show: { operation: ['dashboard'] } },
	},
	{
		displayName: 'Days',
		name: 'days',
		type: 'number',
		typeOptions: { minValue: 1, maxValue: 366, numberPrecision: 0 },
		default: 3,
		description: 'How far back the journal is read',
		displayOptions: { show: { operation: ['runs'] } },
	},
	{
		displayName: 'Limit',
		name: 'limit',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 50,
		description: 'Max number of results to return',
		displayOptions: { show: { operation: ['list', 'runs'] } },
	},
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [
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
		],
		displayOptions: { show: JUDGES },
	},
];
