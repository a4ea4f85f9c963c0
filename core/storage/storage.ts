/**
 * The contract every storage keeps: a flat set of named objects, each written once and whole.
 * A storage knows nothing of backups and never logs, throttles or retries an operation of this interface by itself
 * (see RetryingStorage). `test/storage/conformance.ts` holds each sentence of this file against every implementation.
 */
import type { Readable } from 'node:stream';

/** One object as it lies in a storage. */
export interface StoredObject {
	/** Path-like name below the storage's root: segments joined by '/', see {@link assertKey}. */
	readonly key: string;
	/** Bytes. */
	readonly size: number;
	/** By the storage's own clock. */
	readonly modifiedAt: Date;
}

export interface WriteOptions {
	/** Aborting it fails the write with the signal's reason and leaves nothing behind. */
	signal?: AbortSignal;
	/** Called as bytes become safe in the storage, with the total so far. */
	onProgress?: (bytes: number) => void;
}

export interface ReadOptions {
	signal?: AbortSignal;
	/** First byte wanted, from 0. */
	start?: number;
	/** Number of bytes wanted from `start`; to the end of the object when absent. What lies beyond the end is left out. */
	length?: number;
}

export interface Space {
	/** Bytes that this process may still write. */
	free: number;
	/** Bytes in all. */
	total: number;
}

export interface Storage {
	/** For people: "s3://backups/crm", "file:///var/backups". Never a secret. */
	readonly location: string;

	/**
	 * All or nothing: the object is visible, with all its bytes, when the promise resolves. If the body errors or the
	 * signal aborts, the promise rejects with that error and nothing is left. Never overwrites. The body is read to its end
	 * or destroyed, whatever happens.
	 * @throws BackupError 'already-exists', 'storage-full', 'access-denied', 'stalled', …
	 */
	write(key: string, body: Readable, options?: WriteOptions): Promise<StoredObject>;

	/**
	 * Resolves once the object is known to exist. The stream ends only after the last wanted byte; a connection that
	 * breaks earlier errors it.
	 * @throws BackupError 'not-found'
	 */
	read(key: string, options?: ReadOptions): Promise<Readable>;

	/** Facts of one object, or null when there is none. */
	stat(key: string): Promise<StoredObject | null>;

	/** Every object whose key starts with `prefix`, by key ascending (UTF-8 byte order), all pages. */
	list(prefix: string): AsyncIterable<StoredObject>;

	/** Removes one object. That it is missing is not an error. */
	remove(key: string): Promise<void>;

	/**
	 * Removes what killed writers left below `prefix` and that is no object: temporary files, unfinished uploads.
	 * Only for a caller who knows that nobody is writing there (it holds the group's lock).
	 * @param accept whether a leftover may go, by the key it would have got; all when absent
	 * @returns how many leftovers were removed
	 */
	removeUnfinished(prefix: string, accept?: (key: string) => boolean): Promise<number>;

	/** Free and total space, or null where the storage cannot know it. */
	space(): Promise<Space | null>;

	/** Gives back sockets and timers. The storage cannot be used afterwards. */
	close(): Promise<void>;
}
