/**
 * Bytes on their way into an object of a storage, under guard: whatever fails or stands still on either side ends both, the first
 * failure is the one that is told, and nothing is left behind.
 */
import type { Readable } from 'node:stream';
import { abortError, afterTidying, BackupError } from '../base/errors';
import { type Limits, type Movement, watchDuration, watchStall } from '../base/limits';
import type { Protection, Storage } from '../storage/storage';

export interface GuardedFlow {
	to: Storage;
	key: string;
	/** Keeps the object from being removed. */
	protect?: Protection;
	limits: Pick<Limits, 'stallTimeoutMs'> & { hardTimeoutMs?: number };
	/** What to do besides raising the maximum duration, where there is one. */
	advice?: string;
	signal: AbortSignal;
	/**
	 * Called about once a second: what has moved besides what the storage tells, and who is waited for.
	 * @param safe bytes that are safe in the storage
	 */
	look: (safe: number) => Movement;
	/** How many bytes the object must have, told when all of them have passed. */
	expected: () => number;
}

/** What a flow is given to work with. */
export interface Guard {
	/** Aborts when anything has failed. */
	signal: AbortSignal;
	/** Tells of a failure that nobody would throw, such as an error of a stream. */
	fail: (error: unknown) => void;
}

/** The end of a flow: what the storage reads, and when all that leads there has ended. */
export interface Flow {
	last: Readable;
	flowing: Promise<void>;
}

/**
 * Lets bytes flow into an object. When it resolves, the storage has as many bytes as were expected; when it rejects, it has
 * nothing of the object.
 * @param begin joins what leads to the storage
 * @throws the first failure of either side; BackupError 'stalled', 'timed-out', the signal's reason; 'damaged' when the storage
 * kept another number of bytes
 */
export async function guardedFlow(request: GuardedFlow, begin: (guard: Guard) => Promise<Flow>): Promise<void> {
	const { to, key, protect, limits, signal } = request;
	const abort = new AbortController();
	const aborted = new Promise<void>((resolve) => abort.signal.addEventListener('abort', () => resolve()));
	let failure: Error | undefined;
	const fail = (error: unknown) => {
		failure ??= error instanceof Error ? error : new Error(String(error));
		abort.abort(failure);
	};
	const onCancel = () => fail(abortError(signal));
	if (signal.aborted) onCancel();
	signal.addEventListener('abort', onCancel, { once: true });
	let safe = 0;
	let sent = 0;
	const stall = watchStall(limits.stallTimeoutMs, fail, () => {
		const { moved, waitingFor } = request.look(safe);
		return { moved: moved + safe + sent, waitingFor };
	});
	const { hardTimeoutMs } = limits;
	const duration = hardTimeoutMs === undefined ? null : watchDuration(hardTimeoutMs, fail, request.advice ?? '');
	try {
		abort.signal.throwIfAborted();
		// A writer that fails destroys the stream; its own error says why, and may come later, after tidying up.
		// A source that closes too early makes the writer's stream fail, so that this is not lost either.
		const failUnlessClosed = (error: unknown) => {
			if (!hasClosed(error)) fail(error);
		};
		const { last, flowing: begun } = await begin({ signal: abort.signal, fail: failUnlessClosed });
		const flowing = begun.catch(failUnlessClosed);
		const written = to
			.write(key, last, {
				signal: abort.signal,
				protect,
				onProgress: (bytes) => void (safe = bytes),
				onMoved: () => void sent++,
			})
			.catch(fail);
		// A source that does not let go must not hold up the failure; whoever opened it closes it.
		await Promise.race([flowing, aborted]);
		const object = await written;
		if (failure !== undefined) throw failure;
		const bytes = request.expected();
		if (object?.size !== bytes) throw await lost(to, key, object?.size, bytes);
	} catch (error) {
		throw failure ?? error;
	} finally {
		stall.stop();
		duration?.stop();
		signal.removeEventListener('abort', onCancel);
	}
}

async function lost(to: Storage, key: string, found: number | undefined, bytes: number): Promise<unknown> {
	const error = new BackupError('damaged', `${to.location} kept ${found} of ${bytes} bytes of ${key}`, {
		hint: 'The storage lost bytes without saying so. Do not trust it before you know why.',
	});
	return await afterTidying(error, async () => await to.remove(key));
}

/** What Node makes the error of streams that end because another one did. */
const CLOSED = ['ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_UNABLE_TO_PIPE'];

function hasClosed(error: unknown): boolean {
	return CLOSED.includes((error as NodeJS.ErrnoException | null)?.code ?? '');
}
