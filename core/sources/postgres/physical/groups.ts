/** How the groups of a cluster are called: base backups in one, log in another, so that both can be made at the same time. */
import { BackupError } from '../../../base/errors';

const BASES = 'cluster/';
const LOGS = 'wal/';

/** The group of the log that belongs to base backups: `wal/main` for `cluster/main`. @throws BackupError 'invalid-input' */
export function logGroupOf(group: string): string {
	assertGroupOf('base backups', group);
	return `${LOGS}${group.slice(BASES.length)}`;
}

/** The group of the base backups that belong to log: `cluster/main` for `wal/main`. @throws BackupError 'invalid-input' */
export function baseGroupOf(group: string): string {
	assertGroupOf('log', group);
	return `${BASES}${group.slice(LOGS.length)}`;
}

/** Whether a group is called as groups of log are. */
export function isLogGroup(group: string): boolean {
	return group.startsWith(LOGS) && group.length > LOGS.length;
}

/**
 * Of the backups of several groups, those that can be restored as a test: log is replayed with the base backups of its cluster, and never
 * alone. What has no base backup among them stays.
 */
export function withoutReplayed<Entry extends { group: string }>(entries: readonly Entry[]): Entry[] {
	const groups = new Set(entries.map(({ group }) => group));
	return entries.filter(({ group }) => !isLogGroup(group) || !groups.has(baseGroupOf(group)));
}

/**
 * Refuses other names: base backups and log find each other by them.
 * @throws BackupError 'invalid-input'
 */
export function assertGroupOf(what: 'base backups' | 'log', group: string): void {
	const prefix = what === 'log' ? LOGS : BASES;
	if (group.startsWith(prefix) && group.length > prefix.length) return;
	throw new BackupError('invalid-input', `"${group}" is no group for ${what}`, {
		hint: `Call it ${prefix}main, with the name of the cluster for "main": base backups in cluster/main and log in wal/main find each other by that.`,
	});
}
