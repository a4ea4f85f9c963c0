/**
 * Heartbeats in a storage that never overwrites: each is a new small object, and the one before it is removed. Whoever
 * sees them can tell by the storage's own clock when the last one came.
 */
import { within } from '../base/deadline';
import { messageOf } from '../base/errors';
import { writeText } from './small-objects';
import type { Storage, StoredObject } from '../storage/storage';

export const BEAT_MS = 60_000;
/** Ten beats missed: long enough for a paused machine or a storage that was away, short enough for the next hourly run. */
export const STALE_AFTER_MS = 10 * BEAT_MS;
/** Where heartbeats stay for ever there are fewer: still two within the time after which their owner counts as gone. */
const KEPT_BEATS_EVERY = 5;
/** Stopping waits no longer than this for a storage that does not answer. */
const STOP_MS = 5000;

export interface HeartbeatOptions {
	/** Milliseconds between two heartbeats. */
	everyMs: number;
	/** The object of the n-th heartbeat, from 1. */
	key: (n: number) => string;
	text: () => string;
	/** Asked before each heartbeat; false ends them. */
	goesOn?: (signal: AbortSignal) => Promise<boolean>;
	/** Told of each heartbeat that was stored. */
	onBeat?: (object: StoredObject) => void;
}

export class Heartbeat {
	readonly #stop = new AbortController();
	readonly #timer: NodeJS.Timeout;
	#count = 0;
	/** Keys of heartbeats that were stored and not yet removed. */
	#stored: string[] = [];
	#running: Promise<void> | null = null;
	#lastAt = performance.now();
	#problem: string | null = null;

	/** The first heartbeat comes with the first interval; {@link beat} sends one at once. */
	constructor(
		private readonly storage: Storage,
		private readonly options: HeartbeatOptions,
	) {
		this.#timer = setInterval(
			() => {
				// A storage that is away for a moment must not end the run: the next heartbeat, or the run's own write, will tell.
				void this.beat().catch((error: unknown) => (this.#problem = messageOf(error)));
			},
			options.everyMs * (storage.appendOnly ? KEPT_BEATS_EVERY : 1),
		);
		this.#timer.unref();
	}

	/** Milliseconds since the last heartbeat that was stored, by a clock that nobody sets. */
	get silentMs(): number {
		return performance.now() - this.#lastAt;
	}

	/** Why the last heartbeat of the interval failed; null when it did not. */
	get problem(): string | null {
		return this.#problem;
	}

	/** Sends a heartbeat now, or joins one that is under way. @throws what the storage throws */
	async beat(): Promise<void> {
		this.#running ??= this.#beat().finally(() => (this.#running = null));
		await this.#running;
	}

	/** Ends the heartbeats; the last one stays, as the last trace of its owner. */
	halt(): void {
		clearInterval(this.#timer);
		this.#stop.abort();
	}

	/** Ends the heartbeats and removes the last one. @throws BackupError when it cannot be removed */
	async stop(): Promise<void> {
		this.halt();
		await within(STOP_MS, this.storage.location, async (signal) => {
			await Promise.allSettled([this.#running]); // what it says now is that it was told to stop
			await this.#removeStored(0, signal);
		});
	}

	async #beat(): Promise<void> {
		const { signal } = this.#stop;
		const { goesOn, key, text, onBeat } = this.options;
		if (signal.aborted) return;
		if (goesOn && !(await goesOn(signal))) return clearInterval(this.#timer);
		const name = key(this.#count + 1);
		// Noted before it is known to be stored: one that fails half way may be there all the same.
		this.#count += 1;
		this.#stored.push(name);
		const object = await writeText(this.storage, name, text(), { signal });
		this.#lastAt = performance.now();
		onBeat?.(object);
		await this.#removeStored(1, signal);
		this.#problem = null;
	}

	/** All but the last `keep`. */
	async #removeStored(keep: number, signal: AbortSignal): Promise<void> {
		if (this.storage.appendOnly) return;
		while (this.#stored.length > keep) {
			await this.storage.remove(this.#stored[0]!, { signal });
			this.#stored.shift();
		}
	}
}
