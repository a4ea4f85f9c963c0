/** The options of the Archive Files node, by name. Their texts say what a choice means for the backup. */
import type { INodeProperties } from 'n8n-workflow';
import { REQUEST_OPTIONS } from '../shared/actor';
import { LIMIT_OPTIONS } from '../shared/fields';
import { retentionLockOption } from '../shared/retention-lock';
import { STORE_OPTIONS } from '../shared/store-options';

export const archiveOptions: INodeProperties[] = [
	{
		displayName: 'Compare Contents',
		name: 'compareContents',
		type: 'boolean',
		default: false,
		description:
			'Whether to read files that only look changed, and store them only if they are: after a restore, or a move to another disk. Reads them once more.',
	},
	STORE_OPTIONS.zstdLevel,
	{
		displayName: 'Copy SQLite Databases',
		name: 'sqlite',
		type: 'boolean',
		default: true,
		description:
			'Whether to store SQLite databases as their transactions have them. Without it, one that is written to meanwhile may be damaged in the backup.',
	},
	{
		displayName: 'Include Caches',
		name: 'caches',
		type: 'boolean',
		default: false,
		description:
			'Whether to store folders too that hold a file CACHEDIR.TAG or .nobackup, which asks to leave them out',
	},
	LIMIT_OPTIONS.hardTimeout,
	{
		displayName: 'Maximum File Size (MB)',
		name: 'maxFileSize',
		type: 'number',
		typeOptions: { minValue: 0 },
		default: 0,
		description:
			'Leave out files that are larger, and name them. What is left out cannot be restored; 0 means no limit.',
	},
	{
		displayName: 'One File System',
		name: 'oneFileSystem',
		type: 'boolean',
		default: false,
		description: 'Whether to leave out what is mounted below a path, such as a network share',
	},
	STORE_OPTIONS.rateLimit,
	STORE_OPTIONS.recipients,
	REQUEST_OPTIONS.request,
	REQUEST_OPTIONS.requestedBy,
	retentionLockOption('the backup'),
	LIMIT_OPTIONS.stallTimeout,
	STORE_OPTIONS.tags,
	LIMIT_OPTIONS.lockWait,
	{
		displayName: 'Warn When Lost (%)',
		name: 'maxLost',
		type: 'number',
		typeOptions: { minValue: 0, maxValue: 100, numberPrecision: 0 },
		default: 50,
		description:
			'Warn when more than this share of the files or bytes of the backup before is gone, and hold retention back until somebody approves it (Apply Retention: Approve): something may have deleted them',
	},
];
