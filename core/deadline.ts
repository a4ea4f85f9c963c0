/** Doing something on the side, that must not hold up the run it belongs to. */
import { abortError, BackupError } from './errors';

/**
 * Does something and gives up on it after a while. Also what does not listen to its signal is no longer waited for.
 * @param what for the message: "the journal"
 * @throws BackupError 'timed-out'; the reason of `signal`; what the work throws
 */
export async function within<T>(
	ms: number,
	what: string,
	work: (signal: AbortSignal) => Promise<T>,
	signal?: AbortSignal,
): Promise<T> {
	const limit = new AbortController();
	const text = `${what} did not answer within ${ms / 1000} seconds`;
	const timer = setTimeout(() => limit.abort(new BackupError('timed-out', text)), ms);
	const both = signal ? AbortSignal.any([signal, limit.signal]) : limit.signal;
	try {
		if (both.aborted) throw abortError(both);
		const aborted = new Promise<never>((_, reject) => {
			both.addEventListener('abort', () => reject(abortError(both)), { once: true });
		});
		return await Promise.race([work(both), aborted]);
	} finally {
		clearTimeout(timer);
	}
}
