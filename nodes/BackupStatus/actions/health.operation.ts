/** Backup Status: Health. One item: the answer, and what is wrong with what. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { healthItem } from '../../shared/status-items';
import { readStatus } from '../../shared/status-settings';

export async function health(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	return [{ json: healthItem(await readStatus(context, itemIndex)), pairedItem: { item: itemIndex } }];
}
