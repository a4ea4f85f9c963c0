/** Streams that are small enough for memory: contents, roles, manifests. Whoever else writes to a storage may say otherwise. */
import type { Readable } from 'node:stream';

/**
 * All bytes of a stream that must not have more than a limit.
 * @param tooLarge makes the error for one that has more; the stream is destroyed, and the rest of it is never read
 * @throws what `tooLarge` makes, and the stream's own errors
 */
export async function collect(body: Readable, maxBytes: number, tooLarge: () => Error): Promise<Buffer> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of body as AsyncIterable<Buffer>) {
		bytes += chunk.length;
		if (bytes > maxBytes) throw tooLarge();
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
}
