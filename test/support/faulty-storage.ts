/** A storage that fails on purpose: decorates any other, and does what its plan says to the operations it names. */
import { Readable } from 'node:stream';
import { abortError } from '../../core/base/errors';
import type {
	CallOptions,
	Protecting,
	ReadOptions,
	Space,
	Storage,
	StoredObject,
	Unfinished,
	WriteOptions,
} from '../../core/storage/storage';

export type Operation =
	| 'write'
	| 'read'
	| 'stat'
	| 'list'
	| 'remove'
	| 'extend'
	| 'until'
	| 'removeUnfinished'
	| 'unfinished'
	| 'space'
	| 'close';

export interface Fault {
	on: Operation;
	/** Only for keys or prefixes that match. */
	key?: RegExp;
	/** Which of the matching calls, from 1; all of them when absent. */
	nth?: number;
	/** For `write` and `read`: after so many bytes; for `list`: after so many objects. Before the first one when absent. */
	after?: number;
	/**
	 * Fail with this error; or never answer until the signal aborts; or, for `write`, `stat` and `remove`, do it and
	 * then fail, as when only the answer is lost.
	 */
	then: { fail: Error } | 'hang' | { doAndFail: Error };
}

export class FaultyStorage implements Storage {
	/** Every call, in order. */
	readonly calls: { on: Operation; key: string }[] = [];
	readonly #counts = new Map<Fault, number>();

	/** @param plan can be changed at any time */
	constructor(
		readonly inner: Storage,
		readonly plan: Fault[] = [],
	) {}

	get location(): string {
		return this.inner.location;
	}

	async write(key: string, body: Readable, options: WriteOptions = {}): Promise<StoredObject> {
		const fault = this.#fault('write', key);
		if (fault?.after !== undefined) {
			const broken = Readable.from(limited(body, fault, options.signal), { objectMode: false });
			return await this.inner.write(key, broken, options);
		}
		if (fault && !doesFirst(fault)) body.destroy();
		return await act(fault, () => this.inner.write(key, body, options), options.signal);
	}

	async read(key: string, options: ReadOptions = {}): Promise<Readable> {
		const fault = this.#fault('read', key);
		if (fault?.after === undefined) return await act(fault, () => this.inner.read(key, options), options.signal);
		return Readable.from(limited(await this.inner.read(key, options), fault, options.signal), { objectMode: false });
	}

	async stat(key: string, options: CallOptions = {}): Promise<StoredObject | null> {
		return await act(this.#fault('stat', key), () => this.inner.stat(key, options), options.signal);
	}

	async *list(prefix: string, options: CallOptions = {}): AsyncIterable<StoredObject> {
		const fault = this.#fault('list', prefix);
		let left = fault?.after ?? 0;
		for await (const object of this.inner.list(prefix, options)) {
			if (fault && left-- === 0) await fail(fault, options.signal);
			yield object;
		}
		if (fault && left >= 0) await fail(fault, options.signal);
	}

	async remove(key: string, options: CallOptions = {}): Promise<void> {
		await act(this.#fault('remove', key), () => this.inner.remove(key, options), options.signal);
	}

	get appendOnly(): boolean {
		return this.inner.appendOnly ?? false;
	}

	get protection(): Protecting | null {
		const { protection } = this.inner;
		return (
			protection && {
				extend: async (key, wanted) => await act(this.#fault('extend', key), () => protection.extend(key, wanted)),
				until: async (key) => await act(this.#fault('until', key), () => protection.until(key)),
			}
		);
	}

	async removeUnfinished(prefix: string, accept?: (key: string, startedAt: Date) => boolean): Promise<number> {
		return await act(this.#fault('removeUnfinished', prefix), () => this.inner.removeUnfinished(prefix, accept));
	}

	async *unfinished(prefix: string): AsyncIterable<Unfinished> {
		yield* await act(this.#fault('unfinished', prefix), async () => this.inner.unfinished(prefix));
	}

	get onlyIfAbsent(): Storage['onlyIfAbsent'] {
		return this.inner.onlyIfAbsent?.bind(this.inner);
	}

	async space(options: CallOptions = {}): Promise<Space | null> {
		return await act(this.#fault('space', ''), () => this.inner.space(options), options.signal);
	}

	async close(): Promise<void> {
		await act(this.#fault('close', ''), () => this.inner.close());
	}

	#fault(on: Operation, key: string): Fault | undefined {
		this.calls.push({ on, key });
		return this.plan.find((fault) => {
			if (fault.on !== on || (fault.key && !fault.key.test(key))) return false;
			const count = (this.#counts.get(fault) ?? 0) + 1;
			this.#counts.set(fault, count);
			return fault.nth === undefined || fault.nth === count;
		});
	}
}

function doesFirst({ then }: Fault): boolean {
	return typeof then === 'object' && 'doAndFail' in then;
}

async function act<T>(fault: Fault | undefined, action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
	if (!fault) return await action();
	if (doesFirst(fault)) await action();
	return await fail(fault, signal);
}

async function fail({ then }: Fault, signal?: AbortSignal): Promise<never> {
	if (then !== 'hang') throw 'fail' in then ? then.fail : then.doAndFail;
	return await new Promise((_, reject) => {
		if (signal?.aborted) reject(abortError(signal));
		else signal?.addEventListener('abort', () => reject(abortError(signal)), { once: true });
	});
}

/** The first `after` bytes, then the fault; a body that is not longer is left whole. */
async function* limited(body: Readable, fault: Fault, signal?: AbortSignal): AsyncGenerator<Buffer> {
	let left = fault.after ?? 0;
	for await (const chunk of body as AsyncIterable<Buffer>) {
		if (left > 0) yield chunk.subarray(0, left);
		left -= chunk.length;
		if (left < 0) await fail(fault, signal);
	}
}
