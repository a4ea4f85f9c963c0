/** Who a run of a node is, for the journal and for the locks. */
import type { IExecuteFunctions, INodeProperties } from 'n8n-workflow';
import type { Actor } from '../../core/records/journal/actor';
import { textOf } from './values';

/** Who asked for a run: for a node's "Options". */
export const REQUEST_OPTIONS: Record<'request' | 'requestedBy', INodeProperties> = {
	request: {
		displayName: 'Request ID',
		name: 'request',
		type: 'string',
		default: '',
		description: 'Of a request that was accepted by Requests for Backups: its runs are found by it in the journal',
	},
	requestedBy: {
		displayName: 'Requested By',
		name: 'requestedBy',
		type: 'string',
		default: '',
		placeholder: 'e.g. operator',
		description: 'Who asked for this run, for the journal: the user of a form, say',
	},
};

/** n8n leads from these to the run itself: /workflow/<workflow>/executions/<execution>. */
export function actorOf(context: IExecuteFunctions, itemIndex: number): Actor {
	const { id } = context.getWorkflow();
	const options = context.getNodeParameter('options', itemIndex, {}) as { request?: unknown; requestedBy?: unknown };
	const request = textOf(options.request);
	const requestedBy = textOf(options.requestedBy);
	return {
		...{ via: 'n8n', workflow: id, execution: context.getExecutionId(), node: context.getNode().name },
		...(requestedBy !== '' && { requestedBy }),
		...(request !== '' && { request }),
	};
}
