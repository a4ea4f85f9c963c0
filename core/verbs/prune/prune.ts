/**
 * Reclaims what runs that were killed have left: objects without a manifest, unfinished uploads, locks whose holder is
 * gone. Shows it, unless told to remove it. A backup that only lost its manifest is named, and stays. What is nobody's is named and never removed.
 */
import { LOCKS, RUNS, REPOSITORY_KEY, lockKey } from '../../records/layout';
import type { Actor } from '../../records/journal/actor';
import { abortError, BackupError, isBackupError } from '../../base/errors';
import { type Limits } from '../../base/limits';
import { type Run, runVerb, alreadyOpen, withLimits } from '../run';
import { findStaleLocks, removeStaleLocks } from '../../records/locks/lock';
import type { Leftover, Repository } from '../../records/repository';
import { storageTime } from '../../records/storage-clock';
import { assertRemovable } from '../../storage/append-only';
import { describeLost, parseKey } from '../../records/catalog';

const HOUR_MS = 3_600_000;
/** Small objects of the repository itself are written in seconds: what has been unfinished for so long is dead. */
const OWN_GRACE_MS = HOUR_MS;
const OWN_PREFIXES = [LOCKS, RUNS, REPOSITORY_KEY];

export interface PruneRequest {
	repository: Repository;
	/** What is younger may belong to a run that lives: hours by the storage's clock. @default 24 */
	graceHours?: number;
	/** false only shows what would be removed. */
	apply: boolean;
	actor?: Actor;
	limits?: Partial<Limits>;
	signal: AbortSignal;
}

export interface PruneResult {
	applied: boolean;
	/** Labels with objects and no manifest: removed, or to be removed. */
	orphans: Leftover[];
	/** How many unfinished uploads and temporary files; what they take is not known. */
	unfinished: number;
	/** How many labels and uploads are too young to be removed. */
	young: number;
	/** For people: what each was. */
	staleLocks: string[];
	/** Names of objects that are nobody's, the first hundred. They are never removed. */
	unknown: string[];
	unknownCount: number;
	/** Bytes of the orphans. */
	freedBytes: number;
	/** Groups that were left alone. */
	skipped: Array<{ group: string; why: string }>;
	warnings: string[];
}

/**
 * Removes what killed runs have left, group by group under its lock, or shows it.
 * @throws BackupError 'invalid-input', 'cancelled', of the storage
 */
export async function prune(request: PruneRequest): Promise<PruneResult> {
	const { graceHours = 24 } = request;
	if (!(graceHours >= 0 && graceHours <= 24 * 365)) {
		throw new BackupError('invalid-input', `invalid grace time: ${graceHours} hours`, {
			hint: 'Give from 0 to 8760 hours; 24 are usual, and must be longer than the longest run.',
		});
	}
	const { limits, actor } = request;
	const graceMs = graceHours * HOUR_MS;
	const under = { limits, signal: request.signal, advice: 'run it again: it goes on' };
	if (!request.apply) {
		return await withLimits(under, async ({ signal, limited }) => {
			return await plan(request.repository.through(limited(request.repository.storage)), graceMs, signal);
		});
	}
	assertRemovable(request.repository.storage);
	const { value, warnings } = await runVerb(
		{ ...under, verb: 'prune', group: null, actor, open: alreadyOpen(request.repository) },
		async (run) => await remove(graceMs, run),
		({ orphans, unfinished, staleLocks, freedBytes, skipped }) => ({
			outcome: 'ok',
			facts: {
				orphans: orphans.length,
				unfinished,
				staleLocks: staleLocks.length,
				freedBytes,
				skipped: skipped.length,
			},
		}),
	);
	return { ...value, warnings };
}

async function plan(repository: Repository, graceMs: number, signal: AbortSignal): Promise<PruneResult> {
	const { storage } = repository;
	const result = emptyResult(false);
	const clock = await clockOf(repository, signal);
	if (clock === null) {
		result.warnings.push(
			'the storage takes no object: ages are by the clock of this machine, and locks were not looked at',
		);
	}
	const found = await look(repository, graceMs, clock ?? Date.now());
	result.warnings.push(...found.lost);
	const staleLocks = clock === null ? [] : await findStaleLocks(storage, { signal });
	const stale = new Set(staleLocks.map(({ key }) => key));
	for (const [group, { orphans, unfinished }] of found.groups) {
		const lock = lockKey(group);
		if ((await storage.stat(lock)) && !stale.has(lock)) {
			result.skipped.push({ group, why: 'another run is working there' });
			continue;
		}
		add(result, orphans, unfinished);
	}
	result.unfinished += found.own;
	result.staleLocks = staleLocks.map(({ description }) => description);
	return { ...result, young: found.young, ...found.unknown };
}

async function remove(graceMs: number, run: Run): Promise<PruneResult> {
	const { repository, signal } = run;
	const { storage } = repository;
	const result = emptyResult(true);
	const now = await storageTime(storage, 'prune', signal);
	result.staleLocks = (await removeStaleLocks(storage, { signal })).map(({ description }) => description);
	const found = await look(repository, graceMs, now);
	run.warn(...found.lost);
	for (const group of found.groups.keys()) {
		if (signal.aborted) throw abortError(signal);
		try {
			await removeIn(run, group, graceMs, result);
		} catch (error) {
			if (!isBackupError(error, 'locked')) throw error;
			result.skipped.push({ group, why: error.message });
		}
		run.progress('removing', result.freedBytes);
	}
	const own = isOlder(now, Math.max(graceMs, OWN_GRACE_MS));
	for (const prefix of OWN_PREFIXES) {
		result.unfinished += await storage.removeUnfinished(prefix, (_, startedAt) => own(startedAt));
	}
	return { ...result, young: found.young, ...found.unknown };
}

/** Looks anew under the lock: what was an orphan a moment ago may have become a backup. */
async function removeIn(run: Run, group: string, graceMs: number, result: PruneResult): Promise<void> {
	const { repository } = run;
	const { storage } = repository;
	await run.asWriter(repository, group, 'retention', async (lock, signal) => {
		const isDue = isOlder(await storageTime(storage, group, signal), graceMs);
		for (const leftover of (await repository.survey(group)).leftovers) {
			if (leftover.lost || (!leftover.expired && !isDue(leftover.modifiedAt))) continue;
			if (signal.aborted) throw abortError(signal);
			await lock.assertHeld();
			try {
				await repository.removeLeftover(leftover);
				add(result, [leftover], 0);
			} catch (error) {
				if (!isBackupError(error, 'protected')) throw error;
				result.skipped.push({ group, why: error.message });
			}
		}
		await lock.assertHeld();
		const removed = await storage.removeUnfinished(
			`${group}/`,
			(key, startedAt) => parseKey(key)?.group === group && isDue(startedAt),
		);
		add(result, [], removed);
	});
}

interface Found {
	groups: Map<string, { orphans: Leftover[]; unfinished: number }>;
	/** Unfinished objects of the repository itself. */
	own: number;
	young: number;
	/** For people: backups that lost their manifest. */
	lost: string[];
	unknown: Pick<PruneResult, 'unknown' | 'unknownCount'>;
}

/** @param now by the storage's clock, milliseconds since 1970 */
async function look(repository: Repository, graceMs: number, now: number): Promise<Found> {
	const { storage } = repository;
	const isDue = isOlder(now, graceMs);
	const isOwnDue = isOlder(now, Math.max(graceMs, OWN_GRACE_MS));
	const { leftovers, unknown } = await repository.survey();
	const groups: Found['groups'] = new Map();
	const of = (group: string) => {
		const known = groups.get(group) ?? { orphans: [], unfinished: 0 };
		groups.set(group, known);
		return known;
	};
	let young = 0;
	for (const leftover of leftovers) {
		if (leftover.lost) continue;
		// The removal of an expired backup has begun: nobody is writing it.
		if (leftover.expired || isDue(leftover.modifiedAt)) of(leftover.group).orphans.push(leftover);
		else young++;
	}
	let own = 0;
	for await (const { key, startedAt } of storage.unfinished('')) {
		const place = parseKey(key);
		if (place && isDue(startedAt)) of(place.group).unfinished++;
		else if (place) young++;
		if (!place && OWN_PREFIXES.some((prefix) => key.startsWith(prefix)) && isOwnDue(startedAt)) own++;
	}
	const lost = leftovers.filter((leftover) => leftover.lost).map(describeLost);
	return { groups, own, young, lost, unknown: { unknown: unknown.keys, unknownCount: unknown.count } };
}

/** The storage's own time, or null where nothing may be written: a plan can do without. */
async function clockOf({ storage }: Repository, signal: AbortSignal): Promise<number | null> {
	try {
		return await storageTime(storage, 'prune', signal);
	} catch (error) {
		if (isBackupError(error, 'access-denied')) return null;
		throw error;
	}
}

/** S3 tells some of its times to the second only. */
const TOLERANCE_MS = 1000;

function isOlder(now: number, ms: number): (time: Date) => boolean {
	return (time) => now - time.getTime() > ms - TOLERANCE_MS;
}

function add(result: PruneResult, orphans: readonly Leftover[], unfinished: number): void {
	result.orphans.push(...orphans);
	result.freedBytes += orphans.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
	result.unfinished += unfinished;
}

function emptyResult(applied: boolean): PruneResult {
	return {
		applied,
		orphans: [],
		unfinished: 0,
		young: 0,
		staleLocks: [],
		unknown: [],
		unknownCount: 0,
		freedBytes: 0,
		skipped: [],
		warnings: [],
	};
}
