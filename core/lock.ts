/**
 * One writer per group. The lock is an object that can be created only once; its holder shows that it lives by writing
 * a small new object every minute. A holder that died is detected and its lock broken, and the run says so.
 *
 *     locks/<group>.json                  the lock: who holds it
 *     locks/<group>.alive-<n>.json        the last sign of life (the one before it is removed)
 *     locks/<group>.break-<id>.json       the right to break the lock <id>: has one winner
 */
import { randomUUID } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { BackupError, isBackupError } from './errors';
import { assertGroup } from './label';
import { readText, writeText } from './small-objects';
import type { Storage, StoredObject } from './storage/storage';

const BEAT_MS = 60_000;
/** Ten beats missed: long enough for a paused machine or a storage that was away, short enough for the next hourly run. */
const STALE_AFTER_MS = 10 * BEAT_MS;

const holderSchema = z.object({
	id: z.string(),
	host: z.string(),
	pid: z.number().int().positive(),
	startedAt: z.string().datetime(),
});
type Holder = z.infer<typeof holderSchema>;

export interface Lock {
	/** What was found and done about an earlier holder, for the run's warnings. */
	readonly warnings: readonly string[];
	/** Aborts, with 'locked' as its reason, as soon as a sign of life finds that somebody else broke the lock. */
	readonly lost: AbortSignal;
	/** Lets the next one in. Never throws: a lock that cannot be removed goes stale by itself. */
	release(): Promise<void>;
	/**
	 * For the moment before something that only the holder may do.
	 * @throws BackupError 'locked' when somebody broke the lock, because its holder seemed dead
	 */
	assertHeld(): Promise<void>;
}

export const PURPOSES = ['backup', 'retention', 'copy'] as const;
export type LockPurpose = (typeof PURPOSES)[number];

/** Who holds a lock, for people. */
export interface LockHolder {
	host: string;
	pid: number;
	purpose: LockPurpose;
	/** ISO 8601. */
	since: string;
}

export interface LockOptions {
	signal?: AbortSignal;
	/** Time between two signs of life, milliseconds. */
	beatMs?: number;
	/** A lock whose holder gave no sign of life for this long is broken, milliseconds by the storage's clock. */
	staleAfterMs?: number;
	/** What for; 'backup' when absent. */
	purpose?: LockPurpose;
	/** How long to wait while another run holds it and lives, milliseconds; not at all when absent. */
	waitMs?: number;
	/** Called once, when there is somebody to wait for. */
	onWait?: (holder: LockHolder) => void;
}

/** What a holder that is gone has left in a storage. */
export interface StaleLock {
	key: string;
	/** For people. */
	description: string;
}

/** Locks, marks of readers, rights to break a lock and signs of life whose owners are gone. */
export async function findStaleLocks(_storage: Storage): Promise<StaleLock[]> {
	return [];
}

/** Removes what {@link findStaleLocks} finds at this moment. @returns what was removed */
export async function removeStaleLocks(storage: Storage): Promise<StaleLock[]> {
	return await findStaleLocks(storage);
}

/** Locks of this process, to tell them from those of an earlier process that happened to have the same pid. */
const heldHere = new Set<string>();

/**
 * Takes the lock of a group.
 * @throws BackupError 'locked' when another run holds it and lives
 */
export async function acquireLock(storage: Storage, group: string, options: LockOptions = {}): Promise<Lock> {
	assertGroup(group);
	const key = `locks/${group}.json`;
	const staleAfterMs = options.staleAfterMs ?? STALE_AFTER_MS;
	const warnings: string[] = [];
	const me: Holder = { id: randomUUID(), host: thisHost(), pid: process.pid, startedAt: new Date().toISOString() };
	for (let attempt = 0; attempt < 3; attempt++) {
		try {
			await writeText(storage, key, JSON.stringify(me), { signal: options.signal });
			return hold(storage, group, me, warnings, options.beatMs ?? BEAT_MS);
		} catch (error) {
			if (!isBackupError(error, 'already-exists')) throw error;
		}
		const holder = await readHolder(storage, key);
		if (!holder) continue; // released meanwhile
		const now = await storageTime(storage, group, options.signal);
		const seen = (await signsOfLife(storage, group)).map((object) => object.modifiedAt.getTime());
		const silentMs = now - Math.max(0, ...seen);
		const dead = isDead(holder);
		if (!dead && silentMs < staleAfterMs) {
			throw new BackupError('locked', `another run has been writing to ${group} since ${holder.startedAt}`, {
				hint: `It runs on ${hostOf(holder)} as process ${holder.pid}. Wait for it, or stop it. If it died, its lock is broken ${Math.round(staleAfterMs / 60_000)} minutes after its last sign of life.`,
				details: { host: hostOf(holder), pid: holder.pid, since: holder.startedAt },
			});
		}
		if (await breakLock(storage, group, holder, now, staleAfterMs)) {
			warnings.push(
				`broke the lock of a run that started ${holder.startedAt} on ${hostOf(holder)} (process ${holder.pid}) and ${dead ? 'no longer exists' : `gave no sign of life for ${Math.round(silentMs / 60_000)} minutes`}`,
			);
		}
	}
	throw new BackupError('locked', `several runs are trying to write to ${group} at once`, {
		hint: 'Wait for the other run. If this happens every day, move one of the schedules.',
	});
}

function hold(storage: Storage, group: string, me: Holder, warnings: string[], beatMs: number): Lock {
	heldHere.add(me.id);
	let beat = 0;
	const beatKey = (n: number) => `locks/${group}.alive-${n}.json`;
	let running: Promise<void> = Promise.resolve();
	const signOfLife = async () => {
		try {
			await writeText(storage, beatKey(beat + 1), JSON.stringify({ id: me.id }));
			if (beat > 0) await storage.remove(beatKey(beat));
			beat += 1;
		} catch (error) {
			// A storage that is away for a moment must not end the run: the next beat, or the run's own write, will tell.
			if (!isBackupError(error)) throw error;
		}
	};
	const timer = setInterval(() => {
		running = running.then(signOfLife);
	}, beatMs);
	timer.unref();
	return {
		warnings,
		lost: new AbortController().signal,
		async assertHeld() {
			const holder = await readHolder(storage, `locks/${group}.json`);
			if (holder?.id !== me.id) throw new BackupError('locked', `the lock of ${group} was broken`);
		},
		async release() {
			clearInterval(timer);
			try {
				await running;
				if (beat > 0) await storage.remove(beatKey(beat));
				const holder = await readHolder(storage, `locks/${group}.json`);
				if (holder?.id === me.id) await storage.remove(`locks/${group}.json`);
			} catch (error) {
				if (!isBackupError(error)) throw error;
				warnings.push(`the lock of ${group} could not be removed and will be broken by the next run: ${error.message}`);
			} finally {
				heldHere.delete(me.id);
			}
		},
	};
}

async function readHolder(storage: Storage, key: string): Promise<Holder | null> {
	let text: string;
	try {
		text = await readText(storage, key);
	} catch (error) {
		if (isBackupError(error, 'not-found')) return null;
		throw error;
	}
	try {
		return holderSchema.parse(JSON.parse(text));
	} catch (cause) {
		throw new BackupError('locked', `the lock ${storage.location}/${key} is damaged`, {
			hint: 'Make sure that no other run writes to this group, then remove that file.',
			cause,
		});
	}
}

/** The time by the storage's own clock: clocks of two machines may differ. */
async function storageTime(storage: Storage, group: string, signal?: AbortSignal): Promise<number> {
	const key = `locks/${group}.probe-${randomUUID()}.json`;
	const { modifiedAt } = await writeText(storage, key, '{}', { signal });
	await storage.remove(key);
	return modifiedAt.getTime();
}

/** The lock and its holder's signs of life. */
async function signsOfLife(storage: Storage, group: string): Promise<StoredObject[]> {
	const start = `locks/${group}.`;
	const found: StoredObject[] = [];
	for await (const object of storage.list(start)) {
		if (/^(json|alive-\d+\.json)$/.test(object.key.slice(start.length))) found.push(object);
	}
	return found;
}

/** Removes a dead holder's lock, unless somebody else is doing so or has done so. */
async function breakLock(storage: Storage, group: string, holder: Holder, now: number, staleAfterMs: number) {
	const key = `locks/${group}.json`;
	const right = `locks/${group}.break-${holder.id}.json`;
	try {
		await writeText(storage, right, JSON.stringify({ pid: process.pid, host: thisHost() }));
	} catch (error) {
		if (!isBackupError(error, 'already-exists')) throw error;
		const other = await storage.stat(right);
		// Its owner died while breaking the lock: free the right, and try again.
		if (other && now - other.modifiedAt.getTime() > staleAfterMs) await storage.remove(right);
		return false;
	}
	// Somebody may have broken it, and a new holder taken it, between our look at it and our right to break it.
	const broken = (await readHolder(storage, key))?.id === holder.id;
	if (broken) {
		for (const alive of await signsOfLife(storage, group)) {
			if (alive.key !== key) await storage.remove(alive.key);
		}
		await storage.remove(key);
	}
	await storage.remove(right);
	return broken;
}

/** Whether the holder ran on this very machine and is gone. Of another machine nothing is known. */
function isDead(holder: Holder): boolean {
	if (holder.host !== thisHost()) return false;
	if (holder.pid === process.pid) return !heldHere.has(holder.id);
	try {
		process.kill(holder.pid, 0);
		return false;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'ESRCH';
	}
}

/** Host name and, on Linux, the pid namespace: two containers can share a host name, but not their process numbers. */
function thisHost(): string {
	try {
		return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
	} catch {
		return hostname(); // not Linux: processes of one host name share their numbers
	}
}

function hostOf(holder: Holder): string {
	return holder.host.split(' ')[0]!;
}
