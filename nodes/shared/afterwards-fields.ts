/** The fields "Verify Afterwards", "Up To (MB)" and "Keep" of nodes that make backups. */
import type { IDisplayOptions, INodeProperties } from 'n8n-workflow';
import { PRESET_OPTIONS } from './policy';

interface AfterwardsTexts {
	/** On which operation the fields are shown: `{ operation: [...] }`. */
	show: IDisplayOptions['show'];
	/** What "Restored" does. */
	restored: string;
	/** What the size limit means. */
	upTo: string;
	/** Largest size that can be chosen there, MB. */
	largest: number;
	/** What each group is about, e.g. "each database". */
	each: string;
}

/** How deep a backup is verified once it was made. */
export function verifyAfterwardsFields({ show, restored, upTo, largest }: AfterwardsTexts): INodeProperties[] {
	return [
		{
			displayName: 'Verify Afterwards',
			name: 'verifyAfterwards',
			type: 'options',
			options: [
				{
					name: 'As Deep as Possible',
					value: 'deepest',
					description:
						'Restored and compared where the key is known and the backup is not too large; otherwise as far as it goes',
				},
				{
					name: 'No',
					value: 'no',
					description: 'Nobody knows then whether the backup is good, until another node looks',
				},
				{
					name: 'Readable',
					value: 'readable',
					description: 'Read back, decrypted and decompressed to its last word; needs the identity or passphrase',
				},
				{ name: 'Restored', value: 'restored', description: restored },
				{ name: 'Stored', value: 'stored', description: 'Read back, and compared with what was written; needs no key' },
			],
			default: 'deepest',
			description:
				'Whether to prove each backup right after it was made. One that turns out to be bad fails the item; retention trusts only what was proved.',
			displayOptions: { show },
		},
		{
			displayName: 'Up To (MB)',
			name: 'verifyUpTo',
			type: 'number',
			typeOptions: { minValue: 1, maxValue: largest, numberPrecision: 0 },
			default: 100,
			description: upTo,
			displayOptions: { show, hide: { verifyAfterwards: ['no', 'readable', 'restored', 'stored'] } },
		},
	];
}

/** Which backups stay. @param value the policy to begin with */
export function keepField(
	{ show, each }: Pick<AfterwardsTexts, 'show' | 'each'>,
	value = 'everything',
): INodeProperties {
	return {
		displayName: 'Keep',
		name: 'keep',
		type: 'options',
		options: [
			{
				name: 'Everything',
				value: 'everything',
				description: 'Nothing is ever removed by this node: the storage fills up',
			},
			...PRESET_OPTIONS,
		],
		default: value,
		description: `Which backups of ${each} stay. The others are removed after the new one was proved, with the rules of the node Apply Retention: nothing goes while the newest backup is doubtful. An expression may give rules such as <code>daily=14,weekly=8</code>.`,
		displayOptions: { show },
	};
}
