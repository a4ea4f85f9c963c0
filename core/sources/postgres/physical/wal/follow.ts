/**
 * Collects log again and again over one connection. What was written can be lost only as long as it is younger than the time between
 * two runs, and a run that finds nothing costs the server one question.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { abortError } from '../../../../base/errors';
import type { Source } from '../../../source';
import type { DatabaseTarget } from '../../connection/target';
import { askPosition } from '../cluster';
import { openTransport } from '../transport/open';
import type { Transport } from '../transport/transport';
import { type Connections, type LogOptions, logSource } from './source';

/** So often a run is made in any case, milliseconds: the journal shows that somebody still looks. */
const SIGN_OF_LIFE_MS = 60_000;

export interface FollowOptions extends LogOptions {
	/** From the beginning of one run to that of the next, milliseconds. */
	everyMs: number;
	/** For how long, milliseconds, with a last run at the end; until the signal says so when absent. */
	forMs?: number;
	signal: AbortSignal;
}

/**
 * Follows the log of a cluster. Each run is one backup, whole before the next one begins, and the server is told only then that it may
 * remove what is in it. When the signal aborts between two runs, it ends without an error, and nothing is cut short.
 * @param collect makes a backup of the source, or finds that nothing is new, and says whether to go on
 * @throws what `collect` throws
 */
export async function followLog(
	target: DatabaseTarget,
	{ everyMs, forMs = Infinity, signal, startOver, ...options }: FollowOptions,
	collect: (source: Source) => Promise<boolean>,
): Promise<void> {
	const connection = new KeptConnection(signal);
	const startedAt = performance.now();
	/** Only what could not be joined when it began was said to be given up. */
	let isFirst = true;
	let lastRun = -Infinity;
	try {
		for (;;) {
			const now = performance.now();
			const isQuiet = await connection.isQuiet();
			if (!isQuiet || now - lastRun >= SIGN_OF_LIFE_MS) {
				lastRun = now;
				const source = logSource(target, { ...options, startOver: isFirst && startOver }, connection);
				if (!(await collect(source))) return;
				isFirst = false;
			}
			const next = Math.min(now + everyMs, startedAt + forMs);
			if (now >= startedAt + forMs) return;
			await delay(Math.max(next - performance.now(), 0), undefined, { signal }).catch(() => undefined);
			if (signal.aborted) return;
		}
	} finally {
		await connection.close();
	}
}

/** One connection for many runs, made anew when it broke. */
class KeptConnection implements Connections {
	readonly #signal: AbortSignal;
	#transport: Transport | null = null;
	/** How far the server was when the last run began. */
	#seen: string | null = null;
	#release: () => void = () => undefined;

	/** @param signal of all runs together */
	constructor(signal: AbortSignal) {
		this.#signal = signal;
	}

	async take(target: DatabaseTarget, signal: AbortSignal): Promise<Transport> {
		if (this.#transport?.client.connection.stream.destroyed) this.#transport = null;
		const transport = (this.#transport ??= await openTransport(target, AbortSignal.any([this.#signal, signal])));
		// The signal that it was made with may be that of an earlier run.
		const onAbort = () => transport.client.connection.stream.destroy(abortError(signal));
		signal.addEventListener('abort', onAbort, { once: true });
		this.#release = () => signal.removeEventListener('abort', onAbort);
		try {
			this.#seen = await askPosition(transport);
		} catch (error) {
			await this.giveBack(transport, false);
			throw error;
		}
		return transport;
	}

	async giveBack(transport: Transport, isUsable: boolean): Promise<void> {
		this.#release();
		if (isUsable) return;
		this.#transport = null;
		await transport.close();
	}

	/** Whether the server is where it was when the last run began. A connection that broke says no: the next run shows why. */
	async isQuiet(): Promise<boolean> {
		if (this.#transport === null) return false;
		try {
			return (await askPosition(this.#transport)) === this.#seen;
		} catch {
			await this.close();
			return false;
		}
	}

	async close(): Promise<void> {
		const transport = this.#transport;
		this.#transport = null;
		await transport?.close();
	}
}
