/** How the groups of a cluster are called: base backups in one, log in another, so that both can be made at the same time. */

const BASES = 'cluster/';
const LOGS = 'wal/';

/** The group of the log that belongs to base backups: `wal/main` for `cluster/main`. */
export function logGroupOf(group: string): string {
	return `${LOGS}${group.startsWith(BASES) ? group.slice(BASES.length) : group}`;
}

/** The group of the base backups that belong to log: `cluster/main` for `wal/main`. */
export function baseGroupOf(group: string): string {
	return group.startsWith(LOGS) ? `${BASES}${group.slice(LOGS.length)}` : group;
}
