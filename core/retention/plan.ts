/** What a policy keeps and expires, and why: decided from a list and a time alone, for each group by itself. */
import type { BackupEntry } from '../survey';
import type { RetentionPolicy, Risk } from './rules';

/** What is known of a backup when its future is decided. */
export interface BackupFacts extends BackupEntry {
	/**
	 * Labels of the same group that it needs. Null when that is not known: then everything back to the last full backup
	 * before it counts as needed. That of a full backup is never unknown: it needs nothing.
	 */
	parents: readonly string[] | null;
}

/** What is known of a group besides its backups. */
export interface GroupContext {
	/** Start of the newest run that should have made a backup of this group and failed. */
	lastFailure?: Date | null;
}

export interface PlannedBackup {
	label: string;
	startedAt: Date;
	storedBytes: number;
	action: 'keep' | 'expire';
	/** Why, for people; never empty. Those that only a blocked plan keeps begin with "held: ". */
	reasons: string[];
	/** The earliest time the policy lets go of it if backups go on; null when no end is known, and for what expires. */
	keptUntil: Date | null;
}

/** Why nothing of a group expires. */
export interface Blocked {
	risk: Risk;
	message: string;
	/** What to do instead, and what allowing it would risk. */
	hint: string;
}

export interface GroupPlan {
	group: string;
	/** Oldest first, every one. */
	backups: PlannedBackup[];
	blocked: Blocked[];
	warnings: string[];
	keptBytes: number;
	freedBytes: number;
	/** Which kept one goes first if backups go on; null when none is known to, and while the plan is blocked. */
	nextExpiry: { label: string; at: Date } | null;
}

export interface RetentionPlan {
	groups: GroupPlan[];
}

/**
 * Plans for any number of groups. Changes nothing, and depends on nothing but its arguments.
 * @param contexts by group
 * @throws BackupError 'invalid-input' for a policy or a time that cannot be used, two backups of one name, or a plan that
 * would keep nothing of a group
 */
export function planRetention(
	_backups: readonly BackupFacts[],
	_policy: RetentionPolicy,
	_now: Date,
	_contexts: ReadonlyMap<string, GroupContext> = new Map(),
): RetentionPlan {
	throw new Error('not written yet');
}
