/** The fields of the Archive Files node. Their texts say what a choice means for the backup. */
import type { INodeProperties } from 'n8n-workflow';
import { keepField, verifyAfterwardsFields } from '../shared/afterwards-fields';
import { CHAIN_FIELDS } from '../shared/chain';
import { NEW_ENCRYPTION, PROGRESS_NOTICE } from '../shared/fields';
import { archiveOptions } from './options';
import { type PresetField, PRESETS } from './presets';

/** Larger archives are restored by the node Verify Backup, or by hand: they would fill the disk of temporary files. */
export const LARGEST_DRILL_MB = 10_000;

const AFTERWARDS = {
	show: { operation: ['archive'] },
	restored: 'Restored into a temporary folder, compared entry by entry, and removed; needs as much space there',
	upTo: 'Backups of more files than this are read to their end, but not restored: a restore needs as much space in the folder of temporary files',
	largest: LARGEST_DRILL_MB,
	each: 'each group',
};

/**
 * A field, once for each value that a preset gives it: n8n shows the one of the chosen preset, and fills its value in where a user has not
 * changed it.
 */
function byPreset(name: PresetField, fieldOf: (value: string) => INodeProperties): INodeProperties[] {
	const presets = Map.groupBy(Object.entries(PRESETS), ([, preset]) => preset[name]);
	return [...presets].map(([value, alike]) => {
		const { displayOptions, ...field } = fieldOf(value);
		const show = { ...displayOptions?.show, preset: alike.map(([preset]) => preset) };
		return { ...field, displayOptions: { ...displayOptions, show } };
	});
}

export const properties: INodeProperties[] = [
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Archive',
				value: 'archive',
				description: 'Back up folders and files: compressed, encrypted and streamed to the storage',
				action: 'Archive files',
			},
			{
				name: 'Preview',
				value: 'preview',
				description:
					'Show what an archive would hold, what it would leave out, and what takes the space; stores nothing',
				action: 'Preview an archive',
			},
		],
		default: 'archive',
	},
	{
		displayName: 'Preset',
		name: 'preset',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Docker Volumes',
				value: 'volumes',
				description: 'Each named volume in a group of its own; volumes without a name are left out',
			},
			{
				name: 'Logs and Audit Trails',
				value: 'logs',
				description: 'Files that a rotation has closed, kept by the policy Logs',
			},
			{
				name: 'N8n Itself',
				value: 'n8n',
				description:
					'Its folder: the key of its credentials, community packages, binary data, and its database if that is SQLite',
			},
			{ name: 'None', value: 'none', description: 'Nothing is filled in' },
			{
				name: 'Website',
				value: 'website',
				description: 'A document root without the caches of WordPress, Nextcloud, Drupal, Laravel and others',
			},
		],
		default: 'none',
		description: 'Fills in the fields below, which you can change',
	},
	{
		displayName:
			'A volume is archived while its containers run: files that change meanwhile may not fit together. Back databases up with a node of their own. n8n’s container needs <b>/var/lib/docker/volumes</b> mounted, read-only, and allowed by N8N_RESTRICT_FILE_ACCESS_TO.',
		name: 'volumesNotice',
		type: 'notice',
		default: '',
		displayOptions: { show: { preset: ['volumes'] } },
	},
	{
		displayName:
			'n8n keeps its own folder from its nodes. Set <b>N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES=false</b> in its environment, and add the folder to N8N_RESTRICT_FILE_ACCESS_TO: whoever may edit workflows can then read n8n’s key. Or archive it with the command line instead. “~” is the folder in which n8n keeps .n8n. If its database is PostgreSQL, back that up with Postgres Dump, and give both the same tag.',
		name: 'n8nNotice',
		type: 'notice',
		default: '',
		displayOptions: { show: { preset: ['n8n'] } },
	},
	...byPreset('choose', (value) => ({
		displayName: 'Make',
		name: 'choose',
		type: 'options',
		options: [
			{
				name: 'One Backup of All Paths',
				value: 'together',
				description: 'Also for one customer per item: name, paths and recipients by expression',
			},
			{
				name: 'One Backup per Folder',
				value: 'each',
				description: 'Each folder that a pattern finds, such as one per customer, also ones created later',
			},
		],
		default: value,
		description: 'Whether all that is archived belongs together. One backup that fails does not stop the others.',
	})),
	...byPreset('paths', (value) => ({
		displayName: 'Paths',
		name: 'paths',
		type: 'string',
		typeOptions: { rows: 3 },
		default: value,
		required: true,
		placeholder: 'e.g. /srv/www/example.org',
		description:
			'Folders or files, one per line, from the root on. For one backup per folder: patterns such as <code>/srv/customers/*</code>, where * stands for the name; a line that begins with ! leaves out names.',
	})),
	...byPreset('groupPrefix', (value) => ({
		displayName: 'Group Prefix',
		name: 'groupPrefix',
		type: 'string',
		default: value,
		required: true,
		placeholder: 'e.g. files/server1',
		description:
			'Backups of "acme" are kept in the group "files/acme". Give each server a prefix of its own when several use the same storage.',
	})),
	...byPreset('name', (value) => ({
		displayName: 'Name',
		name: 'name',
		type: 'string',
		default: value,
		required: true,
		placeholder: 'e.g. acme',
		description: 'What is archived, as its group is called below the prefix',
		displayOptions: { hide: { choose: ['each'] } },
	})),
	...byPreset('exclude', (value) => ({
		displayName: 'Exclude',
		name: 'exclude',
		type: 'string',
		typeOptions: { rows: 4 },
		default: value,
		placeholder: 'e.g. cache/',
		description:
			'Patterns as in a .gitignore, one per line, below each path. What is left out cannot be restored; Preview names it.',
	})),
	...CHAIN_FIELDS,
	...NEW_ENCRYPTION,
	...verifyAfterwardsFields(AFTERWARDS),
	...byPreset('keep', (value) => keepField(AFTERWARDS, value)),
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: archiveOptions,
	},
	PROGRESS_NOTICE,
];
