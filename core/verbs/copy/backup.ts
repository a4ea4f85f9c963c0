/** One copy as everybody sees it: its result, and what the journals of both storages say of it. */
import { copyChain, type Done, openDestination } from './run';
import type { CopyOptions, CopyResult, CopySubject } from './types';
import { abortError, BackupError, isBackupError } from '../../base/errors';
import { isAuthenticated } from '../../records/authority';
import { recordRun, type RunEnd } from '../../records/journal/journal';
import { assertGroup, parseLabel } from '../../records/label';
import { type Run, runVerb, alreadyOpen } from '../run';
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
	const { from, to, actor, lockWaitMs, limits, signal: cancel } = request;
	const started = performance.now();
	const { value, warnings } = await runVerb(
		{
			...{ verb: 'copy', group, label, actor, lockWaitMs, limits, signal: cancel, advice: 'copy at a quieter time' },
			open: alreadyOpen(from),
		},
		async (run) => {
			const done: Done = { copied: [], bytes: 0, provingSeconds: 0, evidence: null };
			const job = { ...request, from: run.repository, to: run.limited(to), limits: run.limits, signal: run.signal };
			try {
				const repository = await openDestination(job);
				await recordThere(job, run, async (both) => {
					await copyChain({ ...job, run: both }, repository, done);
					return endOf(resultOf(request, done, started, null), 'destination', from.storage.location);
				});
				return resultOf(request, done, started, null);
			} catch (error) {
				// That it was cancelled is an error, that it takes too long a result.
				if (cancel.aborted) throw abortError(cancel);
				const failure = run.signal.aborted ? abortError(run.signal) : error;
				if (!isBackupError(failure)) throw failure;
				return resultOf(request, done, started, failure);
			}
		},
		(result) => endOf(result, 'source', to.location),
	);
	return { ...value, warnings };
}

type Copied = Omit<CopyResult, 'warnings'>;

/**
 * The destination's journal takes the same run: one that cannot be reached can tell nobody that it did not get its copy. What
 * it could not write down is a warning of the run.
 */
async function recordThere(
	{ to, group, label, actor, signal }: CopyOptions & CopySubject & { to: Storage },
	run: Run,
	work: (both: Run) => Promise<RunEnd>,
): Promise<void> {
	const { warnings } = await recordRun(
		to,
		{ verb: 'copy', group, label, actor, signal },
		async (there) => {
			const progress: Run['progress'] = (...said) => {
				run.progress(...said);
				there.progress(...said);
			};
			return await work({ ...run, progress });
		},
		(end) => end,
	);
	run.warn(...warnings);
}

function resultOf(
	{ from, to, group, label }: CopyOptions & CopySubject & { to: Storage },
	{ copied, bytes, provingSeconds, evidence }: Done,
	started: number,
	failure: BackupError | null,
): Copied {
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
		authentic: failure === null && isAuthenticated(from.authority, group, label),
		evidence,
		code: failure?.code ?? null,
		message: failure?.message ?? (parents.length > 0 ? `${alone}, with what it needs: ${parents.join(', ')}` : alone),
		hint: failure?.hint ?? null,
	};
}

/** Both journals say in which direction it went: what a storage did not get is not the same as what it did not give. */
function endOf(result: Copied, role: 'source' | 'destination', other: string): RunEnd {
	const { status, code, bytes, seconds, parents } = result;
	return {
		outcome: status === 'failed' ? 'failed' : 'ok',
		code,
		facts: { role, other, status, bytes, seconds, parents: parents.length },
	};
}
