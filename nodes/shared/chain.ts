/** How much a backup stores of what can build on backups before it: the fields, and what they mean for the engine. */
import type { IExecuteFunctions, INodeProperties } from 'n8n-workflow';
import type { BackupType } from '../../core/records/label';
import { AUTO_DEFAULTS, type AutoType } from '../../core/verbs/backup/base';
import { unknownOption, wholeNumber } from './values';

const { fullEveryDays, maxChain } = AUTO_DEFAULTS;

export const CHAIN_FIELDS: INodeProperties[] = [
	{
		displayName: 'Type',
		name: 'type',
		type: 'options',
		options: [
			{
				name: 'Automatic',
				value: 'auto',
				description: 'Incremental, and full where the rules below, or what is there, ask for it; the backup says which',
			},
			{
				name: 'Differential',
				value: 'differential',
				description: 'What has changed since the last full one; a restore needs both',
			},
			{ name: 'Full', value: 'full', description: 'Everything; a restore needs nothing else' },
			{
				name: 'Incremental',
				value: 'incremental',
				description: 'What has changed since the last backup; a restore needs all of them back to the full one',
			},
		],
		default: 'auto',
		description:
			'How much is stored. What builds on another backup needs the identity or the host key in the credential; Automatic makes a full one without.',
	},
	{
		displayName: 'Full Every (Days)',
		name: 'fullEvery',
		type: 'number',
		typeOptions: { minValue: 1, maxValue: 3650, numberPrecision: 0 },
		default: fullEveryDays,
		description: 'How old the last full backup may be before another one is made',
		displayOptions: { hide: { type: ['differential', 'full', 'incremental'] } },
	},
	{
		displayName: 'Longest Chain',
		name: 'maxChain',
		type: 'number',
		typeOptions: { minValue: 1, maxValue: 999, numberPrecision: 0 },
		default: maxChain,
		description:
			'How many backups may build on a full one. A restore needs each of them, so one that is damaged costs all after it.',
		displayOptions: { hide: { type: ['differential', 'full', 'incremental'] } },
	},
];

/** @throws BackupError 'invalid-input' */
export function readChainType(context: IExecuteFunctions, itemIndex: number): BackupType | AutoType {
	const type = context.getNodeParameter('type', itemIndex) as BackupType | 'auto';
	if (type === 'full' || type === 'differential' || type === 'incremental') return type;
	if (type !== 'auto') throw unknownOption('Type', type);
	return {
		fullEveryDays: wholeNumber('Full Every', context.getNodeParameter('fullEvery', itemIndex), 1, 3650),
		maxChain: wholeNumber('Longest Chain', context.getNodeParameter('maxChain', itemIndex), 1, 999),
	};
}
