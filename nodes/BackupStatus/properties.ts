/** The fields of the Backup Status node. */
import type { INodeProperties } from 'n8n-workflow';
import { STATUS_FIELDS, STATUS_OPTIONS } from '../shared/status-fields';
import { WORKFLOWS_FIELD } from '../shared/workflows';

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
	STATUS_FIELDS.storages,
	STATUS_FIELDS.groups,
	{ ...STATUS_FIELDS.expected, displayOptions: { show: JUDGES } },
	{ ...STATUS_FIELDS.retention, displayOptions: { show: JUDGES } },
	{
		displayName: 'Query',
		name: 'query',
		type: 'json',
		default: '={{ JSON.stringify($json.query ?? {}) }}',
		description: 'What the address of the page asks for, as the webhook gives it',
		displayOptions: { show: { operation: ['dashboard'] } },
	},
	{
		displayName: 'Caller',
		name: 'caller',
		type: 'string',
		default: '',
		placeholder: 'e.g. {{ $json.headers.authorization }}',
		description:
			'Header Authorization of who looks. With it the page has buttons, which only a page of the same person has; "Requests for Backups: Answer Button" answers them.',
		displayOptions: { show: { operation: ['dashboard'] } },
	},
	{
		...WORKFLOWS_FIELD,
		description: `${WORKFLOWS_FIELD.description} With Caller, these groups have a button that backs them up.`,
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
		options: STATUS_OPTIONS,
		displayOptions: { show: JUDGES },
	},
];
