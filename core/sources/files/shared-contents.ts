/**
 * Contents that an archive holds already, so that a second file with the same ones needs no bytes. Of a large tree, only the last are
 * remembered; whoever reads the archive remembers at least those that who wrote it did.
 */

/** Contents that are remembered, about 25 MB. */
const MOST = 100_000;
/** Those that are too old are not given any more; their memory is given back once in a while. */
const FORGET_EVERY = 1000;

/** The last contents of an archive, by a key. */
export class SharedContents<Key, Value> {
	/** The one that was added last is the last one. */
	readonly #values = new Map<Key, { value: Value; number: number }>();
	readonly #most: number;
	#count = 0;

	/** @param most contents that are remembered */
	constructor(most = MOST) {
		this.#most = most;
	}

	/** Takes the contents that come next in the archive. */
	add(key: Key, value: Value): void {
		this.countOnly();
		// Behind all others, so that the oldest are the first.
		this.#values.delete(key);
		this.#values.set(key, { value, number: this.#count });
	}

	/** Counts contents that are not to be shared: which are the last ones must not depend on who counts. */
	countOnly(): void {
		this.#count++;
		if (this.#count % FORGET_EVERY !== 0) return;
		for (const [key, { number }] of this.#values) {
			if (this.#isRemembered(number)) return;
			this.#values.delete(key);
		}
	}

	get(key: Key): Value | undefined {
		const known = this.#values.get(key);
		return known && this.#isRemembered(known.number) ? known.value : undefined;
	}

	#isRemembered(number: number): boolean {
		return number > this.#count - this.#most;
	}
}
