/** Which of the backups of a list is the newest of its group. */
import type { BackupEntry } from './catalog';
import { AHEAD_MS, BACKUP_TYPES } from './label';

/**
 * By their times. Within a second, one that builds on others is newer than a full one. One that a wrong clock has dated in the future is the newest only where there is no other.
 * @param now milliseconds since 1970
 */
export function newestOfEach(entries: readonly BackupEntry[], now: number = Date.now()): BackupEntry[] {
	const isAhead = ({ startedAt }: BackupEntry) => startedAt > now + AHEAD_MS;
	const newest = new Map<string, BackupEntry>();
	for (const entry of entries) {
		const best = newest.get(entry.group);
		const isBetter =
			!best || isAhead(best) > isAhead(entry) || (isAhead(best) === isAhead(entry) && isNewer(entry, best));
		if (isBetter) newest.set(entry.group, entry);
	}
	return entries.filter((entry) => newest.get(entry.group) === entry);
}

function isNewer(one: BackupEntry, other: BackupEntry): boolean {
	const time = one.startedAt - other.startedAt;
	const type = BACKUP_TYPES.indexOf(one.type) - BACKUP_TYPES.indexOf(other.type);
	return time > 0 || (time === 0 && (type > 0 || (type === 0 && one.label > other.label)));
}
