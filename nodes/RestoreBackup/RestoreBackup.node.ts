import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { searchBackups, searchGroups } from '../shared/backups';
import { backupEncryptionTest, backupStorageTest } from '../shared/credentials';
import { type Operation, runForEachItem } from '../shared/run';
import { unknownOption } from '../shared/values';
import { listContents } from './actions/list-contents.operation';
import { restoreBucket } from './actions/restore-bucket.operation';
import { restoreCluster } from './actions/restore-cluster.operation';
import { restoreDatabase } from './actions/restore-database.operation';
import { restoreFiles } from './actions/restore-files.operation';
import { properties } from './properties';

const OPERATIONS: Record<string, Operation> = {
	...{ restoreDatabase, restoreBucket, restoreCluster, restoreFiles, listContents },
};

/** Brings a backup back; thin: fields → core → items. */
export class RestoreBackup implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Restore Backup',
		name: 'restoreBackup',
		icon: { light: 'file:../icons/restoreBackup.svg', dark: 'file:../icons/restoreBackup.dark.svg' },
		group: ['output'],
		version: 1,
		subtitle:
			'={{ $parameter["operation"] === "restoreFiles" ? "files" : $parameter["operation"] === "restoreBucket" ? "bucket" : $parameter["operation"] === "restoreCluster" ? "cluster" : $parameter["operation"] === "listContents" ? "list contents" : "into " + ($parameter["into"] === "new" ? "new" : $parameter["into"] === "empty" ? "empty" : "existing") + " database" }}',
		description:
			'Restore a PostgreSQL database or cluster, files or a bucket from a backup and compare them with what was backed up',
		defaults: { name: 'Restore Backup' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		usableAsTool: undefined,
		credentials: [
			{
				name: 'postgres',
				displayName: 'Database Server',
				required: true,
				displayOptions: { hide: { operation: ['restoreBucket', 'restoreCluster', 'restoreFiles', 'listContents'] } },
			},
			{
				name: 'backupStorageSecondApi',
				displayName: 'To Bucket',
				required: true,
				testedBy: 'backupStorageTest',
				displayOptions: { hide: { operation: ['restoreDatabase', 'restoreCluster', 'restoreFiles', 'listContents'] } },
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

	methods = {
		credentialTest: { backupStorageTest, backupEncryptionTest },
		listSearch: { searchGroups, searchBackups },
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return await runForEachItem(this, async (context, itemIndex) => {
			const operation = context.getNodeParameter('operation', itemIndex);
			const run = OPERATIONS[operation];
			if (!run) throw unknownOption('Operation', operation);
			return await run(context, itemIndex);
		});
	}
}
