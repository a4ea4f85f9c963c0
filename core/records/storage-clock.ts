/** The time by a storage's own clock: clocks of two machines may differ. */
import { probeKey } from './layout';
import { randomWord } from '../base/random-word';
import { writeText } from './small-objects';
import type { Storage } from '../storage/storage';

/**
 * Asks by writing a small object, which is removed again where that can be done.
 * @param name of a lock or the like, below `locks/`, for the object's name
 * @returns milliseconds since 1970
 */
export async function storageTime(storage: Storage, name: string, signal?: AbortSignal): Promise<number> {
	const key = probeKey(name, randomWord(12));
	const { modifiedAt } = await writeText(storage, key, '{}', { signal });
	if (!storage.appendOnly) await storage.remove(key);
	return modifiedAt.getTime();
}

/** Differences below this are no news: S3 gives seconds, and answers take time. */
const TOLERANCE_MS = 60_000;

/**
 * A clock that follows the storage's where the own one is off by more than a minute, and that cannot be set back between
 * two looks at the storage.
 */
export class FollowingClock {
	#base: number;
	#since = performance.now();
	#behindMs = 0;

	/** @param own the machine's clock */
	constructor(private readonly own: () => number = Date.now) {
		this.#base = own();
	}

	/** @param modifiedAt of an object that was stored just now */
	follow(modifiedAt: Date): void {
		const own = this.own();
		const behindMs = modifiedAt.getTime() - own;
		this.#behindMs = Math.abs(behindMs) > TOLERANCE_MS ? behindMs : 0;
		this.#base = own + this.#behindMs;
		this.#since = performance.now();
	}

	now(): Date {
		return new Date(Math.round(this.#base + performance.now() - this.#since));
	}

	/** By how much the machine's clock is behind the storage's, milliseconds; 0 when it hardly is. */
	get behindMs(): number {
		return this.#behindMs;
	}
}
