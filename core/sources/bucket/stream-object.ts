/** The bytes of an object that is too large for memory, on their way into the archive. */
import { isBackupError } from '../../base/errors';
import { DEFAULT_RETRY, pauseAfter } from '../../base/retry';
import { startHashing } from '../../codecs/digest/digest';
import type { BucketObjects, OpenObject } from '../../storage/s3/objects';
import type { TarWriter } from './tar-writer';

interface Streaming {
	/** Of the version; absent for what the name means now. */
	version?: string;
	opened: OpenObject;
	/** Where the bytes go, and the chunks that are ready. */
	tar: { to: TarWriter; chunks: () => Buffer[] };
	signal: AbortSignal;
}

/**
 * Writes the bytes of an object, going on where a connection broke. One that is another meanwhile is filled up with zeros: no line of
 * the index is about them, and by hand the same name comes once more behind it.
 * @returns the SHA-256 in hexadecimal digits, or null where it was replaced or removed
 * @throws BackupError of a connection that stays broken
 */
export async function* streamObject(
	objects: BucketObjects,
	key: string,
	{ version, opened: { head, body }, tar, signal }: Streaming,
): AsyncGenerator<Buffer, string | null> {
	const hashing = startHashing('sha256', head.size);
	let done = 0;
	let failures = 0;
	try {
		for (let from = body; ; ) {
			try {
				for await (const chunk of from as AsyncIterable<Buffer>) {
					tar.to.write(chunk);
					await hashing.update(chunk);
					done += chunk.length;
					failures = 0;
					yield* tar.chunks();
				}
				return await hashing.digest();
			} catch (error) {
				// It broke behind the last byte.
				if (done === head.size) return await hashing.digest();
				await pauseAfter(error, ++failures, DEFAULT_RETRY, signal);
			}
			try {
				from = (await objects.open(key, { start: done, etag: head.etag, version, signal })).body;
			} catch (error) {
				if (!isBackupError(error, 'already-exists', 'not-found')) throw error;
				for (; done < head.size; done += tar.to.zeros(head.size - done)) yield* tar.chunks();
				return null;
			}
		}
	} finally {
		hashing.stop();
	}
}
