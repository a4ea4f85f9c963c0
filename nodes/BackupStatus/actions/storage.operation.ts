/** Backup Status: Storage. One item per storage. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { storageItem } from '../../shared/status-items';
import { readStatus } from '../../shared/status-settings';

export async function storage(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const { storages } = await readStatus(context, itemIndex);
	return storages.map((each) => ({ json: storageItem(each), pairedItem: { item: itemIndex } }));
}
