/** What is known when a plan is made, and what the plan says. */
import type { BackupEntry } from '../records/catalog';
import type { Loss } from '../records/manifest';
import type { Risk } from './rules';

/** What is known of a backup when its future is decided. */
export interface BackupFacts extends BackupEntry {
	/** What its manifest says was lost and nobody has approved; absent where it says nothing, or was not read. */
	shrunk?: readonly Loss[];
}

/** What is known of a group besides its backups. */
export interface GroupContext {
	/** Start of the newest run that should have made a backup of this group and failed. */
	lastFailure?: Date | null;
	/** Backups that were found to be none that anybody can read, and why, by label. */
	unreadable?: ReadonlyMap<string, string>;
	/** Backups with evidence that says nothing of them, and why, by label; it is not among their facts any more. */
	unreadableEvidence?: ReadonlyMap<string, string>;
}

/** Why nothing of a group expires. */
export interface Blocked {
	/** `unreadable` cannot be allowed. */
	risk: Risk | 'unreadable';
	message: string;
	/** What to do instead, and what allowing it would risk. */
	hint: string;
}
