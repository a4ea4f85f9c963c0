import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { backupEncryptionTest, backupStorageTest } from '../shared/credentials';
import { type Operation, runForEachItem } from '../shared/run';
import { unknownOption } from '../shared/values';
import { backUpCluster } from './actions/back-up-cluster.operation';
import { check } from './actions/check.operation';
import { collectLog } from './actions/collect-log.operation';
import { dropSlot } from './actions/drop-slot.operation';
import { properties } from './properties';

const OPERATIONS: Record<string, Operation> = { backUpCluster, check, collectLog, dropSlot };

/** Backs up whole PostgreSQL clusters and their log; thin: fields → core → items. */
export class PostgresBaseBackup implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Base Backup of Postgres',
		name: 'postgresBaseBackup',
		icon: { light: 'file:../icons/postgresBaseBackup.svg', dark: 'file:../icons/postgresBaseBackup.dark.svg' },
		group: ['output'],
		version: 1,
		subtitle:
			'={{ ({ backUpCluster: "back up cluster", check: "check", collectLog: "collect WAL", dropSlot: "drop slot" })[$parameter["operation"]] }}',
		description: 'Back up a whole PostgreSQL cluster and its write-ahead log, for restores to any moment',
		defaults: { name: 'Base Backup of Postgres' },
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
				displayOptions: { hide: { encryption: ['none'], operation: ['dropSlot'] } },
			},
		],
		properties,
	};

	methods = { credentialTest: { backupStorageTest, backupEncryptionTest } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return await runForEachItem(this, async (context, itemIndex) => {
			const operation = context.getNodeParameter('operation', itemIndex);
			const run = OPERATIONS[operation];
			if (!run) throw unknownOption('Operation', operation);
			return await run(context, itemIndex);
		});
	}
}
