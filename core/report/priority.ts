/** Which databases matter most. */
import { matchesGlob } from '../base/glob';

export interface Priority {
	/** Whether any is named. */
	any: boolean;
	/** Whether a backup, or one that was not made, is of a database of priority. */
	includes(of: { database?: string; group?: string; about?: string }): boolean;
}

/**
 * @param patterns names of databases, `*` for any characters and `?` for one; with `!` in front, those that are none. With
 *   nothing but exceptions, all others are.
 */
export function priorityOf(patterns: readonly string[]): Priority {
	const included = patterns.filter((pattern) => !pattern.startsWith('!'));
	const excluded = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
	const fits = (name: string, list: readonly string[]) => list.some((pattern) => matchesGlob(name, pattern));
	return {
		any: patterns.length > 0,
		includes({ database, group, about }) {
			// A whole run: those of priority are part of it.
			if (!database && !group && about === 'run') return patterns.length > 0;
			const name = database || group?.split('/').at(-1) || about || '';
			return patterns.length > 0 && (included.length === 0 || fits(name, included)) && !fits(name, excluded);
		},
	};
}
