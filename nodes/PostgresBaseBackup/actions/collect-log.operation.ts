/** Base Backup of Postgres: Collect WAL. One item out per item in, also where nothing is new. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { sizeText } from '../../../core/base/size-text';
import { dataSize } from '../../../core/records/manifest';
import { describeTarget } from '../../../core/sources/postgres/connection/target';
import { logDrill } from '../../../core/sources/postgres/physical/drill/drill';
import { slotName } from '../../../core/sources/postgres/physical/wal/slot';
import { logSource } from '../../../core/sources/postgres/physical/wal/source';
import { readAfterwards, type TestRestore } from '../../shared/afterwards';
import { backUpEach, type Made, storedFacts } from '../../shared/back-up-each';
import { openNodeStorage } from '../../shared/credentials';
import { cancelSignal, progressLine } from '../../shared/run';
import { verdictOf } from '../../shared/verification-items';
import { LARGEST_DRILL_MB } from '../properties';
import { readSettings } from '../settings';

/** Stores the log of a cluster since the last run. */
export async function collectLog(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const { target, groups, allowAnotherServer, store } = await readSettings(context, itemIndex);
	const startOver = context.getNodeParameter('startOver', itemIndex, false) === true;
	const afterwards = { ...readAfterwards(context, itemIndex, LARGEST_DRILL_MB), keep: null };
	const storage = await openNodeStorage(context, itemIndex);
	try {
		const slot = slotName(storage.location, groups.log);
		const source = {
			...{ name: groups.log, group: groups.log, place: describeTarget(target), facts: { slot } },
			source: () => logSource(target, { slot, startOver }),
		};
		const show = progressLine(context);
		return await backUpEach(context, itemIndex, {
			...{ sources: [source], noun: 'logs', code: 'incomplete', storage, settings: store },
			signal: cancelSignal(context),
			request: { allowAnotherServer },
			then: { afterwards, testRestore: NOT_ALONE },
			onProgress: (_, { originalBytes }) => show(() => `${groups.log}: ${sizeText(originalBytes)} collected`),
			toItem: (_, made) => ({ ...toItem(made, storedFacts(made, store)), slot }),
			nothingNew: ({ group }) => ({
				...{ summary: `${group}: nothing new`, ok: true, status: 'unchanged', group, newBeginning: false, slot },
			}),
		});
	} finally {
		await storage.close();
	}
}

/** Log is restored with a base backup. */
const NOT_ALONE: TestRestore = { drill: logDrill(), isPossible: () => false };

/** The facts of what was collected: never bytes, never a secret. */
function toItem({ result: { manifest }, afterwards }: Made, stored: IDataObject): IDataObject {
	const { group, label, source } = manifest;
	const { serverVersion, timeline, walStart, walEnd, lastCommit, newBeginning } = source.details;
	const { originalBytes, storedBytes } = dataSize(manifest);
	const size = `${sizeText(originalBytes)} of log as ${sizeText(storedBytes)}`;
	const commit = typeof lastCommit === 'string' ? `, the last transaction of ${lastCommit}` : '';
	const verdict = afterwards.verification ? `, ${verdictOf(afterwards.verification)}` : '';
	return {
		summary: `${group}: ${size}, up to ${String(walEnd)}${commit}${verdict}`,
		ok: true,
		status: 'collected',
		...{ group, label },
		...stored,
		...{ server: source.server, serverVersion, timeline, walStart, walEnd, lastCommit, newBeginning },
	};
}
