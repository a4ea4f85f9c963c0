/**
 * Whether a backup is what the names of its objects say: anyone who can write to the storage can make a name. Its manifest
 * is read, and of its evidence what decides.
 */
import { createHash } from 'node:crypto';
import { BackupError, isBackupError, type ErrorCode } from '../base/errors';
import { DEPTHS, nameOfVerification, type Verification, whyNotOf } from './evidence';
import { NOT_AUTHENTIC } from './authority';
import type { Manifest } from './manifest';
import type { BackupEntry, Repository } from './repository';

/** Evidence of one backup that is read before nobody can say any more what it is. Honest backups need one or two. */
const MAX_READ = 50;

/** Nobody can read it, whoever is to blame; anything else is a failure of the storage, and says nothing. */
const UNREADABLE: readonly ErrorCode[] = [
	'invalid-manifest',
	'damaged',
	'newer-format',
	'not-found',
	'access-denied',
	...NOT_AUTHENTIC,
];

export type Proof =
	| {
			readable: true;
			manifest: Manifest;
			/** Those that count, oldest first, without those that a later one makes of no matter. */
			verifications: readonly Verification[];
			/** Why one of those that its names tell of does not count; null when all do. */
			discredited: string | null;
	  }
	| { readable: false; why: string };

/**
 * Reads what a backup's names tell of.
 * @param limit good evidence of later than that proves nothing and is not looked at, milliseconds since 1970
 * @throws BackupError of the storage; 'cancelled'
 */
export async function prove(
	repository: Repository,
	entry: BackupEntry,
	limit: number,
	signal?: AbortSignal,
): Promise<Proof> {
	const read = await readable(async () => await readManifest(repository, entry, signal), { signal });
	if ('why' in read) return { readable: false, why: read.why };
	const { manifest, manifestSha256 } = read.value;
	const { group, label } = entry;
	const counted: Verification[] = [];
	const discredited: string[] = [];
	/** By depth: when a look at least as deep went well last. */
	const proved = DEPTHS.map(() => -Infinity);
	let reads = 0;
	for (const verification of entry.verifications.toReversed()) {
		const { at, depth, ok } = verification;
		const isFuture = ok && at > limit;
		if (!isFuture) {
			if (at < proved[DEPTHS.indexOf(depth)]!) continue;
			if (reads++ === MAX_READ)
				return { readable: false, why: `more than ${MAX_READ} pieces of evidence do not count` };
			const name = nameOfVerification(verification);
			const found = await readable(async () => await repository.readEvidence(group, label, name, signal), { signal });
			// What nobody can read may say that the backup is bad, or may be there to make it look so. What is not signed says nothing.
			if ('why' in found && !ok && !NOT_AUTHENTIC.includes(found.code)) return { readable: false, why: found.why };
			const why = 'why' in found ? found.why : whyNotOf(found.value, { group, label, name, manifestSha256 });
			if (why !== null) {
				discredited.push('why' in found ? why : `${name} ${why}`);
				continue;
			}
		}
		counted.push(verification);
		if (!ok) break;
		if (!isFuture) for (let each = DEPTHS.indexOf(depth); each >= 0; each--) proved[each] = Math.max(proved[each]!, at);
	}
	return { readable: true, manifest, verifications: counted.reverse(), discredited: discredited[0] ?? null };
}

/** @throws BackupError 'invalid-manifest' also when there is less than the manifest says */
async function readManifest(repository: Repository, { group, label, dataBytes }: BackupEntry, signal?: AbortSignal) {
	const { manifest, text } = await repository.readManifestText(group, label, signal);
	const bytes = manifest.parts.reduce((sum, { stored }) => sum + stored.bytes, 0);
	if (dataBytes < bytes) {
		throw new BackupError('damaged', `${group}/${label} has fewer bytes than its manifest says: objects are missing`);
	}
	return { manifest, manifestSha256: createHash('sha256').update(text).digest('hex') };
}

/**
 * What is read, or why nobody can read it. A byte may change on its way here: only what is wrong twice is wrong.
 * @param options.codes errors that say so; any other is thrown
 */
export async function readable<T>(
	read: () => Promise<T>,
	{ codes = UNREADABLE, signal }: { codes?: readonly ErrorCode[]; signal?: AbortSignal } = {},
): Promise<{ value: T } | { why: string; code: ErrorCode; hint?: string }> {
	for (let isSecond = false; ; isSecond = true) {
		try {
			return { value: await read() };
		} catch (error) {
			if (signal?.aborted || !isBackupError(error) || !codes.includes(error.code)) throw error;
			if (isSecond) return { why: error.message, code: error.code, hint: error.hint };
		}
	}
}
