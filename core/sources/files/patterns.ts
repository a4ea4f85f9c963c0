/** Patterns in gitignore's syntax, asked of very many paths. For worker threads too. */
import ignore from 'ignore';
import { type Bytes, toDisplay, nameToText } from './names.ts';

/** The library remembers what it answered for each path, for ever: after so many it begins anew. */
const MOST_REMEMBERED = 20_000;
/** Names of objects may begin as paths do not: `/x`, `../x`. */
const OPTIONS = { ignorecase: false, allowRelativePaths: true };

/**
 * Makes the question whether patterns name an entry: itself, or a directory above it.
 * @param mostRemembered answers that are kept in memory
 * @returns a function of a path without a slash at its beginning; null where there is no pattern
 */
export function patternMatcher(
	patterns: readonly string[],
	mostRemembered = MOST_REMEMBERED,
): ((path: Bytes, isDirectory: boolean) => boolean) | null {
	const given = patterns.filter((pattern) => pattern.trim() !== '');
	if (given.length === 0) return null;
	const compiled = ignore(OPTIONS).add(given);
	const begin = () => ignore(OPTIONS).add(compiled);
	let rules = begin();
	let asked = 0;
	return (path, isDirectory) => {
		if (++asked % mostRemembered === 0) rules = begin();
		return rules.ignores(`${nameToText(path) ?? toDisplay(path)}${isDirectory ? '/' : ''}`);
	};
}
