/** Apply Retention: Prune. One item out for the storage, with what killed runs have left in it. */
import { counted } from '../../../core/base/counted';
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { prune } from '../../../core/verbs/prune/prune';
import { sizeText } from '../../../core/base/size-text';
import { actorOf } from '../../shared/actor';
import { withRepository } from '../../shared/backups';
import { cancelSignal } from '../../shared/run';
import { unknownOption } from '../../shared/values';

/** Shows what killed runs have left, or removes it. */
export async function pruneLeftovers(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const mode = context.getNodeParameter('pruneMode', itemIndex) as 'remove' | 'show';
	if (mode !== 'remove' && mode !== 'show') throw unknownOption('What to Do', mode);
	const graceHours = context.getNodeParameter('graceHours', itemIndex) as number;
	return await withRepository(context, itemIndex, signal, async (repository) => {
		const { orphans, skipped, warnings, ...found } = await prune({
			...{ repository, graceHours, signal },
			apply: mode === 'remove',
			actor: actorOf(context, itemIndex),
		});
		const left = skipped.map(({ group, why }) => `${group} was left alone: ${why}`);
		for (const message of [...left, ...warnings]) {
			context.addExecutionHints({ message, type: 'warning', location: 'outputPane' });
		}
		const size = sizeText(found.freedBytes);
		const json = {
			summary: `${counted(orphans.length, 'unfinished backup')} ${mode === 'remove' ? 'removed' : 'to remove'}, ${size}`,
			ok: true,
			status: mode === 'remove' ? 'removed' : 'planned',
			...found,
			orphans: orphans.map(({ group, label, keys, storedBytes, modifiedAt }) => ({
				...{ group, label, storedBytes },
				objects: keys.length,
				modifiedAt: modifiedAt.toISOString(),
			})),
			skipped: skipped.map((each) => ({ ...each })),
			warnings,
		};
		return [{ json, pairedItem: { item: itemIndex } }];
	});
}
