/** Copies backups to other storages, byte for byte: one with its parents, all that a storage lacks, or to several at once. */
import { assertApart } from './apart';
import { copyBackup } from './backup';
import { chooseForCopy, lackingAt } from './choice';
import { openDestination } from './run';
import type { CopyChoice, CopyOptions, CopyResult, CopySubject, CopySummary } from './types';
import { abortError, BackupError, isBackupError, isOfStorage } from '../../base/errors';
import type { BackupEntry } from '../../records/repository';
import type { Storage } from '../../storage/storage';

export { copyBackup } from './backup';
export type { CopyChoice, CopyOptions, CopyProgress, CopyResult, CopySubject, CopySummary } from './types';

/**
 * Copies all that a storage lacks: backups that are not there, that were not read back there, or
 * whose evidence or tags are not there. The newest come first, each with its parents; one that fails does not stop the
 * others, unless a storage itself cannot be used any more.
 * @throws BackupError 'cancelled'; those of either storage while it is listed
 */
export async function copyMissing(request: CopyOptions & CopyChoice & { to: Storage }): Promise<CopyResult[]> {
	const { from, groups, signal } = request;
	const chosen = await chooseForCopy(from, request, signal);
	const { backups } = await lackingAt(await openDestination(request), chosen, groups, signal);
	return await copyAll(request, backups);
}

/**
 * Copies one backup, or with `missing` all that each one lacks, to several storages side by side. One that fails does not
 * hold up the others. Of a storage that cannot even be listed, the newest backup of each group counts as failed.
 * @throws BackupError 'cancelled', 'invalid-input', those of the source while it is listed
 */
export async function copyToAll(
	request: CopyOptions & { to: readonly Storage[] } & (CopySubject | { missing: CopyChoice }),
): Promise<CopySummary> {
	if (request.to.length === 0) {
		throw new BackupError('invalid-input', 'there is no storage to copy to', { hint: 'Name at least one.' });
	}
	for (const [at, storage] of request.to.entries()) {
		for (const other of request.to.slice(at + 1)) await assertApart(storage, other);
	}
	const one = await copierTo(request);
	const ended = await Promise.allSettled(request.to.map(one));
	const broken = ended.find((end) => end.status === 'rejected');
	if (broken) throw broken.reason;
	const copied = ended.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
	const results = copied.flatMap((each) => each.results);
	return { outcome: outcomeOf(results), results, warnings: copied.flatMap((each) => each.warnings) };
}

/** What became of one destination. */
type CopiedTo = Pick<CopySummary, 'results' | 'warnings'>;

/** What is to be done for each destination. */
async function copierTo(
	request: CopyOptions & (CopySubject | { missing: CopyChoice }),
): Promise<(to: Storage) => Promise<CopiedTo>> {
	if (!('missing' in request)) {
		return async (to) => ({ results: [await copyBackup({ ...request, to })], warnings: [] });
	}
	const { missing, ...options } = request;
	const chosen = await chooseForCopy(options.from, missing, options.signal);
	return async (to) => {
		try {
			const repository = await openDestination({ ...options, to });
			const lacking = await lackingAt(repository, chosen, missing.groups, options.signal);
			return { results: await copyAll({ ...options, to }, lacking.backups), warnings: lacking.warnings };
		} catch (error) {
			if (options.signal.aborted) throw abortError(options.signal);
			if (!isBackupError(error)) throw error;
			const newest = new Map(chosen.map((entry) => [entry.group, entry]));
			return { results: [...newest.values()].map((entry) => notTried(entry, to, error)), warnings: [] };
		}
	};
}

async function copyAll(request: CopyOptions & { to: Storage }, backups: readonly BackupEntry[]): Promise<CopyResult[]> {
	const results: CopyResult[] = [];
	const cameAlong = new Set<string>();
	// A label begins with its time.
	const newestFirst = backups.toSorted((a, b) => (a.label < b.label ? 1 : -1));
	for (const { group, label } of newestFirst) {
		if (cameAlong.has(`${group}/${label}`)) continue;
		const hopeless = results.find((earlier) => isHopeless(earlier, group));
		const result = hopeless
			? notTried({ group, label }, request.to, asError(hopeless))
			: await copyBackup({ ...request, group, label });
		for (const parent of result.parents) cameAlong.add(`${group}/${parent}`);
		results.push(result);
	}
	return results;
}

/** Whether another backup cannot succeed where this one failed. Waiting for a lock again and again could take days. */
function isHopeless({ code, group }: CopyResult, next: string): boolean {
	return code !== null && (isOfStorage(code) || (code === 'locked' && group === next));
}

function asError({ code, message, hint, group, label }: CopyResult): BackupError {
	const why = `not tried after ${group}/${label} failed: ${message}`;
	return new BackupError(code ?? 'storage-failed', why, { hint: hint ?? undefined });
}

function notTried({ group, label }: CopySubject, to: Storage, { code, message, hint }: BackupError): CopyResult {
	return {
		group,
		label,
		destination: to.location,
		status: 'failed',
		bytes: 0,
		seconds: 0,
		copySeconds: 0,
		parents: [],
		authentic: false,
		evidence: null,
		code,
		message,
		hint: hint ?? null,
		warnings: [],
	};
}

function outcomeOf(results: readonly CopyResult[]): CopySummary['outcome'] {
	const failed = results.filter(({ status }) => status === 'failed').length;
	if (failed === 0) return 'ok';
	return failed === results.length ? 'failed' : 'degraded';
}
