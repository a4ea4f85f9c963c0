/** What was proved of a backup, for lists. */
import type { BackupEntry } from './catalog';
import { reaches } from './evidence';

/** E.g. "restored ok 2026-11-21 UTC". A failed verification counts until one that looked at least as deep went well. */
export function verificationText({ verifications }: Pick<BackupEntry, 'verifications'>): string {
	const failed = verifications.findLast(({ ok }) => !ok);
	const disproved =
		failed && verifications.some(({ ok, at, depth }) => ok && at > failed.at && reaches(depth, failed.depth));
	if (failed && !disproved) return `NOT OK when ${failed.depth} was verified ${dayText(failed.at)}`;
	const [first, ...more] = verifications.filter(({ ok }) => ok);
	if (!first) return 'not verified';
	const best = more.reduce((deepest, each) => (reaches(each.depth, deepest.depth) ? each : deepest), first);
	return `${best.depth} ok ${dayText(best.at)}`;
}

/** @param time milliseconds since 1970 */
function dayText(time: number): string {
	return `${new Date(time).toISOString().slice(0, 10)} UTC`;
}
