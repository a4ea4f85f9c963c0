/** Archive Config: Write Workflows. All input items are workflows of n8n; one item out. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { counted } from '../../../core/base/counted';
import { writeWorkflows } from '../../../core/sources/n8n/write-workflows';
import { allowedFolder } from '../../shared/allowed-folder';
import { filled, textOf } from '../../shared/values';

/** An item names so many files and secrets. */
const MOST_NAMED = 100;

/** Writes the workflows that came in, each into a file of its own. */
export async function writeWorkflowFiles(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const isBlocked = (resolved: string) =>
		context.helpers.isFilePathBlocked(resolved as Awaited<ReturnType<typeof context.helpers.resolvePath>>);
	const given = filled('Folder', textOf(context.getNodeParameter('workflowFolder', itemIndex)));
	const folder = await allowedFolder(given, isBlocked);
	const complete = context.getNodeParameter('allWorkflows', itemIndex, false) === true;
	const items = context.getInputData();
	const { written, unchanged, removed, secrets } = await writeWorkflows(
		items.map(({ json }) => json),
		{ folder, complete },
	);
	const done = `${written.length} written, ${unchanged} unchanged, ${removed.length} removed`;
	const json = {
		summary: `${counted(items.length, 'workflow')} in ${folder}: ${done}; ${counted(secrets.length, 'secret')} left out`,
		...{ ok: true, status: 'written', folder, workflows: items.length },
		...{ written: written.slice(0, MOST_NAMED), unchanged, removed: removed.slice(0, MOST_NAMED) },
		secrets: secrets.slice(0, MOST_NAMED),
	};
	return [{ json, pairedItem: items.map((_, item) => ({ item })) }];
}
