/** The fields of the Backup Report node. */
import type { INodeProperties } from 'n8n-workflow';

export const properties: INodeProperties[] = [
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Make Alerts',
				value: 'alerts',
				description: 'What has changed in the health of the backups since people were told last',
				action: 'Make alerts of what has changed',
			},
			{
				name: 'Make Failure Message',
				value: 'failure',
				description: 'Which workflow failed, where and why: from what the Error Trigger gives',
				action: 'Make a message of a failed workflow',
			},
			{
				name: 'Make Report',
				value: 'report',
				description: 'One report, however many databases it is about',
				action: 'Make a report of a run',
			},
		],
		default: 'report',
	},
	{
		displayName:
			'Gives one item: <b>subject</b>, <b>text</b>, <b>html</b>, <b>slackBlocks</b>, <b>telegram</b>, <b>teams</b>, <b>discord</b> and <b>mattermost</b> for people; <b>outcome</b> (ok, degraded or failed), counts, bytes and names for programs. <b>tell</b> says whether somebody should be told.',
		name: 'reportNotice',
		type: 'notice',
		default: '',
	},
	{
		displayName:
			'Takes an item of <b>Backup Status: Health</b>. What people were told is kept in the storage, so each trouble is told once, also by another n8n.',
		name: 'alertsNotice',
		type: 'notice',
		default: '',
		displayOptions: { show: { operation: ['alerts'] } },
	},
	{
		displayName: 'Remind After (Hours)',
		name: 'remindHours',
		type: 'number',
		typeOptions: { minValue: 1, maxValue: 8760 },
		default: 24,
		description: 'What is not well for so long after it was told is told again',
		displayOptions: { show: { operation: ['alerts'] } },
	},
	{
		displayName: 'Summary',
		name: 'summary',
		type: 'boolean',
		default: false,
		description: 'Whether to tell of all that is not well, changed or not, and also when all is well: once a day, say',
		displayOptions: { show: { operation: ['alerts'] } },
	},
	{
		displayName: 'Priority Groups',
		name: 'priorityGroups',
		type: 'string',
		default: '',
		placeholder: 'e.g. postgres/shop, files/*',
		description: 'Names or patterns of groups whose troubles come first and are marked with [PRIORITY] in the subject',
		displayOptions: { show: { operation: ['alerts'] } },
	},
	{
		displayName: 'Number of Inputs',
		name: 'numberInputs',
		displayOptions: { show: { operation: ['report'] } },
		type: 'options',
		noDataExpression: true,
		options: [1, 2, 3, 4, 5, 6].map((count) => ({ name: String(count), value: count })),
		default: 1,
		description: 'The report waits for what comes in on all of them, so it needs no Merge node before it',
	},
	{
		displayName: 'Report On',
		name: 'source',
		displayOptions: { show: { operation: ['report'] } },
		type: 'options',
		options: [
			{
				name: 'All Backup Nodes Before This One',
				value: 'before',
				description: 'What they gave in this run, on all of their outputs and in all rounds of a loop',
			},
			{ name: 'What Comes In', value: 'input', description: 'Items of backup nodes, in any order' },
		],
		default: 'before',
		description: 'Items of other nodes are never shown',
	},
	{
		displayName: 'Tell Successes',
		name: 'tellSuccesses',
		displayOptions: { show: { operation: ['report'] } },
		type: 'boolean',
		default: true,
		description:
			'Whether "tell" is true also when all went well. It always is for what is not well, not verified or blocked.',
	},
	{
		displayName: 'Options',
		name: 'options',
		displayOptions: { show: { operation: ['report'] } },
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [
			{
				displayName: 'About',
				name: 'about',
				type: 'string',
				default: '',
				placeholder: 'e.g. postgres/shop into shop',
				description: 'What a restore was about, for one that failed before it could say so',
			},
			{
				displayName: 'Attach Details',
				name: 'attach',
				type: 'boolean',
				default: true,
				description: 'Whether the item carries the long form of the report as a text file, "details", for an e-mail',
			},
			{
				displayName: 'Blocked Alarm After (Days)',
				name: 'blockedAlarmDays',
				type: 'number',
				typeOptions: { minValue: 0, maxValue: 3650 },
				default: 3,
				description:
					'For so many days, a group that retention leaves alone because of its newest backup degrades a run that only applies retention; then it fails the run. 0: at once.',
			},
			{
				displayName: 'More to Come',
				name: 'moreToCome',
				type: 'boolean',
				default: true,
				description:
					'Whether the run goes on after this report, as between the rounds of a loop. Then "tell" is true only if something is not well.',
			},
			{
				displayName: 'Priority Databases',
				name: 'priority',
				type: 'string',
				default: '',
				placeholder: 'e.g. shop, crm_*, !crm_test',
				description:
					'Names or patterns of databases whose troubles are marked with [PRIORITY] in the subject. One that could not be restored degrades the run.',
			},
			{
				displayName: 'Workflow in Subject',
				name: 'workflowInSubject',
				type: 'boolean',
				default: true,
				description: 'Whether the subject begins with the name of the workflow',
			},
		],
	},
];
