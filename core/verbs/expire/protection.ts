/** Retention and objects that their storage protects: none is touched before its time, and what stays is protected on. */
import { MANIFEST, objectKey } from '../../records/layout';
import { abortError, isBackupError } from '../../base/errors';
import { inParallel } from '../../base/in-parallel';
import { type Repository } from '../../records/repository';
import type { PlannedBackup } from '../../retention/plan';
import type { Protecting, Protection } from '../../storage/storage';

/** Requests at the same time. */
const AT_ONCE = 4;
const MAX_WARNINGS = 3;

/**
 * The time before which not all objects of a backup can be removed; null when they can, as far as known: a key that may
 * not ask is told by the removal itself. By this machine's clock.
 */
export async function protectedUntil(repository: Repository, group: string, label: string): Promise<Date | null> {
	const { protection } = repository.storage;
	if (!protection) return null;
	let latest: Date | null = null;
	for (const { key } of await repository.objects(group, label)) {
		const until = await protection.until(key).catch((error: unknown) => {
			if (isBackupError(error, 'access-denied')) return null;
			throw error;
		});
		if (until && until.getTime() > Date.now() && (!latest || until > latest)) latest = until;
	}
	return latest;
}

/**
 * Protects backups until the policy lets go of them, and never for less than they are protected already.
 * @returns warnings: what could not be protected
 */
export async function extendProtection(
	repository: Repository,
	group: string,
	kept: readonly PlannedBackup[],
	mode: Protection['mode'],
	signal: AbortSignal,
): Promise<string[]> {
	const { protection, location } = repository.storage;
	const cannot = `${location} cannot protect objects: nothing of ${group} was protected`;
	if (!protection) return [cannot];
	const failures: string[] = [];
	let isUnsupported = false;
	await inParallel(kept, AT_ONCE, async ({ label, keptUntil: until }) => {
		if (signal.aborted) throw abortError(signal);
		if (isUnsupported || !until || until.getTime() <= Date.now()) return;
		try {
			await protectOne(repository, protection, objectKey(group, label, ''), { until, mode });
		} catch (error) {
			if (!isBackupError(error)) throw error;
			// A bucket without Object Lock: it is the same for every backup.
			if (error.code === 'unsupported') isUnsupported = true;
			else failures.push(`${label} could not be protected until ${until.toISOString()}: ${error.message}`);
		}
	});
	if (isUnsupported) return [cannot];
	const more = failures.length - MAX_WARNINGS;
	return more > 0 ? [...failures.slice(0, MAX_WARNINGS), `${more} more could not be protected`] : failures;
}

async function protectOne(
	{ storage }: Repository,
	protection: Protecting,
	folder: string,
	wanted: Protection,
): Promise<void> {
	const manifest = `${folder}${MANIFEST}`;
	// The manifest is protected last: when its time is right, so is that of the others.
	const now = await protection.until(manifest);
	if (now && now >= wanted.until) return;
	for await (const { key } of storage.list(folder)) {
		if (isData(key)) await protection.extend(key, wanted);
	}
	await protection.extend(manifest, wanted);
}

/** Whether it is a part of the backup itself. Pins, approvals and tags must stay removable, and evidence is added later. */
function isData(key: string): boolean {
	return !/\/(?:manifest|pin|approved|expired|tag-[^/]*|verified-[^/]*)\.json$/.test(key);
}
