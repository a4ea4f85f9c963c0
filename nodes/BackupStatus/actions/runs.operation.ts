/** Backup Status: Runs. One item per run of the journal, newest first. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { readRuns, type Run } from '../../../core/records/journal/journal';
import { wholeNumber } from '../../shared/values';
import { cancelSignal } from '../../shared/run';
import { readGroups, withStorages } from '../settings';

const DAY_MS = 24 * 3_600_000;

export async function runs(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const days = wholeNumber('Days', context.getNodeParameter('days', itemIndex), 1, 366);
	const limit = wholeNumber('Limit', context.getNodeParameter('limit', itemIndex), 1, 100_000);
	const isWanted = readGroups(context, itemIndex);
	const signal = cancelSignal(context);
	const now = Date.now();
	const from = new Date(now - days * DAY_MS);
	const found = await withStorages(context, itemIndex, async (storage, open) => {
		const repository = await open();
		const all = await readRuns(repository.storage, { from, to: new Date(now + DAY_MS), signal });
		return all.map((run) => ({ run, location: storage.location }));
	});
	return found
		.flat()
		.filter(({ run }) => run.group === null || isWanted(run.group))
		.sort((a, b) => (a.run.startedAt < b.run.startedAt ? 1 : -1))
		.slice(0, limit)
		.map(({ run, location }) => ({
			json: { summary: summaryOf(run), ...run, storage: location },
			pairedItem: { item: itemIndex },
		}));
}

function summaryOf({ verb, group, label, state, code, progress }: Run): string {
	const what = [group, label].filter((each) => each !== null).join('/') || 'the storage';
	const how = progress ? `${progress.phase}, ${progress.bytes.toLocaleString('en')} bytes` : (code ?? '');
	return `${verb} ${what}: ${state}${how ? ` (${how})` : ''}`;
}
