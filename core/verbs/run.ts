/** What all runs of all verbs have in common: limits, journal, marks of readers, locks, warnings, cancelling. */
import { abortError, isBackupError } from '../base/errors';
import { type Event, listening, tell } from '../base/events';
import { DEFAULT_LIMITS, ENDING_MS, type Limits, unlessStuck, watchDuration } from '../base/limits';
import { cancellation } from '../records/cancellation';
import type { Actor, Verb } from '../records/journal/actor';
import { recordRun, type RunEnd, type RunRecord } from '../records/journal/journal';
import { acquireLock, type Lock, type LockPurpose } from '../records/locks/lock';
import { type Reading, startReading } from '../records/locks/read-marks';
import { isUnsure, SETTLE_MS } from '../records/only-if-absent';
import type { Repository } from '../records/repository';
import { limitStorage } from '../storage/limited';
import type { Storage } from '../storage/storage';

/** What a run may do: how long in all, and how long without a sign. */
export interface RunLimits {
	limits?: Partial<Limits>;
	/** Of whoever started the run. */
	signal: AbortSignal;
	/** What to do besides raising the limit when it takes too long, e.g. "back up less at once". */
	advice: string;
}

/**
 * Does the whole of a run under its limits. The work gets a signal that aborts when it was cancelled or takes too long, and
 * every storage that it uses goes through `limited`, so that no call of it waits for ever. Should something not listen to
 * any of that, the run fails all the same some time later.
 * @throws what the work throws; 'timed-out', 'cancelled'
 */
export async function withLimits<T>(
	{ limits, signal, advice }: RunLimits,
	work: (run: { signal: AbortSignal; limits: Limits; limited: (storage: Storage) => Storage }) => Promise<T>,
): Promise<T> {
	const all = { ...DEFAULT_LIMITS, ...limits };
	const hard = new AbortController();
	const duration = watchDuration(all.hardTimeoutMs, (error) => hard.abort(error), advice);
	const either = AbortSignal.any([signal, hard.signal]);
	const limited = (storage: Storage) => limitStorage(storage, { stallTimeoutMs: all.stallTimeoutMs, signal: either });
	try {
		if (either.aborted) throw abortError(either);
		// The journal's record of the run has given up before, and has written that down.
		return await unlessStuck(work({ signal: either, limits: all, limited }), either, 2 * ENDING_MS);
	} catch (error) {
		// What failed because it was stopped says so in many ways.
		throw either.aborted && !isBackupError(error) ? abortError(either) : error;
	} finally {
		duration.stop();
	}
}

/** What every verb is asked besides its own questions. */
export interface RunRequest extends RunLimits {
	verb: Verb;
	/** null for a run about the whole storage. */
	group: string | null;
	/** Where it is known from the start. */
	label?: string;
	actor?: Actor;
	/** Time between two heartbeats, milliseconds; a minute when absent. */
	beatMs?: number;
	/** How long to wait for the lock of a group while another run holds it, milliseconds; not at all when absent. */
	lockWaitMs?: number;
	/**
	 * Opens the repository whose journal the run is written to; every storage that it uses goes through `limited`.
	 * {@link alreadyOpen} where it is open already.
	 */
	open: (under: { limited: (storage: Storage) => Storage; signal: AbortSignal; limits: Limits }) => Promise<Repository>;
}

/** A run of a verb while it is under way. */
export interface Run {
	readonly repository: Repository;
	/** Aborts when the run was cancelled, or takes too long. */
	readonly signal: AbortSignal;
	readonly limits: Limits;
	/** Puts another storage under the limits of the run. */
	readonly limited: (storage: Storage) => Storage;
	/** Notes how far the run is, for the heartbeats in the journal. */
	readonly progress: RunRecord['progress'];
	/** Adds to what the result will warn of. */
	readonly warn: (...texts: readonly string[]) => void;
	/**
	 * Keeps retention from removing a backup until the run has ended.
	 * @throws BackupError 'locked' when retention does not end in time
	 */
	readonly hold: (group: string, label: string) => Promise<void>;
	/**
	 * Does something as the only one who writes to a group.
	 * @param work gets a signal that aborts also when somebody else took the lock
	 * @throws BackupError 'locked'; what the work throws
	 */
	readonly asWriter: <T>(
		repository: Repository,
		group: string,
		purpose: LockPurpose,
		work: (lock: Lock, signal: AbortSignal) => Promise<T>,
	) => Promise<T>;
}

/** What a run gave, and what somebody should know of it. */
export interface Ran<T> {
	value: T;
	warnings: string[];
}

/** A full disk tells to remove old backups, which is what was asked for. */
const NEEDS_ROOM =
	'To remove backups takes a few kilobytes itself, for a lock and the journal: make room for them by hand, and run this again.';

/** For {@link RunRequest.open}: a repository that is open already. */
export function alreadyOpen(repository: Repository): RunRequest['open'] {
	return async ({ limited }) => repository.through(limited(repository.storage));
}

/**
 * Runs a verb, from its start to its end: under limits, written down in the journal, with marks and locks that are given back
 * whatever happens, and with all warnings in one list.
 * @param describe how it ended, for the journal
 * @throws what the work throws; 'timed-out', 'cancelled', 'locked'
 */
export async function runVerb<T>(
	request: RunRequest,
	work: (run: Run) => Promise<T>,
	describe: (value: T, warnings: readonly string[]) => RunEnd,
): Promise<Ran<T>> {
	const { verb, group, label, actor, lockWaitMs, beatMs } = request;
	const asked = new AbortController();
	const onCancel = (by: string) => asked.abort(cancellation(by));
	const either = AbortSignal.any([request.signal, asked.signal]);
	return await withLimits({ ...request, signal: either }, async ({ signal, limits, limited }) => {
		const repository = await request.open({ signal, limits, limited });
		let retries = 0;
		const count = (event: Event) => void (retries += event.kind === 'retry' ? 1 : 0);
		return await recordRun(
			repository.storage,
			{ verb, group, label, actor, signal, onCancel, beatMs },
			async (record) => {
				record.warn(...repository.warnings);
				const readings: Reading[] = [];
				let phase = '';
				const run: Run = {
					...{ repository, signal, limits, limited },
					progress: (now, ...figures) => {
						if (now !== phase) tell({ kind: 'phase', phase: (phase = now) });
						record.progress(now, ...figures);
					},
					warn: record.warn,
					hold: async (ofGroup, each) => {
						readings.push(await startReading(repository.storage, ofGroup, each, { verb, signal }));
					},
					asWriter: async ({ storage, onlyIfAbsent }, ofGroup, purpose, writing) => {
						const onWait = () => run.progress('waiting for the lock', 0);
						const lock = await acquireLock(storage, ofGroup, {
							...{ signal, actor, waitMs: lockWaitMs, purpose, onWait },
							settleMs: isUnsure(onlyIfAbsent) ? SETTLE_MS : 0,
						}).catch((error: unknown) => {
							throw purpose === 'retention' && isBackupError(error, 'storage-full')
								? error.withHint(NEEDS_ROOM)
								: error;
						});
						try {
							return await writing(lock, AbortSignal.any([signal, lock.lost]));
						} finally {
							await lock.release();
							record.warn(...lock.warnings);
						}
					},
				};
				try {
					return await listening(count, async () => await work(run));
				} finally {
					// Not before all that was written of what was read lies there.
					for (const reading of readings) {
						await reading.stop();
						record.warn(...reading.warnings);
					}
				}
			},
			(value, warnings) => {
				const end = describe(value, warnings);
				return { ...end, facts: { ...end.facts, warnings: warnings.length, ...(retries > 0 && { retries }) } };
			},
		);
	});
}
