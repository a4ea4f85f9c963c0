/**
 * Who holds a group's lock, whether they live, and taking the lock from one who does not.
 *
 *     locks/<group>.json                   the lock: who holds it
 *     locks/<group>.alive-<id>-<n>.json    the holder's last heartbeat
 *     locks/<group>.break-<id>.json        the right to break the lock <id>, or the right <id>: has one winner
 */
import { z } from 'zod';
import type { Actor } from '../journal/actor';
import { BackupError, isBackupError } from '../../base/errors';
import { AHEAD_MS } from '../label';
import { hostName, hasEnded, thisHost } from '../../base/process-identity';
import { randomWord } from '../../base/random-word';
import { readText, writeText } from '../small-objects';
import { storageTime } from '../storage-clock';
import type { Storage, StoredObject } from '../../storage/storage';
import { lockKey, breakKey, aliveKey, lockPrefix } from '../layout';

const DAY_MS = 24 * 3_600_000;

export const PURPOSES = ['backup', 'retention', 'copy'] as const;
export type LockPurpose = (typeof PURPOSES)[number];

/** Who holds a lock, for people. */
export interface LockHolder {
	host: string;
	pid: number;
	purpose: LockPurpose;
	/** ISO 8601. */
	since: string;
	/** Of n8n: number of the workflow and of the execution. */
	workflow?: string;
	execution?: string;
}

/** Longer names are cut: a lock that cannot be read again would stand in everybody's way. */
const MAX_WORD = 200;

const holderSchema = z.object({
	id: z.string(),
	/** As {@link thisHost} gives it. */
	host: z.string(),
	pid: z.number().int().positive(),
	/** Absent in locks of early versions. */
	purpose: z.enum(PURPOSES).default('backup'),
	startedAt: z.string().datetime(),
	workflow: z.string().max(MAX_WORD).optional(),
	execution: z.string().max(MAX_WORD).optional(),
});
export type Holder = z.infer<typeof holderSchema>;

/** A lock as it was found. */
export interface SeenLock {
	holder: Holder;
	/** The holder's process is known to be gone. */
	dead: boolean;
	/** Since its last heartbeat, milliseconds by the storage's clock. */
	silentMs: number;
	/** By the storage's clock. */
	now: number;
}

const REGISTRY = Symbol.for('n8n-nodes-backup.ids');
type WithRegistry = typeof globalThis & { [REGISTRY]?: Set<string> };

/**
 * Locks, marks and runs of this process, to tell them from those of an earlier one that happened to have the same number.
 * Common to all copies of this module: n8n loads an updated package beside the one whose runs go on.
 */
const ownIds = ((globalThis as WithRegistry)[REGISTRY] ??= new Set<string>());

/** Makes a holder of this process. `forget` it when it holds nothing any more. */
export function newHolder(purpose: LockPurpose, { workflow, execution }: Partial<Actor> = {}): Holder {
	const id = newId();
	return {
		...{ id, host: thisHost(), pid: process.pid, purpose, startedAt: new Date().toISOString() },
		workflow: workflow?.slice(0, MAX_WORD),
		execution: execution?.slice(0, MAX_WORD),
	};
}

/** For the name of a lock, of a mark, of a run. */
export function newId(): string {
	const id = randomWord(12);
	ownIds.add(id);
	return id;
}

export function forgetId(id: string): void {
	ownIds.delete(id);
}

/** Whether what left this behind no longer exists. */
export function isDead({ id, host, pid }: { id: string; host: string; pid: number }): boolean {
	return hasEnded(host, pid) || (host === thisHost() && pid === process.pid && !ownIds.has(id));
}

export function toPeople({ host, pid, purpose, startedAt, workflow, execution }: Holder): LockHolder {
	return { host: hostName(host), pid, purpose, since: startedAt, workflow, execution };
}

/** "n8n (process 7, backup, workflow 3kX, execution 41) since 2026-11-26T02:00:00.000Z" */
export function describeHolder({ host, pid, purpose, since, workflow, execution }: LockHolder): string {
	const run = [workflow && `workflow ${workflow}`, execution && `execution ${execution}`].filter(Boolean);
	return `${host} (${[`process ${pid}`, purpose, ...run].join(', ')}) since ${since}`;
}

/**
 * Who holds the lock of a group, or null when nobody does.
 * @throws BackupError 'locked' when the lock is damaged
 */
export async function readHolder(storage: Storage, group: string, signal?: AbortSignal): Promise<Holder | null> {
	const key = lockKey(group);
	let text: string;
	try {
		text = await readText(storage, key, signal);
	} catch (error) {
		if (isBackupError(error, 'not-found')) return null;
		throw isBackupError(error, 'damaged') ? damagedLock(`${storage.location}/${key}`, error) : error;
	}
	try {
		return holderSchema.parse(JSON.parse(text));
	} catch (cause) {
		throw damagedLock(`${storage.location}/${key}`, cause);
	}
}

function damagedLock(place: string, cause: unknown): BackupError {
	return new BackupError('locked', `the lock ${place} is damaged`, {
		hint: 'Make sure that no other run writes to this group, then remove that file.',
		cause,
	});
}

/** What is to be known of a lock before deciding whether to break it. */
export async function lookAtLock(
	storage: Storage,
	group: string,
	holder: Holder,
	signal?: AbortSignal,
): Promise<SeenLock> {
	const now = await storageTime(storage, group, signal);
	return {
		holder,
		dead: isDead(holder),
		silentMs: sinceHeartbeat(await heartbeatsOf(storage, group, holder.id), now),
		now,
	};
}

/**
 * Milliseconds since the last heartbeat, by the storage's clock. Those that this clock dates in the future do not count: whoever
 * lives sends new ones, and a file of the year 2099 would count as alive until then.
 * @param heartbeats the objects; without any that counts it is the time since 1970
 * @param now milliseconds since 1970
 */
export function sinceHeartbeat(heartbeats: readonly StoredObject[], now: number): number {
	const times = heartbeats.map(({ modifiedAt }) => modifiedAt.getTime()).filter((time) => time <= now + AHEAD_MS);
	return now - Math.max(0, ...times);
}

/** Why a lock may be broken, for people; null while its holder lives. */
export function whyStale(
	{ dead, silentMs, now }: Pick<SeenLock, 'dead' | 'silentMs' | 'now'>,
	staleAfterMs: number,
): string | null {
	if (dead) return 'no longer exists';
	if (silentMs < staleAfterMs) return null;
	// Longer than the clock has run: there is none that counts.
	if (silentMs > now - DAY_MS) return 'has only heartbeats that are dated in the future';
	return `sent no heartbeat for ${Math.round(silentMs / 60_000)} minutes`;
}

/**
 * Takes the lock from a holder that is gone, unless somebody else is doing so or has done so.
 * @returns whether it was broken here
 */
export async function breakLock(
	storage: Storage,
	group: string,
	{ holder, now }: SeenLock,
	staleAfterMs: number,
): Promise<boolean> {
	const me: Breaker = { id: newId(), host: thisHost(), pid: process.pid };
	try {
		const rights = await claimRights(
			storage,
			group,
			holder.id,
			me,
			(right) => sinceHeartbeat([right], now) >= staleAfterMs,
		);
		if (rights === null) return false;
		for (const { key } of await heartbeatsOf(storage, group, holder.id)) {
			if (key !== lockKey(group)) await storage.remove(key);
		}
		// Somebody may have broken it, and a new holder taken it, before the right was ours: look as late as possible.
		const broken = (await readHolder(storage, group))?.id === holder.id;
		if (broken) await storage.remove(lockKey(group));
		for (const right of rights) await storage.remove(right);
		return broken;
	} finally {
		forgetId(me.id);
	}
}

const breakerSchema = z.object({ id: z.string(), host: z.string(), pid: z.number().int().positive() });
type Breaker = z.infer<typeof breakerSchema>;

/**
 * Takes the right to break a lock. From one who died while breaking it, takes the right to break that right, and so on: each
 * has one winner, and none has to be removed before the lock is broken.
 * @param hasLapsed whether a right is so old that it no longer counts
 * @returns the keys of all rights up to the own one, or null when somebody who lives has it
 */
async function claimRights(
	storage: Storage,
	group: string,
	holderId: string,
	me: Breaker,
	hasLapsed: (right: StoredObject) => boolean,
): Promise<string[] | null> {
	const keys: string[] = [];
	for (let id = holderId; ; ) {
		const key = breakKey(group, id);
		keys.push(key);
		try {
			await writeText(storage, key, JSON.stringify(me));
			return keys;
		} catch (error) {
			if (!isBackupError(error, 'already-exists')) throw error;
		}
		const other = await readBreaker(storage, key);
		const seen = other ? await storage.stat(key) : null;
		if (!other || !seen || keys.includes(breakKey(group, other.id))) return null;
		if (!isDead(other) && !hasLapsed(seen)) return null;
		id = other.id;
	}
}

/** Whether the process that took this right to break a lock is known to be gone. */
export async function isBreakerDead(storage: Storage, key: string): Promise<boolean> {
	const breaker = await readBreaker(storage, key);
	return breaker !== null && isDead(breaker);
}

/** @returns null when it has been broken meanwhile, or when the right is damaged: then prune removes it when it is old */
async function readBreaker(storage: Storage, key: string): Promise<Breaker | null> {
	let text: string;
	try {
		text = await readText(storage, key);
	} catch (error) {
		if (isBackupError(error, 'not-found', 'damaged')) return null;
		throw error;
	}
	try {
		return breakerSchema.parse(JSON.parse(text));
	} catch (error) {
		if (error instanceof z.ZodError || error instanceof SyntaxError) return null;
		throw error;
	}
}

/** The lock, and the heartbeats of one holder: those of an earlier one, who lives on unknowing, do not count. */
async function heartbeatsOf(storage: Storage, group: string, id: string): Promise<StoredObject[]> {
	const alive = aliveKey(group, id);
	const found: StoredObject[] = [];
	for await (const object of storage.list(lockPrefix(group))) {
		if (object.key === lockKey(group) || object.key.startsWith(alive)) found.push(object);
	}
	return found;
}
