import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { searchBackups, searchGroups } from '../shared/backups';
import { backupStorageTest } from '../shared/credentials';
import { runForEachItem } from '../shared/run';
import { copy } from './actions/copy.operation';
import { properties } from './properties';

/** Copies backups to other storages; thin: fields → core → items. */
export class CopyBackup implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Copy Backup',
		name: 'copyBackup',
		icon: { light: 'file:../icons/copyBackup.svg', dark: 'file:../icons/copyBackup.dark.svg' },
		group: ['output'],
		version: 1,
		subtitle: '={{ $parameter["to"] === "both" ? "to two storages" : "to the second storage" }}',
		description: 'Copy backups to a second and third storage, byte for byte, and read the copies back',
		defaults: { name: 'Copy Backup' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		usableAsTool: undefined,
		credentials: [
			{ name: 'backupStorageApi', displayName: 'Copy From', required: true, testedBy: 'backupStorageTest' },
			{
				name: 'backupStorageSecondApi',
				displayName: 'Second Storage',
				required: true,
				testedBy: 'backupStorageTest',
			},
			{
				name: 'backupStorageThirdApi',
				displayName: 'Third Storage',
				required: true,
				testedBy: 'backupStorageTest',
				displayOptions: { hide: { to: ['second'] } },
			},
		],
		properties,
	};

	methods = {
		credentialTest: { backupStorageTest },
		listSearch: { searchGroups, searchBackups },
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return await runForEachItem(this, copy, properties);
	}
}
