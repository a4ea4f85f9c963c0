/** What of a chain is wanted: the entries of its last backup, filtered. */
import { mergeIndexes, type MergedEntry } from '../merge.ts';
import type { Bytes } from '../names.ts';
import { isCurrent } from '../object.ts';
import { patternMatcher } from '../patterns.ts';
import type { RestoreJob } from './messages.ts';

/** The entries that patterns name, or all of them; may be gone through several times. */
export class View {
	readonly #indexes: readonly string[];
	readonly #versions: boolean;
	readonly #isWanted: (path: Bytes, isDirectory: boolean) => boolean;
	/** The first wanted name of each file whose contents have another name, which is not wanted: by that other name. */
	readonly #standIns = new Map<Bytes, MergedEntry>();

	/**
	 * @param options.include patterns in gitignore's syntax; one that names a folder names all that is in it
	 * @param options.versions of a bucket: also versions that were not current
	 */
	constructor(indexes: readonly string[], { include, versions }: Pick<RestoreJob, 'include' | 'versions'>) {
		this.#indexes = indexes;
		this.#versions = versions;
		this.#isWanted = matcher(include);
		if (include.length === 0) return;
		for (const entry of mergeIndexes(indexes)) {
			if (entry.type !== 'link' || !this.#isWanted(entry.path, false)) continue;
			const target = entry.target!;
			if (!this.#isWanted(target, false) && !this.#standIns.has(target)) this.#standIns.set(target, entry);
		}
	}

	/** In the order of the index; a file that stands in for another name of it comes where that other one is. */
	*entries(): Generator<MergedEntry> {
		for (const entry of mergeIndexes(this.#indexes)) {
			if (!this.#versions && entry.object && !isCurrent(entry.object)) continue;
			const standIn = entry.type === 'file' ? this.#standIns.get(entry.path) : undefined;
			if (standIn) yield { ...entry, path: standIn.path, key: standIn.key };
			else if (this.#isWanted(entry.path, entry.type === 'directory')) {
				const first = entry.type === 'link' ? this.#standIns.get(entry.target!) : undefined;
				if (!first) yield entry;
				else if (first.path !== entry.path) yield { ...entry, target: first.path };
			}
		}
	}
}

/** Makes the question whether an entry is wanted. */
export function matcher(include: readonly string[]): (path: Bytes, isDirectory: boolean) => boolean {
	return patternMatcher(include) ?? (() => true);
}
