/** The fields that say what a policy keeps, when it must not remove anything, and which of these warnings to overrule. */
import type { IDisplayOptions, INodeProperties, INodePropertyOptions } from 'n8n-workflow';
import { LIMIT_OPTIONS } from '../shared/fields';
import { PRESET_OPTIONS } from '../shared/policy';
import { LOCK_MODES } from '../shared/retention-lock';

/** What taking each risk may cost. */
const RISKS: INodePropertyOptions[] = [
	{
		name: 'A Failed Run',
		value: 'failed',
		description:
			'Remove although the last attempt to make a backup failed. If it goes on failing, the old ones go one by one until only the minimum is left.',
	},
	{
		name: 'A Newest Backup That Is Not Verified',
		value: 'unverified',
		description:
			'Remove although nobody knows whether the newest backup is good. If it is not, an older one that was good may be gone.',
	},
	{
		name: 'A Newest Backup That Is Too Old',
		value: 'outdated',
		description:
			'Remove although no backup was made for longer than usual. The schedule may have stopped, and what goes now is not replaced.',
	},
	{
		name: 'A Sudden Shrinking',
		value: 'shrunk',
		description:
			'Remove although the newest backup is far smaller than those before it, or lost much that nobody has approved. If data was lost at the source, only the old backups have it.',
	},
];

const count = (displayName: string, name: string, description: string): INodeProperties => ({
	displayName,
	name,
	type: 'number',
	typeOptions: { minValue: 0, numberPrecision: 0 },
	default: 0,
	description,
});

/** Of a custom policy: how many to keep of each kind. Together they must keep something. */
export function policyField(displayOptions: IDisplayOptions): INodeProperties {
	return {
		displayName: 'Keep',
		name: 'keep',
		type: 'collection',
		placeholder: 'Add rule',
		default: {},
		description: 'A backup stays when at least one rule keeps it',
		options: [
			count('Daily', 'daily', 'The newest backup of each of the last so many days that have one'),
			count('Hourly', 'hourly', 'The newest backup of each of the last so many hours that have one'),
			count('Last', 'last', 'The last so many backups, whenever they were made'),
			count('Monthly', 'monthly', 'The newest backup of each of the last so many months that have one'),
			{
				displayName: 'Tagged',
				name: 'tags',
				type: 'string',
				default: '',
				placeholder: 'e.g. audit, before-upgrade',
				description: 'Every backup that has one of these tags, separated by commas',
			},
			count('Weekly', 'weekly', 'The newest backup of each of the last so many weeks (from Monday) that have one'),
			{
				displayName: 'Within (Days)',
				name: 'withinDays',
				type: 'number',
				typeOptions: { minValue: 0, numberPrecision: 0 },
				default: 0,
				description: 'Every backup that is not older than this',
			},
			count('Yearly', 'yearly', 'The newest backup of each of the last so many years that have one'),
		],
		displayOptions,
	};
}

/** What goes with any policy. */
export function retentionOptions(displayOptions: IDisplayOptions): INodeProperties {
	return {
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		displayOptions,
		options: [
			{
				displayName: 'Expect a Backup Every (Hours)',
				name: 'expectEvery',
				type: 'number',
				typeOptions: { minValue: 1, numberPrecision: 0 },
				default: 25,
				description:
					'Nothing is removed while the newest backup is older than this. Without this option: three times the usual time between the last backups, and at least a day.',
			},
			{
				displayName: 'Extend Retention Locks',
				name: 'extendLocks',
				type: 'options',
				options: LOCK_MODES,
				default: 'governance',
				description:
					'Apply locks what it keeps for as long as the policy keeps it, in a bucket with object lock. Locks are never shortened.',
			},
			{
				displayName: 'Minimum Backups',
				name: 'minimum',
				type: 'number',
				typeOptions: { minValue: 1, numberPrecision: 0 },
				default: 3,
				description: 'So many sound backups of each group stay, whatever the policy says',
			},
			{
				displayName: 'Policy per Group',
				name: 'policies',
				type: 'fixedCollection',
				typeOptions: { multipleValues: true, sortable: true },
				placeholder: 'Add group',
				default: {},
				description: 'Groups that have another policy than the one above. The first line that fits counts.',
				options: [
					{
						displayName: 'Group',
						name: 'group',
						values: [
							{
								displayName: 'Group',
								name: 'pattern',
								type: 'string',
								default: '',
								required: true,
								placeholder: 'e.g. postgres/shop or postgres/log_*',
								description: 'Names or patterns, separated by commas',
							},
							{
								displayName: 'Policy',
								name: 'policy',
								type: 'options',
								options: PRESET_OPTIONS,
								default: 'critical',
							},
						],
					},
				],
			},
			{
				displayName: 'Risks to Take',
				name: 'allow',
				type: 'multiOptions',
				options: RISKS,
				default: [],
				description:
					'Signs that something is broken, at which nothing is removed unless you take the risk here. Remove the option again when the reason is gone.',
			},
			{
				displayName: 'Shrink Limit (Percent)',
				name: 'shrinkPercent',
				type: 'number',
				typeOptions: { minValue: 1, maxValue: 99, numberPrecision: 0 },
				default: 50,
				description: 'Nothing is removed while the newest backup is smaller than those before it by more than this',
			},
			{
				displayName: 'Time Zone',
				name: 'timeZone',
				type: 'string',
				default: '',
				placeholder: 'e.g. Europe/Vienna',
				description: 'In which hours, days and weeks begin. Empty: the time zone of the workflow.',
			},
			{
				displayName: 'Verified Means',
				name: 'trust',
				type: 'options',
				options: [
					{ name: 'Readable', value: 'readable', description: 'It was opened and is complete, or was restored' },
					{ name: 'Restored', value: 'restored', description: 'It was restored and compared' },
					{
						name: 'Stored',
						value: 'stored',
						description: 'The storage still has what was written, or more was proved',
					},
				],
				default: 'stored',
				description: 'How deep a verification must have looked to count',
			},
			LIMIT_OPTIONS.lockWait,
		],
	};
}
