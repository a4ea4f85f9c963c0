/** The option "Retention Lock" of nodes that write backups: the storage itself refuses to remove them before their time. */
import type { INodeProperties } from 'n8n-workflow';
import { BackupError } from '../../core/base/errors';
import { protectUntil } from '../../core/retention/policy';
import type { Protection } from '../../core/storage/storage';
import { PRESET_OPTIONS, readPolicy } from './policy';
import { positive, unknownOption } from './values';

const DAY_MS = 24 * 3_600_000;

/** What each kind of lock means, for every field that asks for one. */
export const LOCK_MODES = [
	{
		name: 'Compliance',
		value: 'compliance',
		description:
			'Nobody can remove it before its time, not even the owner of the account; it takes up space until then. This cannot be taken back.',
	},
	{
		name: 'Governance',
		value: 'governance',
		description: 'Only who has the special right to bypass the lock can remove it before its time',
	},
	{ name: 'Off', value: 'off', description: 'Whoever may delete objects in the storage can remove it' },
];

/** Fields of the option, once a user has added it. */
export interface RetentionLockFields {
	lock?: { mode: Protection['mode'] | 'off'; keepFor: 'days' | 'policy'; days?: number; policy?: string };
}

/** @param what is locked, e.g. "the backup" */
export function retentionLockOption(what: string): INodeProperties {
	return {
		displayName: 'Retention Lock',
		name: 'retentionLock',
		type: 'fixedCollection',
		placeholder: 'Add lock',
		default: {},
		description: `Lets the storage refuse to remove or change ${what} before its time. Needs a bucket that was made with object lock; any other storage is refused.`,
		options: [
			{
				displayName: 'Lock',
				name: 'lock',
				values: [
					{ displayName: 'Mode', name: 'mode', type: 'options', options: LOCK_MODES, default: 'governance' },
					{
						displayName: 'Keep For',
						name: 'keepFor',
						type: 'options',
						options: [
							{
								name: 'A Number of Days',
								value: 'days',
								description: 'The same time for every backup, from the start of this run',
							},
							{
								name: 'As Long as a Policy Says',
								value: 'policy',
								description:
									'As long as the policy keeps every new backup for certain. Apply Retention extends the lock of those that it keeps for longer.',
							},
						],
						default: 'days',
						displayOptions: { hide: { mode: ['off'] } },
					},
					{
						displayName: 'Days',
						name: 'days',
						type: 'number',
						typeOptions: { minValue: 1 },
						default: 30,
						displayOptions: { hide: { mode: ['off'], keepFor: ['policy'] } },
					},
					{
						displayName: 'Policy',
						name: 'policy',
						type: 'options',
						options: PRESET_OPTIONS,
						default: 'critical',
						displayOptions: { hide: { mode: ['off'], keepFor: ['days'] } },
					},
				],
			},
		],
	};
}

/**
 * @returns undefined where no lock is asked for
 * @throws BackupError 'invalid-input'
 */
export function readRetentionLock({ lock }: RetentionLockFields = {}, now = new Date()): Protection | undefined {
	if (!lock || lock.mode === 'off') return undefined;
	const { mode, keepFor = 'days' } = lock;
	if (mode !== 'governance' && mode !== 'compliance') throw unknownOption('Mode', mode);
	if (keepFor === 'days') {
		return { mode, until: new Date(now.getTime() + positive('Days', lock.days ?? 30) * DAY_MS) };
	}
	if (keepFor !== 'policy') throw unknownOption('Keep For', keepFor);
	const until = protectUntil(readPolicy('Policy', lock.policy ?? 'critical'), now);
	if (until) return { mode, until };
	throw new BackupError('invalid-input', 'the policy does not say for how long it keeps a new backup', {
		hint: 'Lock the backup for a number of days instead.',
	});
}
