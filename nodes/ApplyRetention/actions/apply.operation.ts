/** Apply Retention: Apply. One item out per group, with what was removed, what stays, and why. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { BackupError, isBackupError } from '../../../core/errors';
import { applyRetention } from '../../../core/expire';
import { FailedRuns } from '../../../core/failed-runs';
import { sizeText } from '../../../core/size-text';
import { actorOf } from '../../shared/actor';
import { withRepository } from '../../shared/backups';
import { toErrorItem } from '../../shared/errors';
import { cancelSignal, progressLine } from '../../shared/run';
import { chooseGroups } from '../groups';
import { addHints, toItem } from '../report';
import { readSettings } from '../settings';

/** Applies the policy to every chosen group. One that fails does not stop the others; after all of them, it fails the item. */
export async function apply(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const settings = readSettings(context, itemIndex);
	const { lockWaitMs, extendProtection } = settings;
	const show = progressLine(context);
	return await withRepository(context, itemIndex, signal, async (repository) => {
		const items: INodeExecutionData[] = [];
		const failures: Failure[] = [];
		const failedRuns = new FailedRuns(repository.storage);
		for (const { group, name, policy } of await chooseGroups(repository, settings, { begun: true })) {
			try {
				const result = await applyRetention({
					...{ repository, group, policy, lockWaitMs, extendProtection, failedRuns, signal },
					actor: actorOf(context),
					onProgress: ({ phase, removed, total, freedBytes }) =>
						show(() => `${group}: ${phase}, ${removed} of ${total} removed, ${sizeText(freedBytes)} freed`),
				});
				addHints(context, result.plan, result);
				items.push({ json: toItem(name, result.plan, result), pairedItem: { item: itemIndex } });
			} catch (error) {
				// A policy that cannot be used is wrong for every group.
				if (signal.aborted || !isBackupError(error) || error.code === 'invalid-input') throw error;
				failures.push({ group, error });
				items.push(toErrorItem(error, itemIndex, { ok: false, status: 'failed', group, policy: name }));
			}
		}
		if (failures.length > 0 && !context.continueOnFail()) throw allFailures(failures, items.length);
		return items;
	});
}

interface Failure {
	group: string;
	error: BackupError;
}

function allFailures(failures: readonly Failure[], total: number): BackupError {
	const { code, hint } = failures[0]!.error;
	const each = failures.map(({ group, error }) => `${group}: ${error.message}`).join('; ');
	if (total === 1) return new BackupError(code, each, { hint, cause: failures[0]!.error });
	const done = total - failures.length;
	return new BackupError(code, `retention failed for ${failures.length} of ${total} groups: ${each}`, {
		hint: `${done > 0 ? `The other ${done} are done. ` : ''}${hint ?? ''}`.trim() || undefined,
		cause: failures[0]!.error,
	});
}
