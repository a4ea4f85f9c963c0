/** What has changed in the configuration since the backup before, in words. No value is in them. */
import type { RecordedFile, VersionRecord } from './version-record';

/** One file that is not as it was. */
export interface ConfigChange {
	path: string;
	change: 'added' | 'removed' | 'changed';
	/** Of an env file that changed: the keys whose values are other ones, new or gone. */
	keys: string[];
	/** The same for people, e.g. "changed /srv/shop/.env: DB_PASSWORD". */
	says: string;
}

/** Keys that are named in one sentence. */
const MOST_KEYS = 10;

/**
 * Compares two records. A secret that was changed shows only where both were made with the same key for digests.
 * @returns sorted by path
 */
export function changesBetween(before: VersionRecord, now: VersionRecord): ConfigChange[] {
	const then = new Map(before.files.map((file) => [file.path, file]));
	const alike = before.digestKey === now.digestKey && before.secrets === now.secrets;
	const changes: ConfigChange[] = [];
	for (const file of now.files) {
		const old = then.get(file.path);
		then.delete(file.path);
		if (!old) changes.push(told(file.path, 'added'));
		else if (isOther(old, file, alike)) changes.push(told(file.path, 'changed', changedKeys(old, file, alike)));
	}
	changes.push(...[...then.keys()].map((path) => told(path, 'removed')));
	return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** By the bytes as they were found where their digests can be compared, else by those that were archived, else by size. */
function isOther(old: RecordedFile, now: RecordedFile, alike: boolean): boolean {
	if (alike && old.found !== null && now.found !== null) return old.found !== now.found;
	if (old.archived !== null && now.archived !== null && old.done === now.done) return old.archived !== now.archived;
	return old.size !== now.size;
}

function changedKeys(old: RecordedFile, now: RecordedFile, alike: boolean): string[] {
	const before = old.settings ?? {};
	const after = now.settings ?? {};
	const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
	return keys.filter((key) => {
		if (Object.hasOwn(before, key) !== Object.hasOwn(after, key)) return true;
		return alike && before[key] !== after[key];
	});
}

function told(path: string, change: ConfigChange['change'], keys: string[] = []): ConfigChange {
	const more = keys.length > MOST_KEYS ? `, and ${keys.length - MOST_KEYS} more` : '';
	const named = keys.length === 0 ? '' : `: ${keys.slice(0, MOST_KEYS).join(', ')}${more}`;
	return { path, change, keys, says: `${change} ${path}${named}` };
}

/** One sentence about all changes. */
export function summaryOf(changes: readonly ConfigChange[]): string {
	if (changes.length === 0) return 'nothing changed';
	const count = (change: ConfigChange['change']) => changes.filter((each) => each.change === change).length;
	return (['added', 'changed', 'removed'] as const)
		.flatMap((change) => (count(change) > 0 ? [`${count(change)} ${change}`] : []))
		.join(', ');
}
