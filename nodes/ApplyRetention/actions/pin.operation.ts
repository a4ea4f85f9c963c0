/** Apply Retention: Pin and Unpin. One item out per backup. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { pinBackup, type PinRequest, type PinResult, unpinBackup } from '../../../core/verbs/pin/pins';
import { actorOf } from '../../shared/actor';
import { withRepository } from '../../shared/backups';
import { cancelSignal, locatorValue } from '../../shared/run';
import { filled } from '../../shared/values';

/** Keeps a backup whatever a policy says. One that is pinned already stays as it is. */
export async function pin(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const reason = (context.getNodeParameter('reason', itemIndex, '') as string).trim();
	return await change(context, itemIndex, async (request) => await pinBackup({ ...request, reason }));
}

/** Lets policies decide about a backup again. */
export async function unpin(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	return await change(context, itemIndex, unpinBackup);
}

async function change(
	context: IExecuteFunctions,
	itemIndex: number,
	work: (request: Omit<PinRequest, 'reason'>) => Promise<PinResult>,
): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const group = filled('Group', locatorValue(context, 'group', itemIndex));
	const label = filled('Backup', locatorValue(context, 'label', itemIndex));
	return await withRepository(context, itemIndex, signal, async (repository) => {
		const result = await work({ repository, group, label, actor: actorOf(context, itemIndex), signal });
		for (const warning of result.warnings) {
			const message = `${group}/${label}: ${warning}`;
			context.addExecutionHints({ message, type: 'warning', location: 'outputPane' });
		}
		const status = result.pinned ? 'pinned' : 'unpinned';
		const summary = `${group}/${label}: ${status}`;
		return [{ json: { summary, ok: true, status, ...result }, pairedItem: { item: itemIndex } }];
	});
}
