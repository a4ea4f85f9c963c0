/** Chunks on their way from what makes bytes to the compression: large, and used again. */

/** As much as a frame of the compression holds, which then compresses a chunk where it lies instead of copying it first. */
export const CHUNK_BYTES = 1024 * 1024;

/** How long bytes may wait for a chunk to fill, milliseconds: whoever watches a slow source shall see that it moves. */
export const CHUNK_PATIENCE_MS = 1000;

/** The memory behind a chunk that came back, or null for what cannot be used again: it was no chunk, or came back before. */
export function memoryOf({ buffer }: Buffer): ArrayBuffer | null {
	return buffer instanceof ArrayBuffer && buffer.byteLength === CHUNK_BYTES ? buffer : null;
}
