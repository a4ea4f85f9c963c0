/** Doing the same to many things, a few at a time. */

/**
 * Calls `work` for every item, at most `limit` at a time, each as soon as there is room. After a failure no further one
 * begins; those that run are waited for.
 * @returns the results in the order of the items
 * @throws the first failure
 */
export async function inParallel<T, R>(
	items: readonly T[],
	limit: number,
	work: (item: T) => Promise<R>,
): Promise<R[]> {
	const results = new Array<R>(items.length);
	let next = 0;
	let failed = false;
	const worker = async () => {
		while (next < items.length && !failed) {
			const at = next++;
			try {
				results[at] = await work(items[at]!);
			} catch (error) {
				failed = true;
				throw error;
			}
		}
	};
	const ended = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, worker));
	const failure = ended.find((end) => end.status === 'rejected');
	if (failure) throw failure.reason;
	return results;
}
