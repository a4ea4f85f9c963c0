/** What a status is made of: all that was read of the storages, before anything is judged. */
import type { BackupEntry } from '../../records/catalog';
import type { JournalRun } from '../../records/journal/journal';
import type { Loss, Manifest } from '../../records/manifest';

/** A backup whose manifest was read. */
export interface ReadBackup {
	entry: BackupEntry;
	manifest: Manifest;
	/** SHA-256 of the manifest's text. */
	sha256: string;
}

/** A backup by its name that cannot be used. */
export interface Unusable {
	label: string;
	why: string;
	/** Its signature is missing, wrong, or of somebody who is not trusted. */
	notAuthentic: boolean;
}

/** A restore that was a proof. */
export interface DrillFacts {
	label: string;
	/** Milliseconds since 1970. */
	at: number;
	/** How long the restore took; null where its evidence does not say. */
	seconds: number | null;
}

/** What one storage holds of one group. */
export interface GroupFacts {
	group: string;
	/** All of them, oldest first, as their names tell. */
	entries: readonly BackupEntry[];
	/** The newest whose manifest can be read; null where there is none. */
	newest: ReadBackup | null;
	/** Newer than that, and not to be read. */
	unusable: readonly Unusable[];
	/** The newest that is proved, by evidence that was read. */
	proved: { entry: BackupEntry; at: number; depth: string } | null;
	/** The newest proof by a restore. */
	drill: DrillFacts | null;
	/** What the newest says was lost and nobody has approved. */
	losses: readonly Loss[];
	/** Some of the newest, newest last. */
	recent: readonly ReadBackup[];
}

/** What was read of one storage. */
export interface StorageFacts {
	/** Where it is, for people; never a secret. */
	location: string;
	/** Of the repository; null where it has lost that, or cannot be looked at. */
	repository: string | null;
	groups: readonly GroupFacts[];
	/** Runs that started since `runsSince`, oldest first. */
	runs: readonly JournalRun[];
	runsSince: Date;
	/** Null where the storage cannot know. */
	space: { free: number; total: number } | null;
	/** Bytes of all backups and of what is left of unfinished ones. */
	usedBytes: number;
	leftovers: { count: number; lost: readonly string[] };
	/** What cannot be read of the storage itself, in words. */
	problems: readonly string[];
}
