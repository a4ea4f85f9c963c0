import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { backupEncryptionTest, backupStorageTest } from '../shared/credentials';
import { runForEachItem } from '../shared/run';
import { archive } from './actions/archive.operation';
import { properties } from './properties';

/** Backs up a bucket; thin: fields → core → items. */
export class ArchiveBucket implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Archive Bucket',
		name: 'archiveBucket',
		icon: { light: 'file:../icons/archiveBucket.svg', dark: 'file:../icons/archiveBucket.dark.svg' },
		group: ['output'],
		version: 1,
		subtitle: '={{ $parameter["group"] }}',
		description: 'Back up a bucket of S3 or MinIO, compressed and encrypted, with headers, metadata and tags',
		defaults: { name: 'Archive Bucket' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		usableAsTool: undefined,
		credentials: [
			{
				name: 'backupStorageSecondApi',
				displayName: 'Bucket to Back Up',
				required: true,
				testedBy: 'backupStorageTest',
			},
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
		return await runForEachItem(this, archive);
	}
}
