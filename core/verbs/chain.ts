/** A backup and all that it needs for a restore: their manifests, verbatim. */
import { createHash } from 'node:crypto';
import { BackupError, isBackupError } from '../base/errors';
import { parseLabel } from '../records/label';
import type { Manifest } from '../records/manifest';
import type { Repository } from '../records/repository';
import { readText } from '../records/small-objects';
import { objectKey, MANIFEST } from '../records/layout';
import { BadBackup } from './verify/failure';
import { findManifest, type SeenManifest } from './verify/manifest';

/** A chain of incremental backups this long would take weeks to restore. */
const MAX_CHAIN = 1000;

/** A backup by its manifest. */
export interface SourceBackup {
	manifest: Manifest;
	/** The manifest, verbatim. */
	text: string;
}

/**
 * Reads the manifests of a backup and of all that it needs, parents before children.
 * @param hold called with each label before it is read
 * @throws BackupError 'not-found' also when a parent is missing, 'incomplete', 'invalid-manifest' also for parents in a
 * circle, 'newer-format'
 */
export async function readChain(
	from: Repository,
	group: string,
	label: string,
	hold: (label: string) => Promise<void>,
	signal: AbortSignal,
): Promise<SourceBackup[]> {
	const found = new Map<string, SourceBackup>();
	const visit = async (current: string, children: readonly string[]): Promise<void> => {
		const child = children.at(-1);
		if (children.includes(current)) throw unusable(from, group, current, 'needs itself');
		if (found.has(current)) return;
		if (found.size + children.length >= MAX_CHAIN) throw unusable(from, group, label, `needs over ${MAX_CHAIN} others`);
		if (!parseLabel(current)) throw unusable(from, group, child ?? current, 'names a parent that is not a label');
		await hold(current);
		const backup = await readBackup(from, group, current, signal).catch((error: unknown) => {
			throw child === undefined ? error : withoutParent(error, `${group}/${child}`, current);
		});
		for (const parent of backup.manifest.parents.toReversed()) await visit(parent, [...children, current]);
		found.set(current, backup);
	};
	await visit(label, []);
	return [...found.values()];
}

async function readBackup(from: Repository, group: string, label: string, signal: AbortSignal): Promise<SourceBackup> {
	const seen: SeenManifest = { sha256: null };
	try {
		const manifest = await findManifest(from, group, label, seen, signal);
		const text = await readText(from.storage, objectKey(group, label, MANIFEST), signal);
		if (createHash('sha256').update(text).digest('hex') === seen.sha256) return { manifest, text };
	} catch (error) {
		if (!(error instanceof BadBackup)) throw error;
		throw new BackupError(error.code, error.message, { hint: error.hint ?? undefined, cause: error });
	}
	throw unusable(from, group, label, 'has a manifest that changes while it is read');
}

function withoutParent(error: unknown, child: string, parent: string): unknown {
	if (!isBackupError(error, 'not-found', 'incomplete')) return error;
	return new BackupError(error.code, `${child} needs the backup ${parent}, which is missing: ${error.message}`, {
		hint: 'Without its parent it cannot be restored. Use a full backup, or one that has all it needs.',
		cause: error,
	});
}

function unusable({ storage }: Repository, group: string, label: string, why: string): BackupError {
	return new BackupError('invalid-manifest', `the backup ${group}/${label} in ${storage.location} ${why}`, {
		hint: 'Its manifest was changed or damaged. Use another backup.',
	});
}
