/** What of a tree is left out because somebody said so. */
import type { Bytes } from '../names.ts';
import { patternMatcher } from '../patterns.ts';

/** Names of files that ask for their folder to be left out: the Cache Directory Tagging Specification, and a custom. */
const TAGS: readonly Bytes[] = ['CACHEDIR.TAG', '.nobackup'];

/**
 * Makes the question whether an entry is left out.
 * @param patterns in gitignore's syntax
 * @returns a function of a path below its root, without a slash at its beginning
 */
export function excluder(patterns: readonly string[]): (path: Bytes, isDirectory: boolean) => boolean {
	return patternMatcher(patterns) ?? (() => false);
}

/** Whether a folder asks to be left out. */
export function isTagged(files: readonly Bytes[]): boolean {
	return files.some((name) => TAGS.includes(name));
}
