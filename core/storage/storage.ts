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

/** A lock on an object: before its time nobody may remove or change it (S3's Object Lock). */
export interface Protection {
	/** Storages may keep it to the second; then they round up. */
	until: Date;
	/** `governance`: a key with a right of its own for that can lift the lock. `compliance`: nobody can. */
	mode: 'governance' | 'compliance';
}

/** What a killed writer left, and that is no object. */
export interface Unfinished {
	/** The key it would have got. */
	readonly key: string;
	/** When its writing began, or, where the storage only knows that, when it last grew. */
	readonly startedAt: Date;
}

export interface WriteOptions {
	/** Aborting it fails the write with the signal's reason and leaves nothing behind. */
	signal?: AbortSignal;
	/** Called as bytes become safe in the storage, with the total so far. */
	onProgress?: (bytes: number) => void;
	/** Called as bytes leave for the storage, where many of them become safe at once: a slow storage is no silent one. */
	onMoved?: () => void;
	/** The object is protected when the promise resolves. 'unsupported' where the storage cannot, before a byte is written. */
	protect?: Protection;
}

/** The locks of a storage's objects. */
export interface Protecting {
	/**
	 * Protects an object for longer, or from now on. Never shortens, and never makes compliance governance.
	 * @throws BackupError 'not-found', 'unsupported' where the storage, or only this bucket, cannot
	 */
	extend(key: string, protection: Protection): Promise<void>;

	/**
	 * Until when an object is protected; null when it is not (any more), or is not there.
	 * @throws BackupError 'access-denied' where that cannot be known; `remove` finds out all the same
	 */
	until(key: string): Promise<Date | null>;
}

/** What every call of a storage takes. */
export interface CallOptions {
	/**
	 * Aborting it ends the call at once with the signal's reason. When it was aborted before, nothing is done. A removal that
	 * is under way may still take place.
	 */
	signal?: AbortSignal;
}

export interface ReadOptions extends CallOptions {
	/** First byte wanted, from 0. */
	start?: number;
	/** Number of bytes wanted from `start`; to the end of the object when absent. What lies beyond the end is left out. */
	length?: number;
}

/**
 * What becomes of the condition that there be no object of that name: `kept`, or the server ignores it, or refuses it. Without it,
 * two writers of one key in the same moment can both succeed, and the later one's object stays.
 */
export type OnlyIfAbsent = 'kept' | 'ignored' | 'refused';

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
	stat(key: string, options?: CallOptions): Promise<StoredObject | null>;

	/** Every object whose key starts with `prefix`, by key ascending (UTF-8 byte order), all pages. */
	list(prefix: string, options?: CallOptions): AsyncIterable<StoredObject>;

	/**
	 * Removes one object, with all versions that the storage keeps of it. That it is missing is not an error.
	 * @throws BackupError 'protected' before the time of its lock has come (`details.until`, ISO 8601; absent for locks
	 * without an end); then the object stays visible
	 */
	remove(key: string, options?: CallOptions): Promise<void>;

	/**
	 * Set where nothing can be removed, because whoever takes over this machine shall not be able to either: `remove` fails at
	 * once. There are no locks then, and nothing else that has to go again.
	 */
	readonly appendOnly?: boolean;

	/** Locks on objects, or null where this kind of storage has none. */
	readonly protection: Protecting | null;

	/**
	 * Removes what killed writers left below `prefix` and that is no object: temporary files, unfinished uploads.
	 * Only for a caller who knows that nobody is writing there (it holds the group's lock).
	 * @param accept whether a leftover may go, by its facts as `unfinished` gives them; all when absent
	 * @returns how many leftovers were removed
	 */
	removeUnfinished(prefix: string, accept?: (key: string, startedAt: Date) => boolean): Promise<number>;

	/** What `removeUnfinished` would remove: also what a living writer is at just now. */
	unfinished(prefix: string): AsyncIterable<Unfinished>;

	/**
	 * Whether something below `prefix` was deleted and is kept all the same, as in a bucket with versions. Absent where nothing is.
	 * @throws BackupError 'access-denied' where that cannot be known
	 */
	hasDeleted?(prefix: string, options?: CallOptions): Promise<boolean>;

	/**
	 * Finds out whether of several writers of one key at the same moment only one succeeds. Absent where that is so for certain.
	 * @param key of an object that is there, made for this: it may be written over
	 */
	readonly onlyIfAbsent?: ((key: string, options?: CallOptions) => Promise<OnlyIfAbsent>) | undefined;

	/**
	 * The storages in which this one lies, nearest first, with the same keys: the folders or prefixes above it. Each is to be closed. Absent
	 * where nothing lies above.
	 */
	outer?(): Storage[];

	/** Free and total space, or null where the storage cannot know it. */
	space(options?: CallOptions): Promise<Space | null>;

	/** Gives back sockets and timers. The storage cannot be used afterwards. */
	close(): Promise<void>;
}
