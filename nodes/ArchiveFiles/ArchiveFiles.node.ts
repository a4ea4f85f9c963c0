import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { backupEncryptionTest, backupStorageTest } from '../shared/credentials';
import { runForEachItem } from '../shared/run';
import { archive } from './actions/archive.operation';
import { preview } from './actions/preview.operation';
import { properties } from './properties';

/** Backs up folders and files; thin: fields → core → items. */
export class ArchiveFiles implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Archive Files',
		name: 'archiveFiles',
		icon: { light: 'file:../icons/archiveFiles.svg', dark: 'file:../icons/archiveFiles.dark.svg' },
		group: ['output'],
		version: 1,
		subtitle: '={{ $parameter["operation"] }}',
		description: 'Back up folders and files, compressed and encrypted, to a folder or S3',
		defaults: { name: 'Archive Files' },
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
				displayOptions: { hide: { encryption: ['none'] } },
			},
		],
		properties,
	};

	methods = { credentialTest: { backupStorageTest, backupEncryptionTest } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const operation = this.getNodeParameter('operation', 0) === 'preview' ? preview : archive;
		return await runForEachItem(this, operation);
	}
}
