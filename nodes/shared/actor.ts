/** Who a run of a node is, for the journal and for the locks. */
import type { IExecuteFunctions } from 'n8n-workflow';
import type { Actor } from '../../core/records/journal/actor';

/** n8n leads from these to the run itself: /workflow/<workflow>/executions/<execution>. */
export function actorOf(context: IExecuteFunctions): Actor {
	const { id } = context.getWorkflow();
	return { via: 'n8n', workflow: id, execution: context.getExecutionId(), node: context.getNode().name };
}
