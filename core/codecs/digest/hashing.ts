/** A hash that grows with the bytes, wherever it is computed. */
export type DigestAlgorithm = 'sha256' | 'blake2b512';

/** A hash being computed. Whoever starts one stops it, in the end. */
export interface Hashing {
	/** @returns a promise when more bytes must wait for it, null when they need not */
	update(bytes: Uint8Array): Promise<void> | null;
	/** Of all bytes, in lower-case hexadecimal. Nothing can be added afterwards. */
	digest(): Promise<string>;
	stop(): void;
}
