/** Apply Retention: Approve. One item out per backup. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { approveBackup } from '../../../core/verbs/approve/approve';
import { actorOf } from '../../shared/actor';
import { withRepository } from '../../shared/backups';
import { cancelSignal, locatorValue } from '../../shared/run';
import { filled } from '../../shared/values';

/** Says that what the source lost up to a backup is right. One that is approved already stays as it is. */
export async function approve(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const group = filled('Group', locatorValue(context, 'group', itemIndex));
	const label = filled('Backup', locatorValue(context, 'label', itemIndex));
	const reason = (context.getNodeParameter('reason', itemIndex, '') as string).trim();
	return await withRepository(context, itemIndex, signal, async (repository) => {
		const actor = actorOf(context, itemIndex);
		const result = await approveBackup({ repository, group, label, reason, actor, signal });
		for (const warning of result.warnings) {
			const message = `${group}/${label}: ${warning}`;
			context.addExecutionHints({ message, type: 'warning', location: 'outputPane' });
		}
		const summary = `${group}/${label}: approved`;
		return [{ json: { summary, ok: true, status: 'approved', ...result }, pairedItem: { item: itemIndex } }];
	});
}
