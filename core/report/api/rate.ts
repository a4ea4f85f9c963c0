/** How often something may be done: at most so many times within any minute. */
const WINDOW_MS = 60_000;

export class Rate {
	#times: number[] = [];

	/**
	 * Counts one more, if it may be.
	 * @param now milliseconds
	 * @returns null where it may; otherwise after how many seconds it may
	 */
	take(limit: number, now: number): number | null {
		this.#times = this.#times.filter((time) => now - time < WINDOW_MS);
		if (this.#times.length < limit) {
			this.#times.push(now);
			return null;
		}
		return Math.max(1, Math.ceil((this.#times[this.#times.length - limit]! + WINDOW_MS - now) / 1000));
	}
}
