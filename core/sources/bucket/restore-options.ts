/** What is wanted of a restore into a bucket, and what comes of it. */
import { BackupError } from '../../base/errors';
import type { StorageConfig } from '../../storage/config';
import { fromText } from '../files/names';
import type { ObjectFacts } from '../files/object';
import { unmatchedWarning, Wanted } from '../files/restore/wanted';
import type { OpenBackup, Restored, RestoreRun } from '../source';
import type { Existing } from './target';

export interface BucketRestoreOptions {
	/** The bucket; below its prefix, objects keep their whole names. */
	to: StorageConfig;
	/**
	 * Patterns in gitignore's syntax of what is wanted, by the names that objects have in the bucket; one that names a folder names all that
	 * is in it. All when empty.
	 */
	include?: readonly string[];
	/** @default 'refuse': nothing is written where one of them is there already */
	existing?: Existing;
	/**
	 * Also versions that were not current, and delete markers, in their order: into a bucket that keeps versions and has none below the
	 * prefix.
	 */
	versions?: boolean;
	/** Write nothing: say what would be restored. */
	dryRun?: boolean;
}

/** What came of a restore into a bucket. */
export interface BucketRestored extends Restored {
	/** Of a dry run: the first thousand objects. */
	listed: string[];
}

/** Whether an object is wanted, with all of its versions: by its own name, not by that of its file in the archive. */
export function isWanted(wanted: Wanted, { key }: ObjectFacts): boolean {
	return wanted.has(fromText(key), false);
}

/**
 * Warns of patterns that name nothing.
 * @param wanted what was asked about every object
 * @param count objects that are wanted
 * @throws BackupError 'not-found' where none of the patterns names anything
 */
export function assertNamed(
	wanted: Wanted,
	count: number,
	{ manifest: { group, label } }: OpenBackup,
	{ warn }: Pick<RestoreRun, 'warn'>,
): void {
	const { include, unmatched } = wanted;
	if (count > 0 || include.length === 0) {
		if (unmatched.length > 0) warn(unmatchedWarning(unmatched, `${group}/${label}`));
		return;
	}
	throw new BackupError('not-found', `nothing in ${group}/${label} has a name like ${include.join(', ')}`, {
		hint: 'List what is inside. A pattern is as in a .gitignore, e.g. /photos/2026/, and names objects as they are called in the bucket: lists show a few odd names escaped.',
	});
}
