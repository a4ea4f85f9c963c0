/**
 * Which backups of a group need which. Numbers are places in the group's list, oldest first.
 *
 * Where it is not known what a backup needs, it needs everything back to the last full one. To write that down without a
 * line per pair, each place n has a second node, "n and all before it back to the last full one", which leads to n and to
 * the same node of n - 1.
 */
import type { BackupFacts } from './facts';

export class Chains {
	/** Places of backups that need something which is not there, and what. */
	readonly missing = new Map<number, string>();
	readonly #parents = new Map<number, number[]>();
	readonly #children = new Map<number, number[]>();

	/** @param places by label */
	constructor(
		private readonly backups: readonly BackupFacts[],
		places: ReadonlyMap<string, number>,
	) {
		let fullBefore = false;
		for (const [place, { type, parents }] of backups.entries()) {
			if (parents === null && type !== 'full') {
				this.#needAllBefore(place);
				if (!fullBefore) this.missing.set(place, 'a full backup before it');
			}
			for (const label of parents ?? []) {
				const parent = places.get(label);
				if (parent === undefined) this.missing.set(place, label);
				else if (parent !== place) this.#connect(place, parent);
			}
			fullBefore ||= type === 'full';
		}
	}

	/**
	 * All that these need, directly or not, each with the first of them, in the order given, that needs it.
	 * @param known what former calls have found; it is left out, and what is found is added
	 */
	neededBy(places: Iterable<number>, known = new Set<number>()): Map<number, number> {
		return this.#reach(places, this.#parents, () => false, known);
	}

	/** All that need these, directly or not, each with the first of them; nothing at which to stop, nor beyond it. */
	needing(places: Iterable<number>, stopAt: (place: number) => boolean = () => false): Map<number, number> {
		return this.#reach(places, this.#children, stopAt, new Set());
	}

	#needAllBefore(place: number): void {
		if (place > 0) this.#connect(place, this.backups.length + place - 1);
		for (let before = place - 1; before >= 0; before--) {
			const node = this.backups.length + before;
			if (this.#parents.has(node)) return;
			this.#connect(node, before);
			if (this.backups[before]!.type === 'full') return;
			if (before > 0) this.#connect(node, node - 1);
		}
	}

	#connect(child: number, parent: number): void {
		const parents = this.#parents.get(child);
		if (parents) parents.push(parent);
		else this.#parents.set(child, [parent]);
		const children = this.#children.get(parent);
		if (children) children.push(child);
		else this.#children.set(parent, [child]);
	}

	/** Not recursive: a chain can be longer than the stack is deep. A manifest that makes a ring of it does no harm. */
	#reach(
		origins: Iterable<number>,
		edges: ReadonlyMap<number, number[]>,
		stopAt: (place: number) => boolean,
		known: Set<number>,
	): Map<number, number> {
		const reached = new Map<number, number>();
		for (const origin of origins) {
			const open = [origin];
			for (let node = open.pop(); node !== undefined; node = open.pop()) {
				for (const next of edges.get(node) ?? []) {
					const isPlace = next < this.backups.length;
					if (next === origin || known.has(next) || (isPlace && stopAt(next))) continue;
					known.add(next);
					if (isPlace) reached.set(next, origin);
					open.push(next);
				}
			}
		}
		return reached;
	}
}
