/** Restore Backup: Restore Bucket. One item out per item in; a restore that does not match is an error. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { BackupError } from '../../../core/base/errors';
import { sizeText } from '../../../core/base/size-text';
import { placeName } from '../../../core/sources/bucket/config';
import { bucketRestorer } from '../../../core/sources/bucket/restore';
import type { BucketRestored } from '../../../core/sources/bucket/restore-options';
import type { RestoreResult } from '../../../core/verbs/restore/types';
import { toErrorItem } from '../../shared/errors';
import { rounded } from '../../shared/summary';
import { readBucket } from '../settings';
import { restoreChosen } from './chosen';

/** Restores objects of the chosen backup into a bucket, reads them back, and compares them with what was backed up. */
export async function restoreBucket(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const how = await readBucket(context, itemIndex);
	const to = placeName(how.to);
	const result = await restoreChosen(
		context,
		itemIndex,
		() => bucketRestorer(how),
		({ phase, bytes }) => {
			return `${to}: ${phase}, ${sizeText(bytes)}`;
		},
	);
	for (const warning of result.warnings) {
		context.addExecutionHints({ message: `${to}: ${warning}`, type: 'warning', location: 'outputPane' });
	}
	const facts = toFacts(result, to, how.dryRun === true);
	if (result.comparison.ok) return [{ json: facts, pairedItem: { item: itemIndex } }];
	const error = mismatch(result, to);
	if (!context.continueOnFail()) throw error;
	return [toErrorItem(error, itemIndex, facts)];
}

/** Sizes in bytes, times in seconds; `seconds` is the measured recovery time. */
function toFacts(result: RestoreResult<BucketRestored>, to: string, dryRun: boolean): IDataObject {
	const { comparison, listed, ...facts } = result;
	const { objects = 0, bytes = 0, kept = 0, versions, markers } = comparison.figures;
	return {
		summary: `${to}: ${comparison.says}`,
		ok: comparison.ok,
		...facts,
		seconds: rounded(facts.seconds),
		restoredTo: to,
		dryRun,
		...{ objects, bytes, kept },
		...(versions !== undefined && { versions, deleteMarkers: markers }),
		countsMatch: comparison.ok,
		...(dryRun && { listed }),
		differences: comparison.differences.map((difference) => ({ ...difference })),
	};
}

function mismatch({ group, label, comparison }: RestoreResult<BucketRestored>, to: string): BackupError {
	const some = comparison.differences
		.slice(0, 5)
		.map(({ item, expected, found }) => `${item}: ${found} instead of ${expected}`);
	return new BackupError(
		'different',
		`${to} is restored, but not what was backed up as ${group}/${label}: ${some.join('; ')}`,
		{
			hint: 'Find out who else writes there, and what the server does to objects, before you use what is in the bucket.',
		},
	);
}
