/** Restores a bucket with its versions: in the order they had, into a bucket that keeps versions and is empty. */
import { counted } from '../../base/counted';
import { BackupError, isBackupError } from '../../base/errors';
import { sizeText } from '../../base/size-text';
import type { BucketObjects } from '../../storage/s3/objects';
import type { FilesContents } from '../files/contents';
import { entriesOf } from '../files/entries-of';
import type { MergedEntry } from '../files/merge';
import { toDisplay } from '../files/names';
import { isCurrent } from '../files/object';
import { Wanted } from '../files/restore/wanted';
import type { Comparison, OpenBackup, RestoreRun } from '../source';
import { VersionRefill } from './refill-versions';
import { assertNamed, type BucketRestored, type BucketRestoreOptions, isWanted } from './restore-options';
import { MAX_LISTED, nameIn } from './target';

/**
 * Restores all versions of the wanted objects, and compares them one by one.
 * @throws BackupError 'unsupported' where the backup has no versions, or the bucket keeps none; 'already-exists' where it is not empty;
 * 'invalid-input' where objects that are there are to be kept or replaced, and as `nameIn`
 */
export async function restoreVersions(
	objects: BucketObjects,
	{ include = [], existing = 'refuse', dryRun = false }: BucketRestoreOptions,
	backup: OpenBackup<FilesContents>,
	{ signal, onProgress, warn }: RestoreRun,
): Promise<BucketRestored> {
	if (existing !== 'refuse') {
		throw new BackupError('invalid-input', 'versions are restored into an empty bucket only', {
			hint: 'Restore into an empty bucket or prefix, or restore what was current, without versions.',
		});
	}
	assertHasVersions(backup);
	await assertFitting(objects, signal);
	const found = { objects: 0, versions: 0, markers: 0, bytes: 0, listed: [] as string[] };
	const wanted = new Wanted(include);
	for await (const versions of versionsOf(backup, wanted, signal)) {
		found.objects++;
		const name = nameIn(objects, versions[0]!.object!);
		if (found.listed.length < MAX_LISTED) found.listed.push(toDisplay(name));
		for (const { object, size } of versions) {
			if (object!.marker) found.markers++;
			else {
				found.versions++;
				found.bytes += size!;
			}
		}
	}
	assertNamed(wanted, found.objects, backup, { warn });
	if (dryRun) return { ...resultOf({ ...found, differing: 0, differences: [] }, true), listed: found.listed };
	const refill = new VersionRefill(backup, objects, { signal, onProgress });
	try {
		await refill.run(versionsOf(backup, wanted, signal));
	} catch (error) {
		const { versions, markers } = refill;
		if (versions + markers === 0 || !isBackupError(error)) throw error;
		throw error.withHint(
			`${counted(versions, 'version')} and ${counted(markers, 'delete marker')} that were restored before stay. To begin anew, restore into an empty bucket or prefix.`,
		);
	}
	const { versions, markers, bytes, comparer } = refill;
	return { ...resultOf({ ...{ objects: found.objects, versions, markers, bytes }, ...comparer }, false), listed: [] };
}

function assertHasVersions({ contents, manifest: { group, label } }: OpenBackup<FilesContents>): void {
	if (contents.versions) return;
	throw new BackupError('unsupported', `${group}/${label} has no versions: it was made without Versions Too`, {
		hint: 'Restore it without versions: it has what was current.',
	});
}

/** Whether versions can be made in a bucket, and nothing else is among them. */
async function assertFitting(objects: BucketObjects, signal: AbortSignal): Promise<void> {
	await objects.look(signal);
	if (!(await objects.keepsVersions(signal))) {
		throw new BackupError('unsupported', `versioning is not switched on in the bucket of ${objects.location}`, {
			hint: 'Switch it on, for example by `aws s3api put-bucket-versioning --bucket BUCKET --versioning-configuration Status=Enabled`: without it, each version would take the place of the one before.',
		});
	}
	for await (const [first] of objects.listVersions(signal)) {
		throw new BackupError('already-exists', `${objects.location} is not empty: it has versions of ${first!.name}`, {
			hint: 'Restore into an empty bucket, or below a prefix that has nothing: also deleted objects leave versions.',
		});
	}
}

/** The wanted objects with all of their versions, the oldest first. */
async function* versionsOf(
	backup: OpenBackup,
	wanted: Wanted,
	signal: AbortSignal,
): AsyncGenerator<MergedEntry[], void, undefined> {
	let current: MergedEntry[] = [];
	for await (const entry of entriesOf(backup, signal)) {
		const { key } = entry.object!;
		if (current.length > 0 && current[0]!.object!.key !== key) {
			yield inOrder(current);
			current = [];
		}
		if (isWanted(wanted, entry.object!)) current.push(entry);
	}
	if (current.length > 0) yield inOrder(current);
}

/** What was current comes first in an index, and was the newest. */
function inOrder(versions: MergedEntry[]): MergedEntry[] {
	const [first, ...others] = versions as [MergedEntry, ...MergedEntry[]];
	return isCurrent(first.object!) ? [...others, first] : versions;
}

interface Outcome {
	objects: number;
	versions: number;
	markers: number;
	bytes: number;
	/** Objects and versions that differ. */
	differing: number;
	differences: Comparison['differences'];
}

function resultOf({ differing, differences, ...found }: Outcome, dryRun: boolean): Omit<BucketRestored, 'listed'> {
	const { objects, versions, markers, bytes } = found;
	const figures = { objects, bytes, kept: 0, versions, markers, differences: differing };
	const what = `${counted(objects, 'object')} with ${counted(versions, 'version')} of ${sizeText(bytes)} and ${counted(markers, 'delete marker')}`;
	const says =
		differing > 0 ? `${differing} differ of ${what}` : `${what} ${dryRun ? 'would be restored' : 'as they were'}`;
	return { comparison: { ok: differing === 0, says, figures, differences }, facts: { ...figures } };
}
