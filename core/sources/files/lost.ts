/** Whether much of what the backup before had is gone. */
import type { Manifest } from '../../records/manifest';
import type { SourceDetails } from '../source';

/** A backup that lost more of its entries or bytes since the one before is a reason to look. */
export const MAX_LOST_PERCENT = 50;

/**
 * What the backup before had and this one has not, in sentences, where it is more than may be lost.
 * @param options.what members of the details that are compared
 */
export function lostSince(
	previous: Manifest | null,
	now: SourceDetails,
	{ kind, what, maxPercent }: { kind: string; what: readonly string[]; maxPercent: number },
): string[] {
	if (previous?.source.kind !== kind) return [];
	const before = previous.source.details;
	return what.flatMap((each) => {
		const was = Number(before[each]);
		const percent = Math.floor((1 - Number(now[each]) / was) * 100);
		if (!(was > 0) || percent <= maxPercent) return [];
		return [`${percent} % of the ${each} are gone since ${previous.label}: ${Number(now[each])} now, ${was} then`];
	});
}
