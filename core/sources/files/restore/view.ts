/** What of a chain is wanted: the entries of its last backup, filtered. */
import ignore from 'ignore';
import { mergeIndexes, type MergedEntry } from '../merge.ts';
import { type Bytes, toDisplay, toText } from '../names.ts';

/**
 * The entries that patterns name, or all of them.
 * @param include patterns in gitignore's syntax; one that names a folder names all that is in it
 */
export function* wantedEntries(indexes: readonly string[], include: readonly string[]): Generator<MergedEntry> {
	const isWanted = matcher(include);
	for (const entry of mergeIndexes(indexes)) if (isWanted(entry.path, entry.type === 'directory')) yield entry;
}

/** Makes the question whether an entry is wanted. */
export function matcher(include: readonly string[]): (path: Bytes, isDirectory: boolean) => boolean {
	const patterns = include.filter((pattern) => pattern.trim() !== '');
	if (patterns.length === 0) return () => true;
	const rules = ignore({ ignorecase: false }).add(patterns);
	return (path, isDirectory) => rules.ignores(`${toText(path) ?? toDisplay(path)}${isDirectory ? '/' : ''}`);
}
