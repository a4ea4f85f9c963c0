import type { INodeProperties } from 'n8n-workflow';

export const properties: INodeProperties[] = [
	{
		displayName:
			'The node shows a new key pair, and keeps it nowhere. It refuses to run where n8n would save the identity with the execution: in the workflow’s settings, set all executions to <b>Do not save</b>, as the template <i>new-key.json</i> does. Do not pin its output: what is pinned is saved with the workflow.',
		name: 'notice',
		type: 'notice',
		default: '',
	},
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Generate Key',
				value: 'generate',
				action: 'Generate a key pair',
				description: 'Make a new recipient, which encrypts backups, and its identity, which opens them',
			},
		],
		default: 'generate',
	},
];
