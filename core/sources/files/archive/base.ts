/** What the backup before knew, passed in step with the walk. */
import { type MergedEntry, mergeIndexes } from '../merge.ts';

/** Entries of the base, in the order of the walk. */
export class Base {
	readonly #entries: Generator<MergedEntry, void, undefined>;
	#next: MergedEntry | null;

	/** @param files indexes of the base and its parents, newest first; none for a full backup */
	constructor(files: readonly string[]) {
		this.#entries = mergeIndexes(files);
		this.#next = this.#entries.next().value ?? null;
	}

	/** Takes the entry of this key, if it comes next. */
	take(key: string): MergedEntry | null {
		return this.#next?.key === key ? this.#advance() : null;
	}

	/** Takes the next entry if its key begins like this. */
	takeBelow(prefix: string): MergedEntry | null {
		return this.#next?.key.startsWith(prefix) ? this.#advance() : null;
	}

	/** Takes the next entry if it comes before a key; one that is below a directory which was taken like this is passed over. */
	takeBefore(key: string | null): MergedEntry | null {
		if (this.#next === null || (key !== null && this.#next.key >= key)) return null;
		const entry = this.#advance();
		if (entry.type === 'directory') this.passOver(entry.key);
		return entry;
	}

	/** Passes over everything whose key begins like this. */
	passOver(prefix: string): void {
		while (this.#next?.key.startsWith(prefix)) this.#advance();
	}

	/** Closes what it reads. */
	close(): void {
		this.#entries.return();
	}

	#advance(): MergedEntry {
		const entry = this.#next!;
		this.#next = this.#entries.next().value ?? null;
		return entry;
	}
}
