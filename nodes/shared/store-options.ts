/** Options that all nodes which make backups have, by name. Their texts say what a choice means for the backup. */
import type { INodeProperties } from 'n8n-workflow';

export const STORE_OPTIONS: Record<'rateLimit' | 'recipients' | 'tags' | 'zstdLevel', INodeProperties> = {
	rateLimit: {
		displayName: 'Rate Limit (MB per Second)',
		name: 'rateLimit',
		type: 'number',
		typeOptions: { minValue: 0 },
		default: 0,
		description: 'Read no faster than this, to spare a busy machine; 0 means no limit',
	},
	recipients: {
		displayName: 'Recipients',
		name: 'recipients',
		type: 'string',
		typeOptions: { rows: 2 },
		default: '',
		placeholder: 'e.g. age1…',
		description:
			'Public keys that can open the backup, one per line, instead of those of the credential. By expression, each customer has keys of its own, and no customer can open the backup of another; those of the credential can open it only if they are named here too. Empty: those of the credential.',
	},
	tags: {
		displayName: 'Tags',
		name: 'tags',
		type: 'string',
		default: '',
		placeholder: 'e.g. audit, before-upgrade',
		description:
			'For retention policies that keep what has a tag: small letters, digits and dashes, separated by commas. Whoever can list the storage can read them.',
	},
	zstdLevel: {
		displayName: 'Compression Level',
		name: 'zstdLevel',
		type: 'number',
		typeOptions: { minValue: 1, maxValue: 19 },
		default: 3,
		description: 'Level of zstd: 1 is fastest, 19 smallest and very slow',
	},
};
