/** The growing set of what stays, with its reasons. Whatever is added brings along all that it needs. */
import { type HistoryEntry, type History, isSound } from './history';
import { REASONS } from './reasons';

/** Why one backup stays, and until when. */
interface Kept {
	readonly reasons: string[];
	/** When the policy lets go of it, milliseconds; null while it stays for reasons that are not the policy's alone. */
	until: number | null;
}

export class Keeping {
	readonly #kept = new Map<number, Kept>();
	readonly #needed = new Set<number>();
	#sound = 0;

	constructor(readonly history: History) {}

	get size(): number {
		return this.#kept.size;
	}

	/** How many of them can be relied on. */
	get sound(): number {
		return this.#sound;
	}

	has({ place }: HistoryEntry): boolean {
		return this.#kept.has(place);
	}

	/**
	 * Keeps a backup, and all that it needs, for one more reason.
	 * @param until when the policy lets go of it, milliseconds, infinite when no end is known; null when it is not the policy
	 * that keeps it
	 */
	add({ place }: HistoryEntry, reason: string, until: number | null): void {
		const kept = this.#put(place);
		kept.reasons.push(reason);
		if (until !== null) kept.until = Math.max(until, kept.until ?? -Infinity);
		for (const needed of this.history.chains.neededBy([place], this.#needed).keys()) this.#put(needed);
	}

	/** What stays and why, by place: now that nothing is added any more, parents as well. Times are infinite where none is known. */
	toReasons(): Map<number, { reasons: string[]; until: number }> {
		const { chains } = this.history;
		const wanted = [...this.#kept].flatMap(([place, { reasons, until }]) =>
			reasons.length > 0 ? [{ place, reasons, until: until ?? Infinity }] : [],
		);
		const result = new Map(wanted.map(({ place, reasons, until }) => [place, { reasons: [...reasons], until }]));
		const latestFirst = wanted.toSorted((a, b) => (a.until === b.until ? 0 : b.until - a.until));
		for (const [place, child] of chains.neededBy(latestFirst.map(({ place }) => place))) {
			const { until } = result.get(child)!;
			const own = result.get(place);
			result.set(place, { reasons: own?.reasons ?? [], until: Math.max(until, own?.until ?? -Infinity) });
		}
		const newestFirst = wanted.map(({ place }) => place).sort((a, b) => b - a);
		for (const [place, child] of chains.neededBy(newestFirst)) {
			result.get(place)!.reasons.push(REASONS.parentOf(this.history.entries[child]!.facts.label));
		}
		return result;
	}

	#put(place: number): Kept {
		let kept = this.#kept.get(place);
		if (!kept) {
			this.#kept.set(place, (kept = { reasons: [], until: null }));
			if (isSound(this.history.entries[place]!)) this.#sound++;
		}
		return kept;
	}
}
