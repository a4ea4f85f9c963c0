/** The bytes of a body that is being written: how every storage reads its input. */
import type { Readable } from 'node:stream';
import { abortError, BackupError } from '../base/errors';

/**
 * Takes over a body; call it before the first `await` of a write, so that an error of the body at any time is seen here
 * and never goes unhandled. Iterating throws the body's own error, or the signal's reason once it is aborted. Whoever
 * leaves the loop early has destroyed the body; one who never starts it calls `discard`, which may always be called.
 * @throws BackupError 'invalid-input' while iterating, when the body was read before: it would be stored as empty
 */
export function takeBody(body: Readable, signal?: AbortSignal) {
	const spent = body.readableEnded;
	const stop = () => body.destroy(signal && abortError(signal));
	// The iteration below throws the error; without a listener, one before its start would end the process.
	body.once('error', () => signal?.removeEventListener('abort', stop));
	body.once('close', () => signal?.removeEventListener('abort', stop));
	if (signal?.aborted) stop();
	else signal?.addEventListener('abort', stop, { once: true });

	return {
		async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
			if (signal?.aborted) throw abortError(signal);
			if (spent) throw new BackupError('invalid-input', 'the stream to store was already read to its end');
			try {
				for await (const chunk of body) yield toBytes(chunk);
			} catch (error) {
				throw isClosedEarly(error) ? closedEarly(error) : error;
			}
			// A body that was destroyed for the signal must not look like one that ended.
			if (signal?.aborted && !body.readableEnded) throw abortError(signal);
		},
		discard: () => void body.destroy(),
	};
}

function isClosedEarly(error: unknown): boolean {
	return (error as NodeJS.ErrnoException | null)?.code === 'ERR_STREAM_PREMATURE_CLOSE';
}

function closedEarly(cause: unknown): BackupError {
	return new BackupError('incomplete', 'the stream to store was closed before its end', { cause });
}

function toBytes(chunk: unknown): Uint8Array {
	if (typeof chunk === 'string') return Buffer.from(chunk);
	if (ArrayBuffer.isView(chunk)) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
	throw new BackupError('invalid-input', 'the stream to store gave something else than bytes');
}
