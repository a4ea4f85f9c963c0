/** Backup Report: Make Alerts. One item out: what has changed since people were told last. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { isBackupError } from '../../../core/base/errors';
import { readTold, type StoredTold, type Told, writeTold } from '../../../core/records/told';
import { type AlertReport, alertReport } from '../../../core/report/alerts';
import { withRepository } from '../../shared/backups';
import { matchesGroup } from '../../shared/group-patterns';
import { cancelSignal, splitList } from '../../shared/run';
import { wholeNumber } from '../../shared/values';

export async function alerts(context: IExecuteFunctions): Promise<INodeExecutionData[][]> {
	const { name } = context.getWorkflow();
	const { told: _, ...made } = await makeAlerts(context, name);
	const json = { ...made, workflow: name ?? '', execution: context.getExecutionId() } as unknown as IDataObject;
	const file = Buffer.from(`${made.subject}\n\n${made.text}\n`);
	const details = await context.helpers.prepareBinaryData(file, 'backup-alerts.txt', 'text/plain');
	return [[{ json, binary: { details }, pairedItem: { item: 0 } }]];
}

async function makeAlerts(context: IExecuteFunctions, workflow: string | undefined): Promise<AlertReport> {
	const signal = cancelSignal(context);
	const priority = splitList(context.getNodeParameter('priorityGroups', 0, ''));
	const request = {
		health: context.getInputData(0)[0]?.json,
		now: new Date(),
		remindHours: wholeNumber('Remind After', context.getNodeParameter('remindHours', 0), 1, 8760),
		summary: context.getNodeParameter('summary', 0) === true,
		isPriority: (group: string) => priority.length > 0 && matchesGroup(group, priority),
		workflow,
	};
	// Only for a storage that is away, which is just what has to be told: n8n's own memory is lost with it.
	const memory = context.getWorkflowStaticData('node');
	try {
		return await withRepository(context, 0, signal, async ({ storage }) => {
			const stored = await readTold(storage, signal);
			const known = { ...stored.alerts, ...(memory.told as Told | undefined) };
			const report = alertReport({ ...request, told: known });
			const isOurs = await remember({ ...stored, alerts: known }, report, async (told) => {
				return await writeTold(storage, stored, told, signal);
			});
			delete memory.told;
			return { ...report, tell: report.tell && isOurs };
		});
	} catch (error) {
		if (signal.aborted || !isBackupError(error)) throw error;
		const report = alertReport({ ...request, told: (memory.told ?? {}) as Told });
		memory.told = report.told;
		return report;
	}
}

/** What nobody has to be told changes nothing that has to be kept. @returns whether it is for this run to tell */
async function remember(
	{ alerts: known }: StoredTold,
	{ tell, told }: AlertReport,
	write: (told: Told) => Promise<boolean>,
): Promise<boolean> {
	return !tell && Object.keys(told).length === Object.keys(known).length ? true : await write(told);
}
