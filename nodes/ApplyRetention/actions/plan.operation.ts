/** Apply Retention: Plan. One item out per group, with what would stay and go, and why. Deletes nothing. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { type GroupFailure, surveyRetention } from '../../../core/verbs/expire/expire';
import { withRepository } from '../../shared/backups';
import { toErrorItem } from '../../shared/errors';
import { cancelSignal } from '../../shared/run';
import { allFailures } from '../failures';
import { chooseGroups } from '../groups';
import { addHints, toItem } from '../../shared/retention-items';
import { readSettings } from '../settings';

/** Plans every chosen group by itself. One that fails does not stop the others; after all of them, it fails the item. */
export async function plan(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const settings = readSettings(context, itemIndex);
	return await withRepository(context, itemIndex, signal, async (repository) => {
		const chosen = await chooseGroups(repository, settings, { begun: false });
		const items: INodeExecutionData[] = [];
		const failures: GroupFailure[] = [];
		for (const [policy, same] of Map.groupBy(chosen, (each) => each.policy)) {
			const groups = same.map(({ group }) => group);
			const planned = await surveyRetention({ repository, groups, policy, signal });
			for (const each of planned.groups) {
				addHints(context, each);
				items.push({ json: toItem(same[0]!.name, each), pairedItem: { item: itemIndex } });
			}
			for (const { group, error } of planned.failures) {
				items.push(toErrorItem(error, itemIndex, { ok: false, status: 'failed', group, policy: same[0]!.name }));
			}
			failures.push(...planned.failures);
		}
		if (failures.length > 0 && !context.continueOnFail()) throw allFailures(failures, items.length, 'the plan');
		return items;
	});
}
