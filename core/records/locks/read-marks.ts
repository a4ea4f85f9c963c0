/**
 * Readers and retention respect each other: who reads a backup leaves a mark first and looks for retention then;
 * retention takes the lock first and looks for marks then. So one of them always sees the other.
 *
 *     locks/<group>.reading-<id>.json       who reads which backup
 *     locks/<group>.reading-<id>-<n>.json   the reader's last heartbeat
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type Verb, VERBS } from '../journal/actor';
import { within } from '../../base/deadline';
import { abortError, BackupError, isBackupError, messageOf } from '../../base/errors';
import { BEAT_MS, Heartbeat, STALE_AFTER_MS } from '../heartbeat';
import { assertGroup } from '../label';
import {
	breakLock,
	describeHolder,
	forgetId,
	isDead,
	lookAtLock,
	newId,
	readHolder,
	sinceHeartbeat,
	toPeople,
	whyStale,
} from './holder';
import { lockKey, MARK, markKey, markPrefix } from '../layout';
import { hostName, thisHost } from '../../base/process-identity';
import { readText, writeText } from '../small-objects';
import { storageTime } from '../storage-clock';
import type { Storage, StoredObject } from '../../storage/storage';

const WAIT_MS = 15 * 60_000;
const POLL_MS = 2000;
/** A mark must not hold up a restore for longer than this. */
const MARK_MS = 5000;

export interface ReadingOptions {
	verb: Verb;
	signal?: AbortSignal;
	/** How long to wait for retention to end; 15 minutes when absent. */
	waitMs?: number;
	/** Time between two heartbeats, milliseconds. */
	beatMs?: number;
	/** A lock of retention without a heartbeat for this long is broken, milliseconds by the storage's clock. */
	staleAfterMs?: number;
}

export interface Reading {
	/** That the storage takes no mark, that a lock of retention was broken; more may be added until `stop` has resolved. */
	readonly warnings: readonly string[];
	/** Takes the mark away. Never throws: a mark that cannot be removed goes stale by itself. */
	stop(): Promise<void>;
}

/** Somebody who reads a backup right now. */
export interface Reader {
	label: string;
	verb: Verb;
	host: string;
	/** ISO 8601. */
	since: string;
}

const markSchema = z.object({
	id: z.string(),
	/** As {@link thisHost} gives it. */
	host: z.string(),
	pid: z.number().int().positive(),
	label: z.string(),
	verb: z.enum(VERBS),
	startedAt: z.string().datetime(),
});
export type Mark = z.infer<typeof markSchema>;

/**
 * Marks a backup as being read. Retention that runs is waited for. A storage that takes no mark gives a warning: a restore
 * must work from one that can only be read.
 * @throws BackupError 'locked' when retention does not end in time, 'cancelled'
 */
export async function startReading(
	storage: Storage,
	group: string,
	label: string,
	options: ReadingOptions,
): Promise<Reading> {
	assertGroup(group);
	const { signal, verb } = options;
	const warnings: string[] = [];
	// A mark could not be taken away again, and would keep retention elsewhere from this backup.
	if (storage.appendOnly) return { warnings, stop: async () => undefined };
	const mark: Mark = {
		id: newId(),
		host: thisHost(),
		pid: process.pid,
		label,
		verb,
		startedAt: new Date().toISOString(),
	};
	try {
		await within(
			MARK_MS,
			storage.location,
			async (limit) => await writeText(storage, markKey(group, mark.id), JSON.stringify(mark), { signal: limit }),
			signal,
		);
	} catch (error) {
		forgetId(mark.id);
		if (signal?.aborted || !isBackupError(error)) throw error;
		warnings.push(`retention cannot be told that this backup is being read: ${error.message}`);
		return { warnings, stop: async () => undefined };
	}
	const heartbeat = new Heartbeat(storage, {
		everyMs: options.beatMs ?? BEAT_MS,
		key: (n) => markKey(group, mark.id, n),
		text: () => JSON.stringify({ id: mark.id }),
	});
	// A run that was told to stop removes the mark soon, or hangs: then the mark must go stale.
	signal?.addEventListener('abort', () => heartbeat.halt(), { once: true });
	const reading: Reading = {
		warnings,
		async stop() {
			try {
				await heartbeat.stop();
				await within(MARK_MS, storage.location, async (signal) => {
					await storage.remove(markKey(group, mark.id), { signal });
				});
			} catch (error) {
				warnings.push(
					`the mark of reading ${group}/${label} could not be removed and goes stale by itself: ${messageOf(error)}`,
				);
			} finally {
				forgetId(mark.id);
			}
		},
	};
	try {
		warnings.push(...(await waitForRetention(storage, group, options)));
		return reading;
	} catch (error) {
		await reading.stop();
		throw error;
	}
}

/**
 * Waits until retention removes no backups of the group.
 * @returns warnings
 * @throws BackupError 'locked', 'cancelled'
 */
async function waitForRetention(
	storage: Storage,
	group: string,
	{ signal, waitMs = WAIT_MS, staleAfterMs = STALE_AFTER_MS }: ReadingOptions,
): Promise<string[]> {
	const start = performance.now();
	for (;;) {
		const { holder, warnings } = await lookForRetention(storage, group, staleAfterMs, signal);
		if (holder === null) return warnings;
		const leftMs = waitMs - (performance.now() - start);
		if (leftMs <= 0) {
			throw new BackupError('locked', `${group} is locked by ${holder}`, {
				hint: `Retention is removing backups of this group. Try again when it has ended, or stop it. If there is no such run, remove ${storage.location}/${lockKey(group)}.`,
			});
		}
		try {
			await delay(Math.min(POLL_MS, leftMs), undefined, { signal });
		} catch (error) {
			throw signal?.aborted ? abortError(signal) : error;
		}
	}
}

/**
 * A lock that cannot be looked at must not fail a restore.
 * @returns who removes backups just now; null when nobody does, with what to warn of
 */
async function lookForRetention(
	storage: Storage,
	group: string,
	staleAfterMs: number,
	signal?: AbortSignal,
): Promise<{ holder: string | null; warnings: string[] }> {
	const nobody = (...warnings: string[]) => ({ holder: null, warnings });
	try {
		const holder = await readHolder(storage, group, signal);
		if (holder?.purpose !== 'retention') return nobody();
		const seen = await lookAtLock(storage, group, holder, signal);
		const why = whyStale(seen, staleAfterMs);
		const name = describeHolder(toPeople(holder));
		if (why === null) return { holder: name, warnings: [] };
		// Its holder may only be paused: without its lock it removes nothing more.
		if (!(await breakLock(storage, group, seen, staleAfterMs))) return { holder: name, warnings: [] };
		return nobody(`broke the lock of ${name}: that run ${why}`);
	} catch (error) {
		if (signal?.aborted) throw abortError(signal);
		if (!isBackupError(error)) throw error;
		return nobody(`whether retention is removing backups of ${group} could not be seen: ${error.message}`);
	}
}

/**
 * Who reads backups of a group right now. Ask it after taking the lock.
 * @throws BackupError 'damaged' when a mark that is not old cannot be read: somebody reads, and nobody knows what
 */
export async function listReaders(
	storage: Storage,
	group: string,
	options: { staleAfterMs?: number; signal?: AbortSignal } = {},
): Promise<Reader[]> {
	assertGroup(group);
	const { staleAfterMs = STALE_AFTER_MS, signal } = options;
	const start = markPrefix(group);
	const found = new Map<string, StoredObject[]>();
	for await (const object of storage.list(start)) {
		const id = MARK.exec(object.key.slice(start.length))?.[1];
		if (id) found.set(id, [...(found.get(id) ?? []), object]);
	}
	if (found.size === 0) return [];
	const now = await storageTime(storage, group, signal);
	const readers: Reader[] = [];
	for (const [id, objects] of found) {
		if (sinceHeartbeat(objects, now) >= staleAfterMs) continue;
		const mark = await readMark(storage, markKey(group, id), signal);
		if (!mark || isDead(mark)) continue;
		const { label, verb, host, startedAt } = mark;
		readers.push({ label, verb, host: hostName(host), since: startedAt });
	}
	return readers;
}

/** @returns null when it is gone. @throws BackupError 'damaged' */
export async function readMark(storage: Storage, key: string, signal?: AbortSignal): Promise<Mark | null> {
	let text: string;
	try {
		text = await readText(storage, key, signal);
	} catch (error) {
		if (isBackupError(error, 'not-found')) return null;
		throw error;
	}
	try {
		return markSchema.parse(JSON.parse(text));
	} catch (cause) {
		throw new BackupError('damaged', `the mark of a reader ${storage.location}/${key} is damaged`, {
			hint: 'Make sure that nobody reads backups of this group, then remove that file.',
			cause,
		});
	}
}
