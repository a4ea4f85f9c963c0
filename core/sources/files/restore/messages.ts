/** What the thread that restores and the one that reads the storage say to each other. */
import type { ToldFault } from '../faults.ts';
import type { Bytes } from '../names.ts';

/** Who owns what is restored: whoever restores, or the owners of then by number, or by name where this host has it. */
export type Owners = 'no' | 'numbers' | 'names';

/** What the thread is given. */
export interface RestoreJob {
	/** The folder to restore into; it exists. */
	to: Bytes;
	/** Unpacked indexes of the chain, newest first. */
	indexes: readonly string[];
	/** Patterns in gitignore's syntax of what is wanted; all of it when empty. */
	include: readonly string[];
	owners: Owners;
	/** Of a bucket: also versions that were not current, and delete markers. */
	versions: boolean;
	/** What is there already is replaced. */
	overwrite: boolean;
	/** Look only. */
	dryRun: boolean;
	/** Read everything back and compare it. */
	compare: boolean;
	/** For plans. */
	folder: string;
	/** Name of the folder in it where files are written before they get their names. */
	temporary: Bytes;
	/** Shared: its one number is how many files have their names by now, whatever becomes of the thread. */
	files: Int32Array;
}

/** What is wanted of one backup of the chain. */
export interface HolderPlan {
	/** How far from the last backup. */
	holder: number;
	/** Lines of JSON, one merged entry each, in the order of the view; contents that are shared point back. */
	file: string;
	files: number;
	bytes: number;
}

/** Entries by what became of them. */
export interface RestoreSummary {
	counts: Record<string, number>;
	bytes: number;
	/** Things that could not be made here, with why; at most a hundred. */
	notRestored: Array<{ path: string; why: string }>;
	notRestoredCount: number;
	differences: Array<{ item: string; expected: string; found: string }>;
	differencesCount: number;
	/** Of a dry run: the first thousand entries. */
	listed: string[];
	/** Patterns that name nothing. */
	unmatched: string[];
}

/** To the thread, in this order: for each plan `begin`, its bytes, `end`; then `finish`. */
export type ToRestorer =
	| { kind: 'begin'; plan: HolderPlan }
	| { kind: 'data'; at: number; bytes: Uint8Array<ArrayBuffer> }
	| { kind: 'end' }
	| { kind: 'finish' };

/** From the thread. */
export type FromRestorer =
	| { kind: 'plans'; plans: HolderPlan[] }
	/** What was sent last has been written. */
	| { kind: 'took' }
	/** The answer to `end`: what of this plan must be read once more, since it lies before what was read. */
	| { kind: 'again'; plan: HolderPlan | null }
	| { kind: 'phase'; phase: string }
	| { kind: 'done'; summary: RestoreSummary }
	| { kind: 'fault'; fault: ToldFault };
