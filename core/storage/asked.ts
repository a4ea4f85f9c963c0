/** A question that is asked once. Those who ask while it is under way share the answer; a failure is not kept. */
export function asked<T>(ask: () => Promise<T>): () => Promise<T> {
	let answer: Promise<T> | undefined;
	return () =>
		(answer ??= ask().catch((error: unknown) => {
			answer = undefined;
			throw error;
		}));
}
