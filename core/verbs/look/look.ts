/** A look into a backup, whatever it is of: its contents and those of its chain, and no data. Writes nothing, not even a mark. */
import type { DecryptionKeys } from '../../codecs/age/age';
import type { Limits } from '../../base/limits';
import type { Repository } from '../../records/repository';
import type { OpenBackup } from '../../sources/source';
import { readChain } from '../chain';
import { openBackup } from '../open-backup';
import { withLimits } from '../run';

export interface LookRequest {
	repository: Repository;
	group: string;
	label: string;
	/** null where no key is at hand. */
	keys: DecryptionKeys | null;
	/** Opens contents, and no data. */
	hostKey?: string;
	limits?: Partial<Limits>;
	signal: AbortSignal;
}

/**
 * Opens a backup, and closes it again when the work is done. Retention may remove it meanwhile: then reading it fails.
 * @throws BackupError 'not-found', 'wrong-identity', 'damaged', those of the storage; what the work throws
 */
export async function lookInto<T>(
	request: LookRequest,
	work: (backup: OpenBackup, signal: AbortSignal) => Promise<T>,
): Promise<T> {
	const { group, label, keys, hostKey } = request;
	return await withLimits({ ...request, advice: 'name a folder in it' }, async ({ signal, limits, limited }) => {
		const repository = request.repository.through(limited(request.repository.storage));
		const chain = await readChain(repository, group, label, async () => undefined, signal);
		const { stallTimeoutMs } = limits;
		const manifests = chain.map(({ manifest }) => manifest);
		return await work(await openBackup(manifests, { repository, keys, hostKey, signal, stallTimeoutMs }), signal);
	});
}
