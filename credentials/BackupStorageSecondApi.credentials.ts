import type { ICredentialType, INodeProperties, Icon } from 'n8n-workflow';

/** The second place of copies. A node takes one credential of each type, so each place has a type of its own. */
export class BackupStorageSecondApi implements ICredentialType {
	name = 'backupStorageSecondApi';

	displayName = 'Backup Storage Second API';

	/** All fields are those of the first storage. */
	extends = ['backupStorageApi'];

	icon: Icon = {
		light: 'file:../nodes/icons/backupStorageSecond.svg',
		dark: 'file:../nodes/icons/backupStorageSecond.dark.svg',
	};

	documentationUrl = 'https://www.npmjs.com/package/n8n-nodes-backup';

	properties: INodeProperties[] = [];
}
