/** Which groups' backups failed last, as the journal tells. Retention removes nothing while a newer run has failed. */
import { readRuns } from './journal';
import type { BackupEntry } from '../catalog';
import type { GroupContext } from '../../retention/facts';
import type { Storage } from '../../storage/storage';

/**
 * How far back the journal is read, at most. A weekly schedule has failed again within it; what has failed for longer is
 * told by the age of the newest backup.
 */
const LOOK_BACK_MS = 14 * 24 * 3_600_000;
/** So long, what was read once serves the other groups of the same command: reading whole days for each is dear. */
const FRESH_MS = 10 * 60_000;

/** The failed runs of one storage; read when they are asked for, and again when that was too long ago. */
export class FailedRuns {
	#read: { from: number; at: number; contexts: Map<string, GroupContext> } | null = null;

	constructor(private readonly storage: Storage) {}

	/** The newest failed run of each group, as far as it can be newer than its newest backup. */
	async lastOf(entries: readonly BackupEntry[], now: Date, signal: AbortSignal): Promise<Map<string, GroupContext>> {
		if (entries.length === 0) return new Map();
		const from = Math.max(oldestNewest(entries, now.getTime()), now.getTime() - LOOK_BACK_MS);
		const isFresh = this.#read && this.#read.from <= from && performance.now() - this.#read.at < FRESH_MS;
		if (!this.#read || !isFresh) {
			const at = performance.now();
			this.#read = { from, at, contexts: await readFailures(this.storage, new Date(from), now, signal) };
		}
		return this.#read.contexts;
	}
}

/** When the newest backup was made of that group which has gone without for longest. */
function oldestNewest(entries: readonly BackupEntry[], now: number): number {
	const newest = new Map<string, number>();
	for (const { group, startedAt } of entries) {
		newest.set(group, Math.max(newest.get(group) ?? 0, Math.min(startedAt, now)));
	}
	let oldest = now;
	for (const time of newest.values()) oldest = Math.min(oldest, time);
	return oldest;
}

async function readFailures(
	storage: Storage,
	from: Date,
	to: Date,
	signal: AbortSignal,
): Promise<Map<string, GroupContext>> {
	const failures = new Map<string, GroupContext>();
	for (const { verb, group, state, code, startedAt } of await readRuns(storage, { from, to, signal })) {
		// A run that found another one at work says nothing about the source.
		if (verb !== 'backup' || group === null || code === 'locked') continue;
		if (state !== 'failed' && state !== 'lost') continue;
		const at = new Date(startedAt);
		const known = failures.get(group)?.lastFailure;
		if (!known || at > known) failures.set(group, { lastFailure: at });
	}
	return failures;
}
