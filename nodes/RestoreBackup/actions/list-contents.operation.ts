/** Restore Backup: List Contents. One item per file or folder of a backup of files. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { listEntries as list } from '../../../core/sources/files/list';
import { lookInto } from '../../../core/verbs/look/look';
import { wholeNumber } from '../../shared/values';
import { withChosen } from './chosen';

/** More items than this make an execution that n8n cannot show. */
const MAX_ITEMS = 100_000;

/** Lists what is inside of the chosen backup; reads its index, and no data. */
export async function listContents(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const path = (context.getNodeParameter('path', itemIndex, '') as string).trim();
	const limit = wholeNumber('Limit', context.getNodeParameter('limit', itemIndex, 50), 1, MAX_ITEMS);
	return await withChosen(context, itemIndex, async ({ warnings, ...chosen }) => {
		for (const message of warnings) context.addExecutionHints({ message, type: 'warning', location: 'outputPane' });
		return await lookInto(chosen, async (backup, signal) => {
			const items: INodeExecutionData[] = [];
			for await (const entry of list(backup, { signal, ...(path !== '' && { path }) })) {
				if (items.length === limit) {
					const message = `there is more: the first ${limit} entries are listed`;
					context.addExecutionHints({ message, type: 'info', location: 'outputPane' });
					break;
				}
				const { group, label } = chosen;
				items.push({ json: { ...entry, group, label }, pairedItem: { item: itemIndex } });
			}
			return items;
		});
	});
}
