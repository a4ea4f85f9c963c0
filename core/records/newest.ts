/** Which of the backups of a list is the newest of its group. */
import type { BackupEntry } from './catalog';
import { AHEAD_MS } from './label';

/**
 * By the label. One that a wrong clock has dated in the future is the newest only where there is no other.
 * @param now milliseconds since 1970
 */
export function newestOfEach(entries: readonly BackupEntry[], now: number = Date.now()): BackupEntry[] {
	const isAhead = ({ startedAt }: BackupEntry) => startedAt > now + AHEAD_MS;
	const newest = new Map<string, BackupEntry>();
	for (const entry of entries) {
		const best = newest.get(entry.group);
		const isBetter =
			!best || isAhead(best) > isAhead(entry) || (isAhead(best) === isAhead(entry) && entry.label > best.label);
		if (isBetter) newest.set(entry.group, entry);
	}
	return entries.filter((entry) => newest.get(entry.group) === entry);
}
