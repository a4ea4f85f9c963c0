/** What the thread that writes a cluster's files and the one that reads the storage say to each other. */
import type { ErrorCode } from '../../../../../base/errors.ts';

/** One thing to do, after those that were told before it. Paths are absolute; `from` and `to` are places in the bytes beside it. */
export type Deed =
	| { kind: 'folder'; path: string; mode: number }
	/** The bytes that follow are all of it. One that is there is replaced. */
	| { kind: 'file'; path: string; mode: number }
	/** The bytes that follow are what an incremental backup has of a file that is there. */
	| { kind: 'blocks'; path: string }
	| { kind: 'bytes'; from: number; to: number }
	/** Of the file that was begun last. */
	| { kind: 'end' }
	/** Into a file of the log, which is made `size` bytes long. */
	| { kind: 'log'; path: string; size: number; at: number; from: number; to: number };

/** To the thread. Each is answered. */
export interface ToWriter {
	deeds: readonly Deed[];
	bytes: Uint8Array<ArrayBuffer>;
}

/** From the thread. */
export type FromWriter =
	| { kind: 'took' }
	/** Nothing comes after it. `code` of ours, or else `system`: that of the file system. */
	| { kind: 'failed'; message: string; hint?: string; code?: ErrorCode; system?: string };
