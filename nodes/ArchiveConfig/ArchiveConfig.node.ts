import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { backupEncryptionTest, backupStorageTest } from '../shared/credentials';
import { runForEachItem } from '../shared/run';
import { archive } from './actions/archive.operation';
import { discover } from './actions/discover.operation';
import { writeWorkflowFiles } from './actions/write-workflows.operation';
import { properties } from './properties';

/** Finds the configuration of a server and backs it up; thin: fields → core → items. */
export class ArchiveConfig implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Archive Config',
		name: 'archiveConfig',
		icon: { light: 'file:../icons/archiveConfig.svg', dark: 'file:../icons/archiveConfig.dark.svg' },
		group: ['output'],
		version: 1,
		subtitle: '={{ $parameter["operation"] }}',
		description: 'Back up compose files, env files, proxies and certificates, without their secrets or encrypted',
		defaults: { name: 'Archive Config' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		usableAsTool: undefined,
		credentials: [
			{
				name: 'backupStorageApi',
				displayName: 'Storage',
				required: true,
				testedBy: 'backupStorageTest',
				displayOptions: { hide: { operation: ['discover', 'writeWorkflows'] } },
			},
			{
				name: 'backupEncryptionApi',
				displayName: 'Key',
				required: true,
				testedBy: 'backupEncryptionTest',
				displayOptions: { hide: { operation: ['discover', 'writeWorkflows'], encryption: ['none'] } },
			},
		],
		properties,
	};

	methods = { credentialTest: { backupStorageTest, backupEncryptionTest } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const name = this.getNodeParameter('operation', 0);
		const operation = name === 'discover' ? discover : name === 'writeWorkflows' ? writeWorkflowFiles : archive;
		// Findings and workflows come in by the hundred, and are taken together.
		return await runForEachItem(this, operation, properties);
	}
}
