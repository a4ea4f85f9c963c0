import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { searchBackups, searchGroups } from '../shared/backups';
import { backupEncryptionTest, backupStorageTest } from '../shared/credentials';
import { runForEachItem } from '../shared/run';
import { verify } from './actions/verify.operation';
import { properties } from './properties';

/** Proves backups; thin: fields → core → items. */
export class VerifyBackup implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Verify Backup',
		name: 'verifyBackup',
		icon: { light: 'file:../icons/verifyBackup.svg', dark: 'file:../icons/verifyBackup.dark.svg' },
		group: ['output'],
		version: 1,
		subtitle: '={{ $parameter["depth"] || "" }}',
		description: 'Prove that backups are intact, can be opened, and come back as they were',
		defaults: { name: 'Verify Backup' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		usableAsTool: undefined,
		credentials: [
			{ name: 'backupStorageApi', displayName: 'Storage', required: true, testedBy: 'backupStorageTest' },
			{
				name: 'backupEncryptionApi',
				displayName: 'Key',
				required: true,
				testedBy: 'backupEncryptionTest',
				displayOptions: { hide: { depth: ['stored'], encryption: ['none'] } },
			},
			{
				name: 'postgres',
				displayName: 'Scratch Server',
				required: true,
				displayOptions: { hide: { depth: ['readable', 'stored'], scratch: ['embedded'] } },
			},
		],
		properties,
	};

	methods = {
		credentialTest: { backupStorageTest, backupEncryptionTest },
		listSearch: { searchGroups, searchBackups },
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return await runForEachItem(this, verify, properties);
	}
}
