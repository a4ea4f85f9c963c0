/** Fields that several nodes have: which group, which backup, how it is encrypted, how long a run may take. */
import type { IDisplayOptions, INodeProperties } from 'n8n-workflow';
import { DEFAULT_LOCK_WAIT_MINUTES } from './limits';

/** Where to look while a node runs: n8n itself shows only that it does. */
export const PROGRESS_NOTICE: INodeProperties = {
	displayName:
		'While it runs, n8n shows only "Executing node…". How far it is: in the browser’s console (F12) of whoever started it, and in the newest file <b>runs/…/*.beat-*.json</b> of the storage.',
	name: 'progressNotice',
	type: 'notice',
	default: '',
};

interface FieldPlace {
	displayOptions?: IDisplayOptions;
	/** A name or an expression to begin with; the field begins with its list otherwise. */
	value?: string;
}

/** A group of backups: from a list, or by name. */
export function groupField({ displayOptions, value }: FieldPlace = {}): INodeProperties {
	return {
		displayName: 'Group',
		name: 'group',
		type: 'resourceLocator',
		default: { mode: value === undefined ? 'list' : 'name', value: value ?? '' },
		required: true,
		description: 'The source whose backups to choose from, as the node that made them named it',
		modes: [
			{
				displayName: 'From List',
				name: 'list',
				type: 'list',
				placeholder: 'Select a group…',
				typeOptions: { searchListMethod: 'searchGroups', searchable: true },
			},
			{ displayName: 'By Name', name: 'name', type: 'string', placeholder: 'e.g. postgres/shop' },
		],
		displayOptions,
	};
}

/** One backup of the group: from a list, newest first, or by its label. */
export function labelField({ displayOptions, value }: FieldPlace = {}): INodeProperties {
	return {
		displayName: 'Backup',
		name: 'label',
		type: 'resourceLocator',
		default: { mode: value === undefined ? 'list' : 'name', value: value ?? '' },
		required: true,
		description: 'The list shows when each backup was started, its size in the storage, and how deep it was verified',
		typeOptions: { loadOptionsDependsOn: ['group.value'] },
		modes: [
			{
				displayName: 'From List',
				name: 'list',
				type: 'list',
				placeholder: 'Select a backup…',
				typeOptions: { searchListMethod: 'searchBackups', searchable: true },
			},
			{
				displayName: 'By Label',
				name: 'name',
				type: 'string',
				placeholder: 'e.g. 20261120T020000Z-full-k3f9',
			},
		],
		displayOptions,
	};
}

/** Several groups by name, for choices that are about all of the storage otherwise. */
export function groupsField(displayOptions: IDisplayOptions): INodeProperties {
	return {
		displayName: 'Groups',
		name: 'groups',
		type: 'string',
		default: '',
		placeholder: 'e.g. postgres/shop, postgres/crm',
		description: 'Only these groups, separated by commas. Empty: all of the storage.',
		displayOptions,
	};
}

/** Whether a key is needed to open the backup. */
export function encryptionField(displayOptions?: IDisplayOptions): INodeProperties {
	return {
		displayName: 'Encryption',
		name: 'encryption',
		type: 'options',
		options: [
			{
				name: 'Encrypted',
				value: 'age',
				description: 'Needs a credential that holds the identity or the passphrase; opens unencrypted backups too',
			},
			{ name: 'None', value: 'none', description: 'The backup was made without encryption' },
		],
		default: 'age',
		displayOptions,
	};
}

/** Whether a new backup is encrypted. */
export const NEW_ENCRYPTION: INodeProperties[] = [
	{
		displayName: 'Encryption',
		name: 'encryption',
		type: 'options',
		options: [
			{
				name: 'Encrypt',
				value: 'age',
				description: 'Only who holds the identity or passphrase can read the backup',
			},
			{
				name: 'None',
				value: 'none',
				description: 'Everyone who can read the storage can read all data in the backup',
			},
		],
		default: 'age',
	},
	{
		displayName: 'Without encryption, everyone who can read the storage can read all data in the backup',
		name: 'unencryptedNotice',
		type: 'notice',
		default: '',
		displayOptions: { hide: { encryption: ['age'] } },
	},
];

/** How long a run may take, stand still, and wait for another one: for a node's "Options". */
export const LIMIT_OPTIONS: Record<'hardTimeout' | 'lockWait' | 'stallTimeout', INodeProperties> = {
	hardTimeout: {
		displayName: 'Maximum Duration (Hours)',
		name: 'hardTimeout',
		type: 'number',
		typeOptions: { minValue: 0.01 },
		default: 24,
		description: 'What takes longer is stopped and counts as failed',
	},
	lockWait: {
		displayName: 'Wait for Lock (Minutes)',
		name: 'lockWait',
		type: 'number',
		typeOptions: { minValue: 0 },
		default: DEFAULT_LOCK_WAIT_MINUTES,
		description:
			'How long to wait while another run works in the same group. With 0, the node fails at once and says who holds the lock.',
	},
	stallTimeout: {
		displayName: 'Stall Timeout (Seconds)',
		name: 'stallTimeout',
		type: 'number',
		typeOptions: { minValue: 5 },
		default: 300,
		description: 'A run in which nothing moves for this long is stopped and counts as failed',
	},
};

/** For nodes that read one chosen backup. */
export const ALLOW_UNSIGNED: INodeProperties = {
	displayName: 'Allow Without Signature',
	name: 'allowUnsigned',
	type: 'boolean',
	default: false,
	description:
		'Whether the one backup that is chosen by its label is taken though no trusted signer has signed it. Only if you know who made it: what a restore executes may have been forged.',
};
