/** Reads what a status is made of. Writes nothing that stays, takes no lock, and works on a storage that is read-only or damaged in part. */
import { createHash } from 'node:crypto';
import { BackupError, isBackupError, isOfStorage, messageOf } from '../../base/errors';
import { inParallel } from '../../base/in-parallel';
import { openLosses } from '../../records/approval';
import { assessEvidence } from '../../records/assessment';
import { NOT_AUTHENTIC } from '../../records/authority';
import type { BackupEntry } from '../../records/catalog';
import { nameOfVerification, type Verification } from '../../records/evidence';
import { readNewestRuns } from '../../records/journal/journal';
import { AHEAD_MS } from '../../records/label';
import { prove, readable } from '../../records/proof';
import type { Repository } from '../../records/repository';
import type { DrillFacts, GroupFacts, ReadBackup, StorageFacts, Unusable } from './facts';

const DAY_MS = 24 * 3_600_000;
/** Read first: what is under way, and what failed last. */
const NEAR_DAYS = 3;
/** Read as well where the near days say that it takes no more than {@link MAX_ENTRIES} reads. */
const FAR_DAYS = 30;
/** Of the journal, the newest ones. Where log is collected every half minute, they are of a day. */
const MAX_ENTRIES = 6000;
/** Objects read at the same time. */
const READERS = 16;
/** Manifests of a group that are looked at for durations and rows. */
const RECENT = 8;
/** Backups of a group that nobody can read before one stops looking for a newer good one. */
const MAX_UNUSABLE = 5;
/** Backups of a group whose proof is looked at before one says that none is proved. */
const MAX_PROOFS = 5;

export interface ReadStatusOptions {
	/** By this machine's clock. */
	now: Date;
	signal: AbortSignal;
	/** Only groups for which this is true. */
	isWanted?: (group: string) => boolean;
}

/**
 * Reads one storage: a listing, the journal of some days, and of each group a few manifests and pieces of evidence.
 * @throws BackupError where the storage itself cannot be listed; 'cancelled'
 */
export async function readStorage(repository: Repository, options: ReadStatusOptions): Promise<StorageFacts> {
	const { now, signal, isWanted = () => true } = options;
	const { storage } = repository;
	// A listing waits for one answer after the other; meanwhile thousands of entries can be read. Neither is left alone where the other fails.
	const [listed, read] = await Promise.allSettled([repository.survey(), readJournal(repository, now, signal)]);
	if (listed.status === 'rejected') throw listed.reason;
	if (read.status === 'rejected') throw read.reason;
	const { backups, leftovers } = listed.value;
	const { problems, ...journal } = read.value;
	const members = [...Map.groupBy(backups, ({ group }) => group)].filter(([group]) => isWanted(group));
	const groups = await inParallel(
		members,
		READERS,
		async ([group, entries]) => await readGroup(repository, group, entries, now, signal),
	);
	const space = await orNull(async () => await storage.space({ signal }), signal);
	return {
		location: storage.location,
		repository: repository.id,
		...{ groups, ...journal, space, problems: [...repository.warnings, ...problems] },
		usedBytes: [...backups, ...leftovers].reduce((sum, { storedBytes }) => sum + storedBytes, 0),
		leftovers: {
			count: leftovers.length,
			lost: leftovers.filter(({ lost }) => lost).map(({ group, label }) => `${group}/${label}`),
		},
	};
}

async function readJournal(
	{ storage }: Repository,
	now: Date,
	signal: AbortSignal,
): Promise<Pick<StorageFacts, 'runs' | 'runsSince' | 'problems'>> {
	const to = new Date(now.getTime() + DAY_MS);
	const since = (days: number) => new Date(now.getTime() - days * DAY_MS);
	try {
		const near = await readNewestRuns(storage, { from: since(NEAR_DAYS), to, signal }, MAX_ENTRIES);
		// Two entries per run.
		if ((near.runs.length * 2 * FAR_DAYS) / NEAR_DAYS > MAX_ENTRIES) {
			return { runs: near.runs, runsSince: near.since, problems: [] };
		}
		const far = await readNewestRuns(storage, { from: since(FAR_DAYS), to, signal }, MAX_ENTRIES);
		return { runs: far.runs, runsSince: far.since, problems: [] };
	} catch (error) {
		if (signal.aborted || !isBackupError(error)) throw error;
		return { runs: [], runsSince: now, problems: [`the journal cannot be read: ${error.message}`] };
	}
}

async function readGroup(
	repository: Repository,
	group: string,
	entries: readonly BackupEntry[],
	now: Date,
	signal: AbortSignal,
): Promise<GroupFacts> {
	const limit = now.getTime() + AHEAD_MS;
	const past = entries.filter(({ startedAt }) => startedAt <= limit);
	const unusable: Unusable[] = [];
	const recent: ReadBackup[] = [];
	for (const entry of past.toReversed()) {
		if (recent.length === RECENT || (recent.length === 0 && unusable.length === MAX_UNUSABLE)) break;
		const read = await readable(async () => await repository.readManifestText(group, entry.label, signal), { signal });
		if ('value' in read) {
			const { manifest, text } = read.value;
			recent.unshift({ entry, manifest, sha256: createHash('sha256').update(text).digest('hex') });
		} else if (recent.length === 0) {
			unusable.push({ label: entry.label, why: read.why, notAuthentic: NOT_AUTHENTIC.includes(read.code) });
		}
	}
	const newest = recent.at(-1) ?? null;
	return {
		...{ group, entries, unusable, recent, newest },
		losses: newest ? await openLosses(repository, newest.manifest, entries, signal) : [],
		proved: await findProved(repository, past, limit, signal),
		drill: await findDrill(repository, past, limit, signal),
	};
}

/** The newest backup whose evidence holds when it is read. */
async function findProved(
	repository: Repository,
	entries: readonly BackupEntry[],
	limit: number,
	signal: AbortSignal,
): Promise<GroupFacts['proved']> {
	const named = entries.filter(({ verifications }) => assessEvidence(verifications, limit).proved !== null);
	for (const entry of named.slice(-MAX_PROOFS).toReversed()) {
		const proof = await prove(repository, entry, limit, signal);
		if (!proof.readable) continue;
		const { proved } = assessEvidence(proof.verifications, limit);
		if (proved) return { entry, at: proved.at, depth: proved.depth };
	}
	return null;
}

async function findDrill(
	repository: Repository,
	entries: readonly BackupEntry[],
	limit: number,
	signal: AbortSignal,
): Promise<DrillFacts | null> {
	let newest: { entry: BackupEntry; verification: Verification } | null = null;
	for (const entry of entries) {
		for (const verification of entry.verifications) {
			const { at, depth, ok } = verification;
			if (ok && depth === 'restored' && at <= limit && at > (newest?.verification.at ?? 0))
				newest = { entry, verification };
		}
	}
	if (!newest) return null;
	const { group, label } = newest.entry;
	const name = nameOfVerification(newest.verification);
	const evidence = await orNull(async () => await repository.readEvidence(group, label, name, signal), signal);
	const seconds = evidence?.facts.restoreSeconds;
	return { label, at: newest.verification.at, seconds: typeof seconds === 'number' ? seconds : null };
}

/** What is good to know, and no reason to know nothing. */
async function orNull<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T | null> {
	try {
		return await read();
	} catch (error) {
		if (signal.aborted || !isBackupError(error)) throw error;
		return null;
	}
}

/** A storage that cannot be looked at: its location, and why. */
export function unreachable(location: string, error: unknown, now: Date): StorageFacts {
	if (!(error instanceof BackupError) || (!isOfStorage(error.code) && error.code !== 'not-found')) throw error;
	return {
		...{ location, repository: null, groups: [], runs: [], runsSince: now, space: null, usedBytes: 0 },
		leftovers: { count: 0, lost: [] },
		problems: [`cannot be looked at: ${messageOf(error)}`],
	};
}
