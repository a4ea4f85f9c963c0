/** Retention and objects that their storage protects: none is touched before its time, and what stays is protected on. */
import { abortError, isBackupError } from './errors';
import { inParallel } from './in-parallel';
import { objectKey, type Repository } from './repository';
import type { PlannedBackup } from './retention/plan';
import type { Protection } from './storage/storage';

/** Requests at the same time. */
const AT_ONCE = 4;

/** The time before which not all objects of a backup can be removed; null when they can. By this machine's clock. */
export async function protectedUntil(repository: Repository, group: string, label: string): Promise<Date | null> {
	const { protection } = repository.storage;
	if (!protection) return null;
	let latest: Date | null = null;
	for (const { key } of await repository.objects(group, label)) {
		const until = await protection.until(key);
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
	const { storage } = repository;
	const { protection } = storage;
	if (!protection) return [`${storage.location} cannot protect objects, so nothing of ${group} is protected`];
	const failures: string[] = [];
	await inParallel(kept, AT_ONCE, async ({ label, keptUntil: until }) => {
		if (signal.aborted) throw abortError(signal);
		if (!until || until.getTime() <= Date.now()) return;
		const manifest = objectKey(group, label, 'manifest.json');
		try {
			// The manifest is protected last: when its time is right, so is that of the others.
			const now = await protection.until(manifest);
			if (now && now >= until) return;
			for (const { key } of await repository.objects(group, label)) {
				if (isData(key)) await protection.extend(key, { until, mode });
			}
			await protection.extend(manifest, { until, mode });
		} catch (error) {
			if (!isBackupError(error)) throw error;
			failures.push(`${label} could not be protected until ${until.toISOString()}: ${error.message}`);
		}
	});
	return failures.length > 3
		? [...failures.slice(0, 3), `${failures.length - 3} more could not be protected`]
		: failures;
}

/** Whether it is a part of the backup itself. Pins and tags must stay removable, and evidence is added later. */
function isData(key: string): boolean {
	return !/\/(?:manifest|pin|expired|tag-[^/]*|verified-[^/]*)\.json$/.test(key);
}
