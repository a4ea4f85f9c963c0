/** Backup Status: Runs. One item per run of the journal, newest first. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { runItems } from '../../shared/status-items';
import { readGroups } from '../../shared/status-settings';
import { wholeNumber } from '../../shared/values';

export async function runs(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const days = wholeNumber('Days', context.getNodeParameter('days', itemIndex), 1, 366);
	const limit = wholeNumber('Limit', context.getNodeParameter('limit', itemIndex), 1, 100_000);
	const items = await runItems(context, itemIndex, { isWanted: readGroups(context, itemIndex), limit, days });
	return items.map((json) => ({ json, pairedItem: { item: itemIndex } }));
}
