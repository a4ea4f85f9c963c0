import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { searchBackups, searchGroups } from '../shared/backups';
import { backupEncryptionTest, backupStorageTest } from '../shared/credentials';
import { runForEachItem } from '../shared/run';
import { restore } from './actions/restore.operation';
import { properties } from './properties';

/** Brings a backup back; thin: fields → core → items. */
export class RestoreBackup implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Restore Backup',
		name: 'restoreBackup',
		icon: { light: 'file:../icons/restoreBackup.svg', dark: 'file:../icons/restoreBackup.dark.svg' },
		group: ['output'],
		version: 1,
		subtitle:
			'={{ "into " + ($parameter["into"] === "new" ? "new" : $parameter["into"] === "empty" ? "empty" : "existing") + " database" }}',
		description: 'Restore a PostgreSQL database from a backup and compare it with what was backed up',
		defaults: { name: 'Restore Backup' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		usableAsTool: undefined,
		credentials: [
			{ name: 'postgres', displayName: 'Database Server', required: true },
			{ name: 'backupStorageApi', displayName: 'Storage', required: true, testedBy: 'backupStorageTest' },
			{
				name: 'backupEncryptionApi',
				displayName: 'Key',
				required: true,
				testedBy: 'backupEncryptionTest',
				displayOptions: { hide: { encryption: ['none'] } },
			},
		],
		properties,
	};

	methods = {
		credentialTest: { backupStorageTest, backupEncryptionTest },
		listSearch: { searchGroups, searchBackups },
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return await runForEachItem(this, restore);
	}
}
