/** Waiting no longer than one should: for what is done on the side, and for what does not listen to its signal. */
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
		return await untilAborted(() => work(both), both);
	} finally {
		clearTimeout(timer);
	}
}

/**
 * Does something that does not listen to a signal. Once that is aborted, it is not begun, or no longer waited for.
 * @throws the signal's reason; what the work throws
 */
export async function untilAborted<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
	if (!signal) return await work();
	if (signal.aborted) throw abortError(signal);
	return await unlessAborted(work(), signal);
}

/**
 * What a promise gives, or the signal's reason as soon as it is aborted. What it gives later is dropped, and a failure then
 * is nobody's.
 */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
	let stop = () => {};
	const aborted = new Promise<never>((_, reject) => {
		stop = () => reject(abortError(signal));
		if (signal.aborted) stop();
		else signal.addEventListener('abort', stop, { once: true });
	});
	try {
		return await Promise.race([promise, aborted]);
	} finally {
		signal.removeEventListener('abort', stop);
	}
}
