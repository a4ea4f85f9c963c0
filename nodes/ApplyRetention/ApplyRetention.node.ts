import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { searchBackups, searchGroups } from '../shared/backups';
import { backupStorageTest } from '../shared/credentials';
import { type Operation, runForEachItem } from '../shared/run';
import { unknownOption } from '../shared/values';
import { apply } from './actions/apply.operation';
import { approve } from './actions/approve.operation';
import { pin, unpin } from './actions/pin.operation';
import { plan } from './actions/plan.operation';
import { pruneLeftovers } from './actions/prune.operation';
import { properties } from './properties';

const OPERATIONS: Record<string, Operation> = { apply, approve, pin, plan, prune: pruneLeftovers, unpin };

/** Decides which backups stay and removes the others; thin: fields → core → items. */
export class ApplyRetention implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Apply Retention',
		name: 'applyRetention',
		icon: { light: 'file:../icons/applyRetention.svg', dark: 'file:../icons/applyRetention.dark.svg' },
		group: ['output'],
		version: 1,
		subtitle: '={{ $parameter["operation"] }}',
		description: 'Keep backups by hour, day, week, month and year, and remove the others, each with its reason',
		defaults: { name: 'Apply Retention' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		usableAsTool: undefined,
		credentials: [{ name: 'backupStorageApi', displayName: 'Storage', required: true, testedBy: 'backupStorageTest' }],
		properties,
	};

	methods = {
		credentialTest: { backupStorageTest },
		listSearch: { searchGroups, searchBackups },
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const chosen: Operation = async (context, itemIndex) => {
			const name = context.getNodeParameter('operation', itemIndex);
			const operation = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined;
			if (!operation) throw unknownOption('Operation', name);
			return await operation(context, itemIndex);
		};
		return await runForEachItem(this, chosen, properties);
	}
}
