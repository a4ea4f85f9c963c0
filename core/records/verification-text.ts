/** What was proved of a backup, for lists. */
import { assessEvidence } from './assessment';
import type { BackupEntry } from './catalog';

/** E.g. "restored ok 2026-11-21 UTC". A failed verification counts until one that looked at least as deep went well. */
export function verificationText({ verifications }: Pick<BackupEntry, 'verifications'>): string {
	const { failed, proved } = assessEvidence(verifications);
	if (failed) return `NOT OK when ${failed.depth} was verified ${dayText(failed.at)}`;
	return proved ? `${proved.depth} ok ${dayText(proved.at)}` : 'not verified';
}

/** @param time milliseconds since 1970 */
function dayText(time: number): string {
	return `${new Date(time).toISOString().slice(0, 10)} UTC`;
}
