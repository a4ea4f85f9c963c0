/** Backup Status: Storage. One item per storage. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { sizeText } from '../../../core/base/size-text';
import type { StorageStatus } from '../../../core/report/status/status';
import { readStatus } from '../settings';

export async function storage(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const { storages } = await readStatus(context, itemIndex);
	return storages.map((each) => ({ json: storageItem(each), pairedItem: { item: itemIndex } }));
}

/** Sizes in bytes. */
export function storageItem({ location, usedBytes, freeBytes, reasons, groups, ...rest }: StorageStatus): IDataObject {
	const free = freeBytes === null ? '' : `, ${sizeText(freeBytes)} free`;
	return {
		summary: `${location}: ${sizeText(usedBytes)} of backups${free}`,
		...{ location, verdict: rest.verdict, reasons: reasons.map((each) => ({ ...each })), usedBytes, freeBytes },
		...{ totalBytes: rest.totalBytes, growthPerDay: rest.growthPerDay, daysUntilFull: rest.daysUntilFull },
		leftovers: rest.leftovers,
		groups: groups.map((each) => ({ ...each })),
	};
}
