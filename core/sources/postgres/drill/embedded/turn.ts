/** One embedded database at a time in a process: two would take twice the memory and be no faster. */
import { abortError } from '../../../../base/errors';

const LAST = Symbol.for('n8n-nodes-backup.embedded-turn');
type WithLast = typeof globalThis & { [LAST]?: Promise<void> };

export interface TurnOptions {
	signal: AbortSignal;
	/** Called once, when there is somebody to wait for. */
	onWait?: () => void;
}

/**
 * Waits until nobody else has a turn. In the order of the calls, also between copies of this module: n8n loads an updated
 * package beside the one whose runs go on.
 * @returns what ends the turn; may be called twice
 * @throws BackupError 'cancelled', or what the signal was aborted with
 */
export async function takeTurn({ signal, onWait }: TurnOptions): Promise<() => void> {
	const common = globalThis as WithLast;
	const before = common[LAST];
	const { promise: mine, resolve: end } = Promise.withResolvers<void>();
	const last = (before ?? Promise.resolve()).then(() => mine);
	common[LAST] = last;
	void last.then(() => {
		if (common[LAST] === last) delete common[LAST];
	});
	if (!before) return end;
	onWait?.();
	const { promise: aborted, reject } = Promise.withResolvers<never>();
	const onAbort = () => reject(abortError(signal));
	signal.addEventListener('abort', onAbort, { once: true });
	try {
		if (signal.aborted) onAbort();
		await Promise.race([before, aborted]);
		return end;
	} catch (error) {
		end();
		throw error;
	} finally {
		signal.removeEventListener('abort', onAbort);
	}
}
