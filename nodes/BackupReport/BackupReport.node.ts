import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { backupStorageTest } from '../shared/credentials';
import { toNodeError } from '../shared/errors';
import { unknownOption } from '../shared/values';
import { alerts } from './actions/alerts.operation';
import { failure } from './actions/failure.operation';
import { report } from './actions/report.operation';
import { properties } from './properties';

const OPERATIONS: Record<string, (context: IExecuteFunctions) => Promise<INodeExecutionData[][]>> = {
	alerts,
	failure,
	report,
};

/** Makes one report of what all other nodes did; thin: fields → core → items. */
export class BackupReport implements INodeType {
	description: INodeTypeDescription = {
		// Not "Backup …": n8n's search would then show it first to who looks for "backup", and Postgres Dump below it.
		displayName: 'Report on Backups',
		name: 'backupReport',
		icon: { light: 'file:../icons/backupReport.svg', dark: 'file:../icons/backupReport.dark.svg' },
		group: ['transform'],
		version: 1,
		subtitle:
			'={{ $parameter["operation"] !== "report" ? $parameter["operation"] : $parameter["source"] === "input" ? "on what comes in" : "on the nodes before" }}',
		description: 'Make one report of a run, for e-mail, Slack, Telegram and programs',
		defaults: { name: 'Backup Report' },
		inputs: '={{ Array.from({ length: $parameter["numberInputs"] ?? 1 }, () => "main") }}',
		// Where nothing comes on the others: databases that all failed, say.
		requiredInputs: 1,
		outputs: [NodeConnectionTypes.Main],
		usableAsTool: undefined,
		credentials: [
			{
				name: 'backupStorageApi',
				displayName: 'Storage',
				required: true,
				testedBy: 'backupStorageTest',
				displayOptions: { hide: { operation: ['failure', 'report'] } },
			},
		],
		properties,
	};

	methods = { credentialTest: { backupStorageTest } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		try {
			const operation = this.getNodeParameter('operation', 0);
			const run = OPERATIONS[operation];
			if (!run) throw unknownOption('Operation', operation);
			return await run(this);
		} catch (error) {
			throw toNodeError(this.getNode(), error, 0);
		}
	}
}
