/** The fields of the Requests for Backups node. */
import type { INodeProperties } from 'n8n-workflow';
import { STATUS_FIELDS, STATUS_OPTIONS } from '../shared/status-fields';
import { WORKFLOWS_FIELD } from '../shared/workflows';

const ANSWER = { show: { operation: ['answer'] } };
const BOTH = { show: { operation: ['answer', 'button'] } };

/** Calls of one role within a minute, where the options say nothing. */
export const CALLS_PER_MINUTE = 60;
export const CHANGES_PER_MINUTE = 10;
/** As in Postgres Dump. */
export const DATABASE_PREFIX = 'postgres';

export const properties: INodeProperties[] = [
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Answer Button',
				value: 'button',
				description: 'From a press of a button of the page to the page that is shown then, and to what is to be done',
				action: 'Answer a button',
			},
			{
				name: 'Answer Request',
				value: 'answer',
				description: 'From the item of a Webhook to what Respond to Webhook sends, and to what is to be done then',
				action: 'Answer a request',
			},
			{
				name: 'End Request',
				value: 'end',
				description: 'Write down how the work of an accepted request ended',
				action: 'End a request',
			},
		],
		default: 'answer',
	},
	{
		displayName:
			'Gives <b>status</b>, <b>contentType</b>, <b>header</b> and <b>body</b> for Respond to Webhook, and <b>accepted</b>: what is to be done, or null. The calls are described in <b>docs/openapi.yaml</b>.',
		name: 'answerNotice',
		type: 'notice',
		default: '',
		displayOptions: ANSWER,
	},
	{
		displayName: 'Request',
		name: 'request',
		type: 'json',
		default: '={{ JSON.stringify($json) }}',
		description: 'As the Webhook gives it. Of a request of the API, the last part of the path is named :call.',
		displayOptions: BOTH,
	},
	{
		displayName: 'Method',
		name: 'method',
		type: 'options',
		options: [
			{ name: 'GET', value: 'GET' },
			{ name: 'POST', value: 'POST' },
		],
		default: 'GET',
		description: 'Of the request, which the item of a Webhook does not say',
		displayOptions: ANSWER,
	},
	{
		displayName: 'Role',
		name: 'role',
		type: 'options',
		options: [
			{ name: 'Operator', value: 'operator', description: 'May start backups, verifications and restores' },
			{ name: 'Reader', value: 'reader', description: 'May look' },
		],
		default: 'reader',
		description: 'Who asks, as the credential of the Webhook has proved it',
		displayOptions: ANSWER,
	},
	...Object.values(STATUS_FIELDS).map((field) => ({ ...field, displayOptions: ANSWER })),
	{
		displayName: 'Group Prefix',
		name: 'groupPrefix',
		type: 'string',
		default: DATABASE_PREFIX,
		required: true,
		description:
			'First part of the groups of databases that a request names: <code>accepted.prefix</code> then, for the node that backs them up',
		displayOptions: ANSWER,
	},
	{ ...WORKFLOWS_FIELD, displayOptions: BOTH },
	{
		displayName: 'Request ID',
		name: 'requestId',
		type: 'string',
		default: '={{ $json.accepted.id }}',
		required: true,
		description: 'Of the request whose work has ended; a failed one fails this node, after it was written down',
		displayOptions: { show: { operation: ['end'] } },
	},
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [
			{
				displayName: 'Calls per Minute',
				name: 'callsPerMinute',
				type: 'number',
				typeOptions: { minValue: 1, numberPrecision: 0 },
				default: CALLS_PER_MINUTE,
				description: 'Of each role, in each process of n8n; the next one is answered with 429',
			},
			...STATUS_OPTIONS.slice(0, 1),
			{
				displayName: 'Changes per Minute',
				name: 'changesPerMinute',
				type: 'number',
				typeOptions: { minValue: 1, numberPrecision: 0 },
				default: CHANGES_PER_MINUTE,
				description: 'The same for calls that start something',
			},
			...STATUS_OPTIONS.slice(1),
		],
		displayOptions: BOTH,
	},
];
