/** The calls that only look. */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';
import { readRequest } from '../../../core/records/requests';
import { type Answer, jsonAnswer, textAnswer } from '../../../core/report/api/answer';
import type { ReadCall } from '../../../core/report/api/call';
import { Problem } from '../../../core/report/api/problem';
import { readRequestRuns, requestState } from '../../../core/report/api/request-state';
import { METRICS_TYPE, metricsOf } from '../../../core/report/status/metrics';
import { withRepository } from '../../shared/backups';
import { matchesGroup } from '../../shared/group-patterns';
import { cancelSignal, splitList } from '../../shared/run';
import { backupItems, healthItem, runItem, runItems, storageItem } from '../../shared/status-items';
import { readGroups, readStatus } from '../../shared/status-settings';
import { readAskedGroups } from './asked-groups';

/** How far back a run is looked for, days. */
const RUN_DAYS = 31;
const MANY = 100_000;

/** @throws Problem 'not-found'; BackupError of the storage */
export async function answerRead(context: IExecuteFunctions, itemIndex: number, call: ReadCall): Promise<Answer> {
	switch (call.call) {
		case 'status':
			return jsonAnswer(200, healthItem(await readStatus(context, itemIndex)));
		case 'health': {
			const { at, verdict, sentence, counts } = await readStatus(context, itemIndex);
			return jsonAnswer(verdict === 'critical' ? 503 : 200, { verdict, sentence, at, counts });
		}
		case 'metrics':
			return textAnswer(METRICS_TYPE, await metricsOf(await readStatus(context, itemIndex)));
		case 'storage': {
			const { storages } = await readStatus(context, itemIndex);
			return jsonAnswer(200, { storages: storages.map(storageItem) });
		}
		case 'list':
			return jsonAnswer(200, { backups: await backupItems(context, itemIndex, wanted(context, itemIndex, call)) });
		case 'runs': {
			const { days } = call;
			return jsonAnswer(200, {
				runs: await runItems(context, itemIndex, { ...wanted(context, itemIndex, call), days }),
			});
		}
		case 'run':
			return jsonAnswer(200, await oneRun(context, itemIndex, call.id));
		case 'request':
			return jsonAnswer(200, await oneRequest(context, itemIndex, call.id));
	}
}

/** Of the groups that the node is about, those that the caller wants. */
function wanted(context: IExecuteFunctions, itemIndex: number, { group, limit }: { group?: string; limit: number }) {
	const isOurs = readGroups(context, itemIndex);
	const patterns = splitList(group);
	const isWanted = (name: string) => isOurs(name) && (patterns.length === 0 || matchesGroup(name, patterns));
	return { isWanted, limit };
}

async function oneRun(context: IExecuteFunctions, itemIndex: number, id: string): Promise<IDataObject> {
	const isWanted = readGroups(context, itemIndex);
	const runs = await runItems(context, itemIndex, { isWanted, limit: MANY, days: RUN_DAYS });
	const run = runs.find((each) => each.id === id);
	if (run) return run;
	throw new Problem('not-found', `there is no run ${id} in the last ${RUN_DAYS} days`, 'GET runs lists them.');
}

/** How far the work of a request is; the newest of its runs last. */
async function oneRequest(context: IExecuteFunctions, itemIndex: number, id: string): Promise<IDataObject> {
	const signal = cancelSignal(context);
	const { groupOf, isOurs } = readAskedGroups(context, itemIndex);
	return await withRepository(context, itemIndex, signal, async (repository) => {
		const { storage } = repository;
		const known = await readRequest(storage, id, signal);
		if (!known || !isOurs(groupOf(known.asked))) {
			throw new Problem(
				'not-found',
				`no request ${id} was accepted in the last 30 days`,
				'Take the id from its answer.',
			);
		}
		const runs = await readRequestRuns(repository, { id, acceptedAt: known.acceptedAt }, signal);
		const { acceptedAt, end, verb, asked, ...rest } = known;
		return {
			...{ id, verb, ...asked, ...rest, state: requestState(known, runs, Date.now()) },
			...{ acceptedAt: acceptedAt.toISOString(), endedAt: end?.at.toISOString() ?? null },
			code: end?.code ?? null,
			backups: (end?.backups ?? []).filter(({ group }) => isOurs(group)),
			runs: runs.filter(({ group }) => group === null || isOurs(group)).map((run) => runItem(run, storage.location)),
		};
	});
}
