import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { backupStorageTest } from '../shared/credentials';
import { type Operation, runForEachItem } from '../shared/run';
import { unknownOption } from '../shared/values';
import { answer } from './actions/answer.operation';
import { answerButton } from './actions/button.operation';
import { endAll } from './actions/end.operation';
import { properties } from './properties';

const OPERATIONS: Record<string, Operation> = { answer, button: answerButton };

/** Answers requests of other programs; thin: fields → core → items. */
export class BackupRequests implements INodeType {
	description: INodeTypeDescription = {
		// Not "Backup …": n8n's search would then show it first to who looks for "backup", and Postgres Dump below it.
		displayName: 'Requests for Backups',
		name: 'backupRequests',
		icon: { light: 'file:../icons/backupRequests.svg', dark: 'file:../icons/backupRequests.dark.svg' },
		group: ['transform'],
		version: 1,
		subtitle: '={{ $parameter["operation"] }}',
		description:
			'Answer what other programs ask about backups, and accept backups, verifications and restores once each',
		defaults: { name: 'Backup Requests' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		usableAsTool: undefined,
		credentials: [
			{ name: 'backupStorageApi', displayName: 'Storage', required: true, testedBy: 'backupStorageTest' },
			{
				name: 'backupStorageSecondApi',
				displayName: 'Second Storage',
				required: true,
				testedBy: 'backupStorageTest',
				displayOptions: { hide: { operation: ['button', 'end'], storages: ['first'] } },
			},
			{
				name: 'backupStorageThirdApi',
				displayName: 'Third Storage',
				required: true,
				testedBy: 'backupStorageTest',
				displayOptions: { hide: { operation: ['button', 'end'], storages: ['first', 'second'] } },
			},
		],
		properties,
	};

	methods = { credentialTest: { backupStorageTest } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const operation = this.getNodeParameter('operation', 0);
		if (operation === 'end') return await endAll(this);
		return await runForEachItem(this, async (context, itemIndex) => {
			const run = OPERATIONS[operation];
			if (!run) throw unknownOption('Operation', operation);
			return await run(context, itemIndex);
		});
	}
}
