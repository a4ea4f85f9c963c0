import type { ICredentialType, INodeProperties, Icon } from 'n8n-workflow';

/** The third place of copies. A node takes one credential of each type, so each place has a type of its own. */
export class BackupStorageThirdApi implements ICredentialType {
	name = 'backupStorageThirdApi';

	displayName = 'Backup Storage Third API';

	/** All fields are those of the first storage. */
	extends = ['backupStorageApi'];

	icon: Icon = {
		light: 'file:../nodes/icons/backupStorageThird.svg',
		dark: 'file:../nodes/icons/backupStorageThird.dark.svg',
	};

	documentationUrl = 'https://www.npmjs.com/package/n8n-nodes-backup';

	properties: INodeProperties[] = [];
}
