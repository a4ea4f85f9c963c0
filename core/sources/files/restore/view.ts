/** What of a chain is wanted: the entries of its last backup, filtered. */
import { mergeIndexes, type MergedEntry } from '../merge.ts';
import { isCurrent } from '../object.ts';
import type { RestoreJob } from './messages.ts';
import { StandIns } from './stand-ins.ts';
import { Wanted } from './wanted.ts';

/** The entries that patterns name, or all of them; may be gone through several times. */
export class View {
	readonly #indexes: readonly string[];
	readonly #versions: boolean;
	readonly #wanted: Wanted;
	/** Of files whose contents have another name, which is not wanted; null where there are none. */
	readonly #standIns: StandIns | null = null;

	/**
	 * @param options.include patterns in gitignore's syntax; one that names a folder names all that is in it
	 * @param options.versions of a bucket: also versions that were not current
	 * @param options.folder for temporary files
	 */
	constructor(
		indexes: readonly string[],
		{ include, versions, folder }: Pick<RestoreJob, 'include' | 'versions' | 'folder'>,
	) {
		this.#indexes = indexes;
		this.#versions = versions;
		this.#wanted = new Wanted(include);
		if (include.length === 0) return;
		const standIns = new StandIns(folder);
		for (const entry of mergeIndexes(indexes)) if (this.#needsStandIn(entry)) standIns.add(entry);
		if (standIns.end() > 0) this.#standIns = standIns;
	}

	/** In the order of the index; a file that stands in for another name of it comes where that other one is. */
	*entries(): Generator<MergedEntry> {
		const standIns = this.#standIns?.reader();
		try {
			for (const entry of mergeIndexes(this.#indexes)) {
				if (!this.#versions && entry.object && !isCurrent(entry.object)) continue;
				const standIn = entry.type === 'file' ? standIns?.forFile(entry) : undefined;
				if (standIn) yield { ...entry, ...standIn };
				else if (standIns && this.#needsStandIn(entry)) {
					const first = standIns.nextOfLink();
					if (first !== entry.path) yield { ...entry, target: first };
				} else if (this.#wanted.has(entry.path, entry.type === 'directory')) yield entry;
			}
		} finally {
			standIns?.close();
		}
	}

	/** Patterns that name nothing; known when all entries were gone through. */
	get unmatched(): string[] {
		return this.#wanted.unmatched;
	}

	/** Whether it is a wanted name of a file whose contents have another name, which is not wanted. */
	#needsStandIn({ type, path, target }: MergedEntry): boolean {
		return type === 'link' && this.#wanted.has(path, false) && !this.#wanted.has(target!, false);
	}
}
