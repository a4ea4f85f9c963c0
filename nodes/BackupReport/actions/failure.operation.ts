/** Backup Report: Make Failure Message. One item out: which workflow failed, where, and why. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { failureReport } from '../../../core/report/failure';

export async function failure(context: IExecuteFunctions): Promise<INodeExecutionData[][]> {
	const { name } = context.getWorkflow();
	const made = failureReport(context.getInputData(0)[0]?.json, name);
	const json = { ...made, workflow: name ?? '', execution: context.getExecutionId() } as unknown as IDataObject;
	const file = Buffer.from(`${made.subject}\n\n${made.text}\n`);
	const details = await context.helpers.prepareBinaryData(file, 'failed-workflow.txt', 'text/plain');
	return [[{ json, binary: { details }, pairedItem: { item: 0 } }]];
}
