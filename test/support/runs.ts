/** What the journal of a storage says of the runs of a test. */
import { readRuns, type JournalRun } from '../../core/records/journal/journal';
import type { Storage } from '../../core/storage/storage';

const DAY_MS = 24 * 3_600_000;

/** The runs around now, without what differs from one test to the next. */
export async function runsIn(storage: Storage): Promise<Array<Pick<JournalRun, 'verb' | 'state' | 'actor'>>> {
	const now = Date.now();
	const runs = await readRuns(storage, { from: new Date(now - DAY_MS), to: new Date(now + DAY_MS) });
	return runs.map(({ verb, state, actor }) => ({ verb, state, actor }));
}
