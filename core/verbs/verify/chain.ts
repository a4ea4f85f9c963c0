/** What a backup under verification needs: without it, nothing can be restored. */
import { isBackupError } from '../../base/errors';
import { objectKey } from '../../records/layout';
import type { Manifest } from '../../records/manifest';
import type { Repository } from '../../records/repository';
import { readChain } from '../chain';
import { BadBackup, USE_ANOTHER } from './failure';

/**
 * Finds the parents of a backup, and looks whether all their objects are there. Whether those are as they were stored is for
 * verifications of their own.
 * @param hold called with each parent's label before it is read
 * @returns the manifests of the parents and its own, in the order in which they are restored
 * @throws BadBackup 'not-found', 'incomplete', 'invalid-manifest', 'damaged'; BackupError of the storage
 */
export async function findChain(
	repository: Repository,
	manifest: Manifest,
	hold: (label: string) => Promise<void>,
	signal: AbortSignal,
): Promise<Manifest[]> {
	if (manifest.parents.length === 0) return [manifest];
	const { group, label } = manifest;
	const holdParent = async (each: string) => {
		if (each !== label) await hold(each);
	};
	try {
		const chain = await readChain(repository, group, label, holdParent, signal);
		for (const { manifest: each } of chain) if (each.label !== label) await assertThere(repository, each);
		return chain.map((each) => each.manifest);
	} catch (error) {
		if (!isBackupError(error, 'not-found', 'incomplete', 'invalid-manifest')) throw error;
		throw new BadBackup(error.code, error.message, { hint: error.hint, cause: error });
	}
}

/** @throws BadBackup 'not-found', 'damaged' */
async function assertThere({ storage }: Repository, { group, label, parts }: Manifest): Promise<void> {
	for (const { name, stored } of parts) {
		const found = await storage.stat(objectKey(group, label, name));
		if (found?.size === stored.bytes) continue;
		const what = found ? `has ${found.size} bytes instead of ${stored.bytes}` : 'is missing';
		throw new BadBackup(found ? 'damaged' : 'not-found', `it needs ${label}, of which ${name} ${what}`, {
			hint: USE_ANOTHER,
		});
	}
}
