/** Restores of archives of buckets: into a bucket, into a folder, or as a drill into a temporary one. */
import { BackupError, isBackupError } from '../../base/errors';
import { sizeText } from '../../base/size-text';
import { createTemporaryFolder, removeTemporaryFolder } from '../../base/temporary-folder';
import { BucketObjects } from '../../storage/s3/objects';
import type { FilesContents } from '../files/contents';
import { entriesOf } from '../files/entries-of';
import type { MergedEntry } from '../files/merge';
import { archiveOf } from '../files/parts';
import { filesDrill, type FilesRestored, type FilesRestoreOptions, filesRestorer } from '../files/restore/restorer';
import { Plans } from '../files/restore/plan';
import { toDisplay } from '../files/names';
import { isCurrent } from '../files/object';
import { Wanted } from '../files/restore/wanted';
import type { Comparison, Drill, OpenBackup, Restorer, RestoreRun } from '../source';
import { bucketOf } from './config';
import { BUCKET } from './kind';
import { Refill } from './refill';
import { toBucketError } from './source';
import { assertNamed, type BucketRestored, type BucketRestoreOptions, isWanted } from './restore-options';
import { restoreVersions } from './restore-versions';
import { matchTarget } from './target';

/** Restores objects into a bucket, reads each of them back, and compares it. */
export function bucketRestorer(options: BucketRestoreOptions): Restorer<FilesContents, BucketRestored> {
	const config = bucketOf(options.to);
	return {
		kind: BUCKET,
		async restore(backup, run) {
			// A key that opens the index and no data must not leave half a bucket.
			await backup.openAt(archiveOf(backup.manifest));
			const objects = new BucketObjects(
				{ ...config, stallTimeoutMs: run.stallTimeoutMs },
				options.versions ? 'restore versions' : 'restore',
			);
			const folder = await createTemporaryFolder('archive');
			try {
				if (options.versions) return await restoreVersions(objects, options, backup, run);
				return await restoreInto(objects, folder, options, backup, run);
			} catch (error) {
				throw toBucketError(error, run.signal, 'restored');
			} finally {
				objects.close();
				await removeTemporaryFolder(folder);
			}
		},
	};
}

/** Restores objects as files of a folder, named as in the archive. */
export function bucketFolderRestorer(options: FilesRestoreOptions): Restorer<FilesContents, FilesRestored> {
	return { ...filesRestorer(options), kind: BUCKET };
}

/** Restores objects as files of a temporary folder, compares every byte, and removes it again. */
export function bucketDrill(): Drill<FilesContents> {
	return { ...filesDrill(), kind: BUCKET };
}

async function restoreInto(
	objects: BucketObjects,
	folder: string,
	{ include = [], existing = 'refuse', dryRun = false }: BucketRestoreOptions,
	backup: OpenBackup<FilesContents>,
	run: RestoreRun,
): Promise<BucketRestored> {
	const { signal, warn, onProgress } = run;
	await objects.look(signal);
	const plans = new Plans(folder);
	const wanted = new Wanted(include);
	const found = await matchTarget(objects, wantedOf(backup, wanted, signal), {
		signal,
		add: (entry) => plans.add(entry),
		existing,
	});
	assertNamed(wanted, found.wanted, backup, run);
	if (existing === 'refuse' && found.there > 0) {
		const first = `${objects.location}/${toDisplay(found.first!)}`;
		throw new BackupError(
			'already-exists',
			`${found.there} of ${found.wanted} objects are there already: ${first}${found.there > 1 ? ', …' : ''}`,
			{
				hint: 'Restore into another bucket or prefix, or say what is to become of them: keep them, and restore what is missing; or replace them.',
			},
		);
	}
	const kept = existing === 'keep' ? found.there : 0;
	if (kept > 0) warn(`${kept} of ${found.wanted} objects are there already, and stay as they are`);
	if (dryRun)
		return resultOf({ objects: found.objects, bytes: found.bytes, kept, listed: found.listed, differences: [] });
	const refill = new Refill(backup, objects, { signal, onProgress, replace: existing === 'replace' });
	try {
		for (const plan of plans.end()) await refill.run(plan);
	} catch (error) {
		throw refill.objects > 0 && isBackupError(error) ? error.withHint(whatRemains(refill.objects)) : error;
	}
	const { objects: count, bytes, comparer } = refill;
	return resultOf({ objects: count, bytes, kept, ...comparer });
}

async function* wantedOf(
	backup: OpenBackup,
	wanted: Wanted,
	signal: AbortSignal,
): AsyncGenerator<MergedEntry, void, undefined> {
	for await (const entry of entriesOf(backup, signal)) {
		if (!entry.object || (isCurrent(entry.object) && isWanted(wanted, entry.object))) yield entry;
	}
}

function whatRemains(count: number): string {
	const stays =
		count === 1 ? '1 object that was restored before stays' : `${count} objects that were restored before stay`;
	return `${stays}, whole. To go on, restore again, and keep what is there.`;
}

interface Outcome {
	objects: number;
	bytes: number;
	kept: number;
	differences: Comparison['differences'];
	/** Objects that differ. */
	differing?: number;
	/** Of a dry run. */
	listed?: string[];
}

function resultOf({ objects, bytes, kept, differences, differing = 0, listed }: Outcome): BucketRestored {
	const figures = { objects, bytes, kept, differences: differing };
	const what = `${objects} ${objects === 1 ? 'object' : 'objects'} of ${sizeText(bytes)}`;
	const says =
		differing > 0 ? `${differing} of ${what} differ` : `${what} ${listed ? 'would be restored' : 'as they were'}`;
	const comparison: Comparison = { ok: differing === 0, says, figures, differences };
	return { comparison, facts: { ...figures }, listed: listed ?? [] };
}
