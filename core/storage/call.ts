/** How long a call of a storage is waited for: until it has done nothing for too long, or the run was told to stop. */
import { abortError, BackupError } from '../base/errors';

/** After a run was told to stop, each call of its tidying up gets this long. */
const ENDING_MS = 5_000;

/** How patient a run is with a storage. */
export interface StorageLimits {
	/** A call in which nothing moves for this long fails as 'stalled', milliseconds. */
	stallTimeoutMs: number;
	/**
	 * Of the run. When it aborts, calls that only look end at once, and those that change something get some seconds more.
	 * Calls that begin after that are tidying up: they are made, with as many seconds.
	 */
	signal?: AbortSignal;
}

/** One call of a storage, and how long it is waited for. */
export class StorageCall {
	readonly #stop = new AbortController();
	readonly #run: AbortSignal | undefined;
	#signal: AbortSignal | undefined;
	readonly #limitMs: number;
	#timer: NodeJS.Timeout | undefined;

	/**
	 * @param what the end of "it did not answer …"
	 * @param options.changes whether the call changes something, and so is not left at once
	 * @param options.signal the caller's own
	 */
	constructor(
		private readonly location: string,
		private readonly what: string,
		{ stallTimeoutMs, signal }: StorageLimits,
		private readonly options: { changes?: boolean; signal?: AbortSignal },
	) {
		// After the run's end, only the caller's own signal and the short patience count.
		this.#run = signal?.aborted ? undefined : signal;
		this.#limitMs = signal?.aborted ? Math.min(ENDING_MS, stallTimeoutMs) : stallTimeoutMs;
	}

	/** For what is called: aborts when the caller, the run or the limit says so. */
	get signal(): AbortSignal {
		const all = [this.#stop.signal, this.options.signal, this.#run];
		return (this.#signal ??= AbortSignal.any(all.filter((signal) => signal !== undefined)));
	}

	/** For a change that is called: aborts when the caller says so or nobody waits any more, but not yet when the run ends. */
	get givenUp(): AbortSignal {
		const { signal } = this.options;
		return signal ? AbortSignal.any([this.#stop.signal, signal]) : this.#stop.signal;
	}

	readonly fail = (error: Error): void => this.#stop.abort(error);

	/** Something happened: it may take as long again. */
	moved(): void {
		this.#timer?.refresh();
	}

	/** @param timed false where the caller watches what moves */
	async wait<T>(promise: Promise<T>, timed = true): Promise<T> {
		const stopped = this.signal;
		if (timed) this.#timer = setTimeout(() => this.fail(this.#stalled(this.#limitMs)), this.#limitMs);
		return await new Promise<T>((resolve, reject) => {
			const give = () => reject(abortError(stopped));
			const onStop = () => {
				if (!this.options.changes || this.#stop.signal.aborted) return give();
				clearTimeout(this.#timer);
				this.#timer = setTimeout(() => {
					give();
					this.fail(abortError(stopped));
				}, ENDING_MS);
			};
			if (stopped.aborted) onStop();
			else stopped.addEventListener('abort', onStop, { once: true });
			promise.then(resolve, reject).finally(() => stopped.removeEventListener('abort', onStop));
		}).finally(() => clearTimeout(this.#timer));
	}

	/**
	 * For a call that answers in many steps, one after the other, and changes nothing: as {@link wait} for each of them, with a time of its
	 * own, but without a timer and a listener of its own.
	 */
	steps(): { wait: <T>(promise: Promise<T>) => Promise<T>; end: () => void } {
		const stopped = this.signal;
		/** Null while nobody waits for the storage. */
		let giveUp: ((error: Error) => void) | null = null;
		const onStop = () => giveUp?.(abortError(stopped));
		stopped.addEventListener('abort', onStop, { once: true });
		const timer = setTimeout(() => {
			// Between two steps, whoever takes them takes his time.
			if (giveUp) this.fail(this.#stalled(this.#limitMs));
		}, this.#limitMs).unref();
		return {
			wait: async (promise) => {
				timer.ref().refresh();
				try {
					return await new Promise((resolve, reject) => {
						giveUp = reject;
						if (stopped.aborted) onStop();
						promise.then(resolve, reject);
					});
				} finally {
					giveUp = null;
					// Nobody stays for it who takes no further step.
					timer.unref();
				}
			},
			end: () => {
				clearTimeout(timer);
				stopped.removeEventListener('abort', onStop);
			},
		};
	}

	#stalled(ms: number): BackupError {
		return new BackupError(
			'stalled',
			`${this.location} did not answer ${this.what} within ${Math.round(ms / 1000)} seconds`,
			{
				hint: 'Check the storage and the network to it. If it is this slow, raise the stall timeout.',
				details: { transient: false },
			},
		);
	}
}
