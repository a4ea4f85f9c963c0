import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { backupEncryptionTest, backupStorageTest } from '../shared/credentials';
import { runForEachItem } from '../shared/run';
import { check } from './actions/check.operation';
import { dump } from './actions/dump.operation';
import { getDatabases } from './lists';
import { properties } from './properties';

/** Backs up PostgreSQL databases; thin: fields → core → items. */
export class PostgresDump implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Postgres Dump',
		name: 'postgresDump',
		icon: { light: 'file:../icons/postgresDump.svg', dark: 'file:../icons/postgresDump.dark.svg' },
		group: ['output'],
		version: 1,
		subtitle: '={{ $parameter["operation"] === "check" ? "check connection" : "dump" }}',
		description: 'Back up PostgreSQL databases, compressed and encrypted, to a folder or S3',
		defaults: { name: 'Postgres Dump' },
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

	methods = { credentialTest: { backupStorageTest, backupEncryptionTest }, loadOptions: { getDatabases } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const operation = this.getNodeParameter('operation', 0) === 'check' ? check : dump;
		return await runForEachItem(this, operation);
	}
}
