/** What patterns name, and which of them name nothing. For worker threads too. */
import type { Bytes } from '../names.ts';
import { patternMatcher } from '../patterns.ts';

/** Of each pattern: there may be many, and most are asked until they name something. */
const MOST_REMEMBERED = 100;

type Matcher = (path: Bytes, isDirectory: boolean) => boolean;

/** Entries that are wanted, by patterns in gitignore's syntax; one that names a folder names all that is in it. */
export class Wanted {
	/** The patterns. */
	readonly include: readonly string[];
	readonly #matches: Matcher | null;
	/** By pattern, those that have named nothing yet. Exceptions (`!…`) name nothing by themselves. */
	readonly #unmatched: Map<string, Matcher>;

	/** @param include patterns; everything is wanted where there are none */
	constructor(include: readonly string[]) {
		this.include = include;
		this.#matches = patternMatcher(include);
		const named = include.flatMap((pattern): Array<[string, Matcher]> => {
			const matches = pattern.startsWith('!') ? null : patternMatcher([pattern], MOST_REMEMBERED);
			return matches ? [[pattern, matches]] : [];
		});
		this.#unmatched = new Map(named);
	}

	/** Whether an entry is wanted. @param path without a slash at its beginning */
	has(path: Bytes, isDirectory: boolean): boolean {
		if (!this.#matches) return true;
		const isWanted = this.#matches(path, isDirectory);
		if (isWanted && this.#unmatched.size > 0) {
			for (const [pattern, matches] of this.#unmatched) {
				if (matches(path, isDirectory)) this.#unmatched.delete(pattern);
			}
		}
		return isWanted;
	}

	/** Patterns that named nothing of all that was asked about so far, in their order. */
	get unmatched(): string[] {
		return [...this.#unmatched.keys()];
	}
}

/** For whoever wanted them. @param where the backup's group and label */
export function unmatchedWarning(unmatched: readonly string[], where: string): string {
	return `nothing in ${where} has a name like ${unmatched.join(', ')}: only what the other patterns name is restored`;
}
