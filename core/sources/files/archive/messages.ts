/** What the thread that archives and the one that started it say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { GateMemory } from '../../../streams/gate.ts';
import type { ToldFault } from '../faults.ts';
import type { Bytes } from '../names.ts';

/** One folder or file to archive. */
export interface Root {
	/** As it is named in the archive: without a slash at its beginning or end. */
	path: Bytes;
	/** Where it is, links resolved. */
	real: Bytes;
}

/** What is archived, and how. */
export interface ArchiveOptions {
	/** Patterns in gitignore's syntax, relative to each root. */
	exclude: readonly string[];
	/** Leave out the contents of folders with a `CACHEDIR.TAG` or `.nobackup`. */
	skipTagged: boolean;
	/** Leave out what is on another file system than its root. */
	oneFileSystem: boolean;
	/** Leave out files that are larger, bytes. */
	maxFileBytes: number | null;
	/** Read files whose size and time are as they were, but not their inode or change time, and compare their digest. */
	compareContents: boolean;
	/** Copy SQLite databases as their transactions have them. */
	sqlite: boolean;
}

/** What the thread is given. */
export interface ArchiveJob {
	roots: readonly Root[];
	options: ArchiveOptions;
	/** Unpacked indexes of what this backup builds on, newest first; none for a full one. */
	bases: readonly string[];
	/** Where to write the index; null: look only, read and write nothing. */
	indexFile: string | null;
	/** For copies of databases. */
	folder: string;
	gate: GateMemory;
}

/** Counts of an archive. */
export interface ArchiveSummary {
	roots: Array<{ path: string; mounted: boolean; entries: number; bytes: number }>;
	counts: Record<string, number>;
	bytes: number;
	stored: { entries: number; bytes: number; gone: number };
	named: Array<{ path: string; why: string }>;
	remarks: Record<string, number>;
	/** Of a bucket with its versions: those that are not current, their bytes, and delete markers. The counts above are of what is current. */
	versions?: { count: number; bytes: number; markers: number };
	/** Something that was there could not be stored as it was. */
	incomplete: boolean;
	/** Where nothing is written: what would take the most space, largest first. */
	largest?: { files: Sized[]; folders: Sized[] };
}

/** Something that takes space; of a folder, the files that lie right in it. */
export interface Sized {
	path: string;
	bytes: number;
}

/** From the thread. */
export type ArchiveMessage =
	| { kind: 'output'; bytes: Uint8Array<ArrayBuffer> }
	| { kind: 'progress'; entries: number; bytes: number }
	| { kind: 'database'; from: Bytes; answer: MessagePort }
	| { kind: 'end'; summary: ArchiveSummary }
	| { kind: 'fault'; fault: ToldFault };

/** To the thread: memory that can be used again. */
export type RecycledBuffer = ArrayBuffer;
