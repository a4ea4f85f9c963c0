/** Apply Retention: Apply. One item out per group, with what was removed, what stays, and why. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { isBackupError } from '../../../core/base/errors';
import { applyRetention, type GroupFailure } from '../../../core/verbs/expire/expire';
import { FailedRuns } from '../../../core/records/journal/failed-runs';
import { completePolicy } from '../../../core/retention/rules';
import { sizeText } from '../../../core/base/size-text';
import { actorOf } from '../../shared/actor';
import { withRepository } from '../../shared/backups';
import { toErrorItem } from '../../shared/errors';
import { cancelSignal, progressLine } from '../../shared/run';
import { allFailures } from '../failures';
import { chooseGroups } from '../groups';
import { addHints, toItem } from '../../shared/retention-items';
import { readSettings } from '../settings';

/** Applies the policy to every chosen group. One that fails does not stop the others; after all of them, it fails the item. */
export async function apply(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const settings = readSettings(context, itemIndex);
	const { lockWaitMs, extendProtection } = settings;
	const show = progressLine(context);
	return await withRepository(context, itemIndex, signal, async (repository) => {
		const items: INodeExecutionData[] = [];
		const failures: GroupFailure[] = [];
		const failedRuns = new FailedRuns(repository.storage);
		const chosen = await chooseGroups(repository, settings, { begun: true });
		// One that cannot be used is wrong before anything is removed.
		for (const { policy } of chosen) completePolicy(policy);
		for (const { group, name, policy } of chosen) {
			try {
				const result = await applyRetention({
					...{ repository, group, policy, lockWaitMs, extendProtection, failedRuns, signal },
					actor: actorOf(context, itemIndex),
					onProgress: ({ phase, removed, total, freedBytes }) =>
						show(() => `${group}: ${phase}, ${removed} of ${total} removed, ${sizeText(freedBytes)} freed`),
				});
				addHints(context, result.plan, result);
				items.push({ json: toItem(name, result.plan, result), pairedItem: { item: itemIndex } });
			} catch (error) {
				if (signal.aborted || !isBackupError(error)) throw error;
				failures.push({ group, error });
				items.push(toErrorItem(error, itemIndex, { ok: false, status: 'failed', group, policy: name }));
			}
		}
		if (failures.length > 0 && !context.continueOnFail()) throw allFailures(failures, items.length, 'retention');
		return items;
	});
}
