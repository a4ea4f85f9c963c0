/** Backup Status: List Backups. One item per backup, newest first: for forms and lists of other workflows. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { backupItems } from '../../shared/status-items';
import { readGroups } from '../../shared/status-settings';
import { wholeNumber } from '../../shared/values';

export async function list(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const limit = wholeNumber('Limit', context.getNodeParameter('limit', itemIndex), 1, 1_000_000);
	const items = await backupItems(context, itemIndex, { isWanted: readGroups(context, itemIndex), limit });
	return items.map((json) => ({ json, pairedItem: { item: itemIndex } }));
}
