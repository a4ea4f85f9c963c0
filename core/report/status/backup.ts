/** All that a storage tells of one backup. Writes nothing that stays, and takes no lock. */
import { isBackupError } from '../../base/errors';
import type { BackupEntry } from '../../records/catalog';
import { nameOfVerification, type Evidence, type Verification } from '../../records/evidence';
import type { Manifest } from '../../records/manifest';
import { readable } from '../../records/proof';
import type { Repository } from '../../records/repository';

/** One verification, with what its evidence says; null where that cannot be read, or is not of whom it should be. */
export interface ReadVerification extends Verification {
	evidence: Evidence | null;
}

/** One backup in one storage. */
export interface BackupInStorage {
	/** Where it is, for people; never a secret. */
	storage: string;
	/** What the names of its objects tell; null where the storage does not have it. */
	entry: BackupEntry | null;
	manifest: Manifest | null;
	/** Why there is no manifest, or why the storage cannot be looked at; null where all is well. */
	problem: string | null;
	/** Whether signatures were checked, which needs signers to be named. */
	checked: boolean;
	/** Newest first, at most {@link MAX_VERIFICATIONS}. */
	verifications: readonly ReadVerification[];
}

/** More of them than anybody reads on a page. */
const MAX_VERIFICATIONS = 20;

/** Reads one backup: a listing of its group, its manifest and its evidence. @throws BackupError of the storage; 'cancelled' */
export async function readBackup(
	repository: Repository,
	{ group, label }: { group: string; label: string },
	signal: AbortSignal,
): Promise<BackupInStorage> {
	const found = {
		storage: repository.storage.location,
		checked: repository.authority.signers !== null,
		...{ entry: null, manifest: null, problem: null, verifications: [] },
	};
	const entry = (await repository.list(group)).find((each) => each.label === label);
	if (!entry) return found;
	const read = await readable(async () => await repository.readManifest(group, label, signal), { signal });
	const verifications: ReadVerification[] = [];
	for (const verification of entry.verifications.slice(-MAX_VERIFICATIONS).toReversed()) {
		const evidence = await readEvidence(repository, entry, verification, signal);
		verifications.push({ ...verification, evidence });
	}
	return 'value' in read
		? { ...found, entry, manifest: read.value, verifications }
		: { ...found, entry, problem: read.why, verifications };
}

async function readEvidence(
	repository: Repository,
	{ group, label }: BackupEntry,
	verification: Verification,
	signal: AbortSignal,
): Promise<Evidence | null> {
	try {
		return await repository.readEvidence(group, label, nameOfVerification(verification), signal);
	} catch (error) {
		if (signal.aborted || !isBackupError(error)) throw error;
		return null;
	}
}
