/**
 * Contents that an archive holds already, so that a second file with the same ones needs no bytes. Of a large tree, only the last are
 * remembered; whoever reads the archive remembers the same ones.
 */

/** Contents that are remembered, about 25 MB. */
const MOST = 100_000;

/** The last contents of an archive, by a key: their digest for who writes, their place for who reads. */
export class SharedContents<Key, Value> {
	readonly #values = new Map<Key, Value>();

	add(key: Key, value: Value): void {
		if (this.#values.size === MOST) this.#values.delete(this.#values.keys().next().value!);
		this.#values.set(key, value);
	}

	get(key: Key): Value | undefined {
		return this.#values.get(key);
	}
}
