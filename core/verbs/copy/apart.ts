/** Storages that lie in each other: backups of the inner one would look like groups of the outer one, and be copied again and again. */
import { BackupError, isBackupError } from '../../base/errors';
import { withProbe } from '../../records/probe';
import { readText } from '../../records/small-objects';
import type { Storage } from '../../storage/storage';
import { REPOSITORY_KEY } from '../../records/layout';

/**
 * Refuses two storages of which one lies in the other, or that are the same folder.
 * @throws BackupError 'invalid-input'; those of the storages
 */
export async function assertApart(one: Storage, other: Storage): Promise<void> {
	const isFolder = one.location.startsWith('file:');
	for (const [outer, inner] of [
		[one, other],
		[other, one],
	] as const) {
		if (isFolder && outer.location === inner.location) {
			throw new BackupError('invalid-input', `${inner.location} is named twice`, {
				hint: 'Choose another storage: a copy in the same place is lost with it.',
			});
		}
		const key = keyWithin(outer, inner);
		if (key === null) continue;
		// Buckets of two servers can have the same name: there, only what is seen from both sides is a proof.
		if (isFolder || (await seesInner(outer, inner, key))) {
			throw new BackupError('invalid-input', `${inner.location} lies in ${outer.location}`, {
				hint: 'Choose a folder or prefix beside it, in another storage: one inside the other is lost with it, and its backups would be taken for groups of both.',
			});
		}
	}
}

/** What the inner storage's objects are called in the outer one; null where it does not lie there. */
function keyWithin(outer: Storage, inner: Storage): string | null {
	const start = outer.location.replace(/\/?$/, '/');
	if (!inner.location.startsWith(start)) return null;
	return inner.location.slice(start.length).replace(/\/?$/, '/');
}

async function seesInner(outer: Storage, inner: Storage, key: string): Promise<boolean> {
	const text = await textOf(inner, REPOSITORY_KEY);
	if (text !== null) return (await textOf(outer, `${key}${REPOSITORY_KEY}`)) === text;
	const words = 'n8n-nodes-backup was here to see where this storage lies; this file can be removed';
	return await withProbe(inner, words, async (probe) => (await outer.stat(`${key}${probe}`)) !== null);
}

async function textOf(storage: Storage, key: string): Promise<string | null> {
	try {
		return await readText(storage, key);
	} catch (error) {
		if (isBackupError(error, 'not-found')) return null;
		throw error;
	}
}
