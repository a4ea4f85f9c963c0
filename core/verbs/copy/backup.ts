/** One copy as everybody sees it: its result, and what the journals of both storages say of it. */
import { copyChain, type Done, openDestination } from './run';
import type { CopyOptions, CopyResult, CopySubject } from './types';
import { abortError, BackupError, isBackupError } from '../../base/errors';
import { recordRun, type RunEnd, type RunRecord, type RunRequest } from '../../records/journal/journal';
import { assertGroup, parseLabel } from '../../records/label';
import { type Limits } from '../../base/limits';
import { withLimits } from '../limits';
import type { Storage } from '../../storage/storage';

/**
 * Copies one backup, and the parents that it needs, as they lie in storage: no key is needed. Each object is read back and
 * compared with the digest that the manifest knows; then comes the manifest, to the letter, and the evidence of the reading.
 * Evidence and tags go with it, a pin does not. What an interrupted copy sent is not sent again. Whatever is wrong is a
 * result, not an error.
 * @throws BackupError 'cancelled'; 'invalid-input' for a group or label that is none
 */
export async function copyBackup(request: CopyOptions & CopySubject & { to: Storage }): Promise<CopyResult> {
	const { group, label } = request;
	assertGroup(group);
	if (!parseLabel(label)) {
		throw new BackupError('invalid-input', `"${label}" is not the label of a backup`, {
			hint: 'Labels look like 20261120T020000Z-full-k3f9; list the backups to see them.',
		});
	}
	return await withLimits({ ...request, advice: 'copy at a quieter time' }, async ({ signal, limits, limited }) => {
		const from = request.from.through(limited(request.from.storage));
		return await recorded({ ...request, from, to: limited(request.to), limits, signal }, request.signal);
	});
}

type LimitedRequest = CopyOptions & CopySubject & { to: Storage; limits: Limits };

/** @param cancel of whoever asked: that it was cancelled is an error, that it takes too long a result */
async function recorded(request: LimitedRequest, cancel: AbortSignal): Promise<CopyResult> {
	const { from, to, group, label, actor, signal } = request;
	const about = { verb: 'copy', group, label, actor, signal } as const;
	const started = performance.now();
	// Both storages write it down: one that cannot be reached can tell nobody that it did not get its copy.
	return await recordRun(
		from.storage,
		about,
		async (here) => {
			const done: Done = { copied: [], bytes: 0, provingSeconds: 0, evidence: null, warnings: here.warnings };
			try {
				const repository = await openDestination(request);
				await recordThere(to, about, here, async (run) => {
					await copyChain({ ...request, run }, repository, done);
					return endOf(resultOf(request, done, started, null), 'destination', from.storage.location);
				});
				return resultOf(request, done, started, null);
			} catch (error) {
				if (cancel.aborted) throw abortError(cancel);
				const failure = signal.aborted ? abortError(signal) : error;
				if (!isBackupError(failure)) throw failure;
				return resultOf(request, done, started, failure);
			}
		},
		(result) => endOf(result, 'source', to.location),
	);
}

/** The destination's journal takes the same run. What it could not write down is a warning of the run. */
async function recordThere(
	storage: Storage,
	about: RunRequest,
	here: RunRecord,
	work: (run: Pick<RunRecord, 'progress'>) => Promise<RunEnd>,
): Promise<void> {
	let warnings: readonly string[] = [];
	try {
		await recordRun(
			storage,
			about,
			async (there) => {
				warnings = there.warnings;
				const progress: RunRecord['progress'] = (...said) => {
					here.progress(...said);
					there.progress(...said);
				};
				return await work({ progress });
			},
			(end) => end,
		);
	} finally {
		here.warnings.push(...warnings);
	}
}

function resultOf(
	{ to, group, label }: CopySubject & { to: Storage },
	{ copied, bytes, provingSeconds, evidence, warnings }: Done,
	started: number,
	failure: BackupError | null,
): CopyResult {
	const seconds = (performance.now() - started) / 1000;
	const parents = copied.filter((each) => each !== label);
	const status = failure ? 'failed' : copied.includes(label) ? 'copied' : 'present';
	const alone = status === 'copied' ? 'copied, and read back as it was stored' : 'was there already';
	return {
		group,
		label,
		destination: to.location,
		status,
		bytes,
		seconds,
		copySeconds: Math.max(0, seconds - provingSeconds),
		parents,
		evidence,
		code: failure?.code ?? null,
		message: failure?.message ?? (parents.length > 0 ? `${alone}, with what it needs: ${parents.join(', ')}` : alone),
		hint: failure?.hint ?? null,
		warnings,
	};
}

/** Both journals say in which direction it went: what a storage did not get is not the same as what it did not give. */
function endOf(result: CopyResult, role: 'source' | 'destination', other: string): RunEnd {
	const { status, code, bytes, seconds, parents } = result;
	return {
		outcome: status === 'failed' ? 'failed' : 'ok',
		code,
		facts: { role, other, status, bytes, seconds, parents: parents.length },
	};
}
