/** Work that is begun ahead of who takes its results, a few at a time, and given in order. */

/** How far ahead work may be. */
export interface AheadLimits<Item> {
	/** Items that are worked on, or done and not taken. */
	items: number;
	/** All of them together may weigh this much; one alone may weigh more. */
	weight: number;
	weightOf: (item: Item) => number;
}

/**
 * Calls `work` for each item, ahead of who takes the results, and gives them in the order of the items. A failure is thrown when its
 * turn comes. Who stops taking has to end what is under way itself, by a signal of his; it is waited for.
 */
export async function* ahead<Item, Result>(
	items: AsyncIterable<Item>,
	limits: AheadLimits<Item>,
	work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
	const source = items[Symbol.asyncIterator]();
	const running: Array<{ result: Promise<Result>; weight: number }> = [];
	let weight = 0;
	let isDone = false;
	try {
		for (;;) {
			while (!isDone && running.length < limits.items && (weight < limits.weight || running.length === 0)) {
				const next = await source.next();
				if (next.done) {
					isDone = true;
					break;
				}
				const result = work(next.value);
				// It may fail before its turn: that must not end this process.
				result.catch(() => undefined);
				const each = { result, weight: limits.weightOf(next.value) };
				running.push(each);
				weight += each.weight;
			}
			const first = running[0];
			if (!first) return;
			yield await first.result;
			running.shift();
			weight -= first.weight;
		}
	} finally {
		await Promise.allSettled(running.map(({ result }) => result));
		await source.return?.();
	}
}
