/** Whether much of what the backup before had is gone: then something may have deleted it, and older backups are all that is left. */
import type { Manifest } from '../records/manifest';
import type { Shrunk, SourceDetails } from './source';

/** How much may be gone since the backup before without a person's word, percent. */
export const MAX_LOST_PERCENT = 50;

/** Whether so much less is more than may be lost. */
export function hasShrunk({ from, to }: Pick<Shrunk, 'from' | 'to'>, maxPercent: number): boolean {
	return from > 0 && Math.floor((1 - to / from) * 100) > maxPercent;
}

/**
 * What the backup before had and this one has not, where it is more than may be lost.
 * @param previous the newest backup of the group; null where there is none
 * @param now the details of this one
 * @param options.what members of the details that are compared; what one of them does not say is left out
 */
export function shrunkSince(
	previous: Manifest | null,
	now: SourceDetails,
	{ kind, what, maxPercent }: { kind: string; what: readonly string[]; maxPercent: number },
): Shrunk[] {
	if (previous?.source.kind !== kind) return [];
	const before = previous.source.details;
	return what.flatMap((each) => {
		const [from, to] = [before[each], now[each]];
		if (typeof from !== 'number' || typeof to !== 'number') return [];
		return hasShrunk({ from, to }, maxPercent) ? [{ what: each, from, to }] : [];
	});
}
