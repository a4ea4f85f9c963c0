/** Chunks on their way between threads: large, and their memory is handed on or used again, and not copied. */

/** As much as a frame of the compression holds, which then compresses a chunk where it lies instead of copying it first. */
export const CHUNK_BYTES = 1024 * 1024;

/** How long bytes may wait for a chunk to fill, milliseconds: whoever watches a slow source shall see that it moves. */
export const CHUNK_PATIENCE_MS = 1000;

/** node:zlib is given room for a byte more than there is, so that it sees the end at once. */
const SPARE_BYTES = 1;

/** The bytes of a chunk, to be handed to another thread with their memory; a copy where that memory is not the chunk's alone. */
export function movable({ buffer, byteOffset, length }: Buffer): Uint8Array<ArrayBuffer> {
	const isOwn = buffer instanceof ArrayBuffer && byteOffset === 0 && buffer.byteLength - length <= SPARE_BYTES;
	return isOwn ? new Uint8Array(buffer, 0, length) : new Uint8Array(new Uint8Array(buffer, byteOffset, length));
}

/** The memory behind a chunk that came back, or null for what cannot be used again: it was no chunk, or came back before. */
export function memoryOf({ buffer }: Buffer): ArrayBuffer | null {
	return buffer instanceof ArrayBuffer && buffer.byteLength === CHUNK_BYTES ? buffer : null;
}
