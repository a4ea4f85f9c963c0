import type { ICredentialType, INodeProperties, Icon } from 'n8n-workflow';

/** Who can open the backups. Encryption is age (https://age-encryption.org), so any age program can decrypt them. */
export class BackupEncryptionApi implements ICredentialType {
	name = 'backupEncryptionApi';

	displayName = 'Backup Encryption API';

	icon: Icon = {
		light: 'file:../nodes/icons/backupEncryption.svg',
		dark: 'file:../nodes/icons/backupEncryption.dark.svg',
	};

	documentationUrl = 'https://www.npmjs.com/package/n8n-nodes-backup';

	properties: INodeProperties[] = [
		{
			displayName:
				'No key yet? Import and execute the template <b>new-key.json</b>, or run <b>age-keygen -o key.txt</b>. Keep the identity outside n8n: without it, no backup can ever be opened.',
			name: 'notice',
			type: 'notice',
			default: '',
			displayOptions: { show: { method: ['recipients'] } },
		},
		{
			displayName: 'Encrypt With',
			name: 'method',
			type: 'options',
			options: [
				{
					name: 'Key Pair (Recommended)',
					value: 'recipients',
					description: 'n8n knows only the public half and cannot open old backups',
				},
				{
					name: 'Passphrase',
					value: 'passphrase',
					description: 'The same secret encrypts and decrypts',
				},
			],
			default: 'recipients',
		},
		{
			displayName: 'Recipients',
			name: 'recipients',
			type: 'string',
			typeOptions: { rows: 3 },
			default: '',
			placeholder: 'e.g. age1…',
			description:
				'Public keys, one per line (age1… or post-quantum age1pq1…). Each of them can open every backup. Add a second one whose identity lies in a safe.',
			displayOptions: { show: { method: ['recipients'] } },
		},
		{
			displayName: 'Identity',
			name: 'identity',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			placeholder: 'e.g. AGE-SECRET-KEY-1…',
			description:
				'The secret key. Leave it empty where n8n only makes backups (safer). With it, each backup is proved to open with this key, and n8n can verify and restore.',
			displayOptions: { show: { method: ['recipients'] } },
		},
		{
			displayName: 'Host Key',
			name: 'hostKey',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			placeholder: 'e.g. AGE-SECRET-KEY-1…',
			description:
				'A secret key of this n8n alone, not one of the recipients’. It opens the lists of names, counts and digests in the backups, never data: so n8n can make incremental backups that it cannot read. Without it and without the identity, every backup of files is a full one.',
			displayOptions: { show: { method: ['recipients'] } },
		},
		{
			displayName: 'Passphrase',
			name: 'passphrase',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			required: true,
			description: 'At least 12 characters. Whoever knows it can open every backup; without it no one can.',
			displayOptions: { show: { method: ['passphrase'] } },
		},
	];
}
