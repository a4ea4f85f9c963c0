/**
 * The contract of a source: where a backup's bytes come from (a database, files, a bucket), how they are read again, and how
 * they are restored. The verbs know nothing else of a source. Methods instead of functions in the interfaces below, so that
 * a list can hold kinds of different contents.
 */
import type { Readable } from 'node:stream';
import type { BackupError } from '../base/errors';
import type { BackupType } from '../records/label';
import type { Loss, Manifest, PartRole, StoredPart } from '../records/manifest';
import type { Repository } from '../records/repository';
import type { BackupFacts } from '../retention/facts';
import type { GroupPlan } from '../retention/plan';
import type { RandomAccess } from '../streams/random-access';

/** Facts of a source that may stand in the clear beside the backup: engine and versions, never names or secrets. */
export type SourceDetails = Record<string, string | number | boolean | null>;

/** Some of the bytes of a source, which become one object of the backup. */
export interface SourcePart {
	role: PartRole;
	/** The object's name without the extensions of the codecs, e.g. `dump.sql`. */
	name: string;
	/**
	 * Ends only when the source gave everything; any failure errors it. Its chunks belong to the consumer until it gives
	 * them back.
	 */
	body: Readable;
	/** Takes a chunk of `body` back, whose memory the source uses again; absent where it does not. Then it is freed. */
	recycle?: (chunk: Buffer) => void;
}

/** What a source says of itself after its last part. */
export interface SourceFacts {
	details: SourceDetails;
	warnings: string[];
	/** It could not give everything; the warnings say what is missing. */
	incomplete?: boolean;
	/** What there is much less of than in the newest backup of the group; absent where there is nothing. See core/sources/shrunk.ts. */
	shrunk?: Shrunk[];
	/** Warnings with names of the source: for whoever runs it, and stored nowhere. */
	named?: string[];
}

/** Something of which a source has much less than before. */
export type Shrunk = Pick<Loss, 'what' | 'from' | 'to'>;

/** A source from which a backup is being made. */
export interface OpenSource {
	/** What the backup is; that which was asked for when absent. A source that cannot build on `base` makes it `full`. */
	readonly type?: BackupType;
	/** Which server it is, as it may stand in the clear; null or absent where that is not known. */
	readonly server?: string | null;
	/**
	 * Gives the parts one after the other; the next one is asked for when the body before has ended and was stored. The last
	 * one is `contents`, and there is no other of that role.
	 */
	parts(): AsyncIterable<SourcePart>;
	/**
	 * Ends the source after its last part.
	 * @throws BackupError when the bytes cannot be trusted after all
	 */
	finish(): Promise<SourceFacts>;
	/** Gives back connections. Safe at any time, also after `finish`. */
	close(): Promise<void>;
}

/** Where a backup's bytes come from. */
export interface Source {
	/** A name of the registry. */
	readonly kind: string;
	/** Why its backups may not be stored in the clear, as a sentence; absent where they may. */
	readonly mustEncrypt?: string;
	/**
	 * Opens it.
	 * @param options.base what a differential or incremental backup builds on; null for a full one
	 * @param options.previous the newest backup of the group; null where there is none
	 * @param options.readPrevious reads the contents of that one; null where there is none, or no key at hand that opens them
	 * @param options.stallTimeoutMs how long it may wait for an answer, also later, milliseconds
	 * @returns null where nothing has come since `previous`, of sources that can say so
	 * @throws BackupError when it cannot be opened; then nothing is left open
	 */
	open(options: {
		signal: AbortSignal;
		stallTimeoutMs?: number;
		base: OpenBackup | null;
		previous: Manifest | null;
		readPrevious?: () => Promise<unknown>;
	}): Promise<OpenSource | null>;
}

/** A backup that can be read: its key fits, and its contents are as they were written. */
export interface OpenBackup<Contents = unknown> {
	readonly manifest: Manifest;
	readonly contents: Contents;
	/** The backups that it needs, nearest first. */
	readonly parents: ReadonlyArray<OpenBackup<Contents>>;
	/**
	 * Opens one of its parts. The stream ends only when every byte came back as it was stored.
	 * @throws BackupError 'not-found'; the stream errors with 'damaged', 'wrong-identity', 'stalled', …
	 */
	readonly open: (part: StoredPart) => Promise<Readable>;
	/**
	 * Opens one of its parts for reading at any place. What is read is as it was stored, or an error; what is not read is not looked at.
	 * @throws BackupError as `open`
	 */
	readonly openAt: (part: StoredPart) => Promise<RandomAccess>;
}

/** Whether what was restored is what was backed up. */
export interface Comparison {
	/** Nothing differs. */
	ok: boolean;
	/** What was found, lower case, without a name of anything: "3 tables with 20 rows". */
	says: string;
	/** What was counted, for programs: tables, rows, files, … */
	figures: Record<string, number>;
	/** Each thing that differs, with its name. */
	differences: Difference[];
}

/** One thing that is not as it was backed up. */
export interface Difference {
	/** For people: a table, a file. */
	item: string;
	expected: string;
	found: string;
}

/** What is checked while the data of a backup passes: whether they go to their end, and are what the contents say. */
export interface DataCheck {
	/** @throws BackupError 'damaged' when they are not what the contents say */
	add(chunk: Buffer): void | Promise<void>;
	/** @throws BackupError 'incomplete' when the end is missing */
	end(): void | Promise<void>;
	/** Gives back what it holds; called in any case. */
	close?(): void;
}

/** What the verbs must know of a kind of source to read its backups. */
export interface SourceKind<Contents = unknown> {
	/** The word in manifests. */
	readonly kind: string;
	/** For people: "a database". */
	readonly noun: string;
	/**
	 * Reads what a backup must hold.
	 * @param backup its group and label, for messages
	 * @throws BackupError 'damaged' when it is not what such a source writes, or larger
	 */
	readContents(body: Readable, backup: string): Promise<Contents>;
	/** Begins to look at the bytes of a part of the role `data`. */
	checkData(backup: OpenBackup<Contents>, part: StoredPart): DataCheck | Promise<DataCheck>;
	/**
	 * Whose fault it is that a backup could not be restored, when its bytes are as they were stored. `unknown` where the error
	 * itself does not tell.
	 */
	classify(error: BackupError): 'backup' | 'environment' | 'unknown';
	/** Decides which backups stay, of kinds that others need; absent where a policy decides. */
	retention?: {
		/** Whether a group is called as groups of this kind are. */
		isGroup: (group: string) => boolean;
		/**
		 * Plans for one group, of which there is at least one backup.
		 * @returns null where the group holds backups of another kind
		 * @throws BackupError of the storage
		 */
		plan: (repository: Repository, members: readonly BackupFacts[], signal: AbortSignal) => Promise<GroupPlan | null>;
	};
	/** What an error of a restore may say where everybody can read it: without names of the source. */
	withoutNames(error: BackupError): string;
}

/** How a restore or a drill tells how far it is. */
export interface RestoreProgress {
	/** For people: "restoring", "comparing". */
	phase: string;
	/** Of the data, so far, as the source gave it. */
	bytes: number;
	/** Of the kind of source: statements, rows. */
	figures?: Record<string, number>;
}

/** What a restore or a drill is under. */
export interface RestoreRun {
	signal: AbortSignal;
	/** How long any other side may say nothing, milliseconds. */
	stallTimeoutMs: number;
	onProgress: (progress: RestoreProgress) => void;
	warn: (text: string) => void;
	/** Other backups that the restore was asked to use, opened one after the other; absent where there are none. */
	alongside?: AsyncIterable<OpenBackup>;
}

/** What came of a restore. */
export interface Restored {
	comparison: Comparison;
	/** For the journal, which is in the clear. */
	facts: SourceDetails;
}

/** Restores backups of one kind to one place. */
export interface Restorer<Contents = unknown, Result extends Restored = Restored> {
	readonly kind: string;
	/**
	 * Restores, and compares. What differs is a result and no error.
	 * @throws BackupError; what was there before is as it was, or the error says what is not
	 */
	restore(backup: OpenBackup<Contents>, run: RestoreRun): Promise<Result>;
}

/** What came of a restore that was only a test. */
export interface DrillResult {
	/** Where it was restored to, for people. */
	scratch: string;
	/** From the empty place to the whole one. */
	restoreSeconds: number;
	comparison: Comparison;
	assertions: AssertionResult[];
}

/** What a user asked a restored backup, and whether it held. */
export interface AssertionResult {
	name: string;
	ok: boolean;
	/** Why it failed; null when it held. */
	message: string | null;
	/** What was found, lower case, without a name of anything: "41 of 41 credentials open"; absent where there is nothing to say. */
	says?: string;
	/** What was counted, for programs. */
	figures?: Record<string, number>;
	/** What to do where it failed, as a sentence. */
	hint?: string;
}

/**
 * A question of a program to what was restored. Looks at the backup before anything is restored, and gives what is to be asked then; null
 * where the backup is none that it is about.
 */
export type Check<Contents, Place> = (
	backup: OpenBackup<Contents>,
	run: Pick<RestoreRun, 'signal' | 'warn'>,
) => Promise<((restored: Place) => Promise<AssertionResult>) | null>;

/** Restores backups of one kind into a place of its own, compares, and removes it again, whatever happens. */
export interface Drill<Contents = unknown> {
	readonly kind: string;
	/**
	 * Restores as a test. Reads all data of the backup to its end. That it differs is a result and no error.
	 * @throws BackupError
	 */
	run(backup: OpenBackup<Contents>, run: RestoreRun): Promise<DrillResult>;
}
