/** A stream of a known number of bytes: it ends after the last of them and in no other way. */
import { Readable } from 'node:stream';
import { abortError, BackupError } from '../base/errors';

export interface ExactOptions {
	signal?: AbortSignal;
	/** Turns an error of the source into the one to throw. */
	toError: (error: unknown) => Error;
	/** What it means that the source ended or closed before its last byte, or gave more. */
	onWrongLength: (received: number) => BackupError;
}

/** Passes on exactly `size` bytes of a source and ends, or errors. Destroying it destroys the source. */
export function exactly(source: Readable, size: number, options: ExactOptions): Readable {
	const { signal } = options;
	let received = 0;
	let ended = false;
	const result = new Readable({
		read: () => void source.resume(),
		destroy(error, done) {
			signal?.removeEventListener('abort', onAbort);
			source.destroy();
			done(error);
		},
	});
	const onAbort = () => signal && result.destroy(abortError(signal));
	// Both 'end' and 'close' come by; a source that closes without having ended only closes.
	const finish = () => {
		if (ended || result.destroyed) return;
		ended = true;
		if (received === size) result.push(null);
		else result.destroy(options.onWrongLength(received));
	};

	source.pause();
	source.on('data', (chunk: Buffer) => {
		received += chunk.length;
		if (received > size) finish();
		else if (!result.push(chunk)) source.pause();
	});
	source.once('end', finish);
	source.once('close', finish);
	source.on('error', (error) => result.destroy(options.toError(error)));
	// Whoever asked for it may have given up waiting; unheard, the error would end the process.
	result.on('error', () => undefined);
	if (signal?.aborted) onAbort();
	else signal?.addEventListener('abort', onAbort, { once: true });
	return result;
}

/**
 * The first byte and the number of bytes that a range means for an object of `size` bytes: cut at the object's end.
 * @throws BackupError 'invalid-input'
 */
export function resolveRange(
	range: { start?: number; length?: number },
	size: number,
): { start: number; length: number } {
	assertRange(range);
	const start = Math.min(range.start ?? 0, size);
	return { start, length: Math.min(range.length ?? size, size - start) };
}

/** @throws BackupError 'invalid-input' */
export function assertRange(range: { start?: number; length?: number }): void {
	const { start = 0, length = 0 } = range;
	if (!Number.isSafeInteger(start) || !Number.isSafeInteger(length) || start < 0 || length < 0) {
		throw new BackupError('invalid-input', `cannot read ${length} bytes from byte ${start}`);
	}
}
