import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { backupStorageTest } from '../shared/credentials';
import { type Operation, runForEachItem } from '../shared/run';
import { unknownOption } from '../shared/values';
import { dashboard } from './actions/dashboard.operation';
import { health } from './actions/health.operation';
import { list } from './actions/list.operation';
import { metrics } from './actions/metrics.operation';
import { runs } from './actions/runs.operation';
import { storage } from './actions/storage.operation';
import { properties } from './properties';

const OPERATIONS: Record<string, Operation> = { dashboard, health, list, metrics, runs, storage };

/** Says whether each source could be restored right now; thin: fields → core → items. */
export class BackupStatus implements INodeType {
	description: INodeTypeDescription = {
		// Not "Backup …": n8n's search would then show it first to who looks for "backup", and Postgres Dump below it.
		displayName: 'Status of Backups',
		name: 'backupStatus',
		icon: { light: 'file:../icons/backupStatus.svg', dark: 'file:../icons/backupStatus.dark.svg' },
		group: ['transform'],
		version: 1,
		subtitle: '={{ $parameter["operation"] }}',
		description:
			'Say whether each backed-up source could be restored right now, list backups and runs, and show storage use. Reads the storage only and changes nothing.',
		defaults: { name: 'Backup Status' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		usableAsTool: true,
		credentials: [
			{ name: 'backupStorageApi', displayName: 'Storage', required: true, testedBy: 'backupStorageTest' },
			{
				name: 'backupStorageSecondApi',
				displayName: 'Second Storage',
				required: true,
				testedBy: 'backupStorageTest',
				displayOptions: { hide: { storages: ['first'] } },
			},
			{
				name: 'backupStorageThirdApi',
				displayName: 'Third Storage',
				required: true,
				testedBy: 'backupStorageTest',
				displayOptions: { hide: { storages: ['first', 'second'] } },
			},
		],
		properties,
	};

	methods = { credentialTest: { backupStorageTest } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return await runForEachItem(this, async (context, itemIndex) => {
			const operation = context.getNodeParameter('operation', itemIndex);
			const run = OPERATIONS[operation];
			if (!run) throw unknownOption('Operation', operation);
			return await run(context, itemIndex);
		});
	}
}
