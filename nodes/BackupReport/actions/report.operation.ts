/** Backup Report: Make Report. One item out, whatever came in. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { runReport } from '../../../core/report/run-report';
import { itemsOfNodesBefore, itemsThatComeIn } from '../items';
import { readSettings } from '../settings';

const DETAILS = 'details';

export async function report(context: IExecuteFunctions): Promise<INodeExecutionData[][]> {
	const settings = readSettings(context);
	const { name } = context.getWorkflow();
	// n8n keeps it from one run of the published workflow to the next; runs by hand leave no memory.
	const memory = context.getWorkflowStaticData('node');
	const { blockedSince, ...made } = runReport({
		...settings.report,
		items: settings.source === 'before' ? itemsOfNodesBefore(context) : itemsThatComeIn(context),
		now: new Date(),
		timeZone: context.getTimezone(),
		workflow: name,
		blockedSince: (memory.blockedSince ?? {}) as IDataObject,
	});
	memory.blockedSince = blockedSince;
	const json = { ...made, workflow: name ?? '', execution: context.getExecutionId() } as unknown as IDataObject;
	const item: INodeExecutionData = { json, pairedItem: { item: 0 } };
	if (settings.attach) {
		const file = Buffer.from(`${made.subject}\n\n${made.details}\n`);
		item.binary = { [DETAILS]: await context.helpers.prepareBinaryData(file, 'backup-report.txt', 'text/plain') };
	}
	return [[item]];
}
