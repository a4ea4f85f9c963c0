/**
 * One writer per group. The lock is an object that can be created only once; its holder shows that it lives by writing
 * a small new object every minute. A holder that died is detected and its lock broken, and the run says so.
 */
import type { Actor } from '../journal/actor';
import { within } from '../../base/deadline';
import { abortError, BackupError, isBackupError, messageOf } from '../../base/errors';
import { tell } from '../../base/events';
import { pause } from '../../base/retry';
import { BEAT_MS, Heartbeat, STALE_AFTER_MS } from '../heartbeat';
import { assertGroup } from '../label';
import {
	breakLock,
	describeHolder,
	forgetId,
	type Holder,
	lookAtLock,
	type LockHolder,
	type LockPurpose,
	newHolder,
	readHolder,
	toPeople,
	whyStale,
} from './holder';
import { aliveKey, lockKey } from '../layout';
import { writeText } from '../small-objects';
import type { Storage } from '../../storage/storage';

export type { LockHolder, LockPurpose } from './holder';
export { findStaleLocks, removeStaleLocks, type StaleLock } from './stale';

/** Giving a lock back waits no longer than this for a storage that does not answer. */
const RELEASE_MS = 60_000;
/** While somebody else holds the lock. */
const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 10_000;
/** A lock that vanishes before one can look at it so often in a row is fought for by others. */
const MAX_MISSES = 3;

export interface Lock {
	/** What was found and done about an earlier holder, for the run's warnings. */
	readonly warnings: readonly string[];
	/** Aborts, with 'locked' as its reason, as soon as a heartbeat finds that somebody else broke the lock. */
	readonly lost: AbortSignal;
	/** Lets the next one in. Never throws: a lock that cannot be removed goes stale by itself. */
	release(): Promise<void>;
	/**
	 * For the moment before something that only the holder may do. Afterwards the lock is safe from being broken for
	 * minutes, unless it was already being broken; so ask once more when it is done.
	 * @throws BackupError 'locked' when somebody broke the lock, because its holder seemed dead; those of the storage
	 */
	assertHeld(): Promise<void>;
}

export interface LockOptions {
	signal?: AbortSignal;
	/** Time between two heartbeats, milliseconds. */
	beatMs?: number;
	/** A lock whose holder sent no heartbeat for this long is broken, milliseconds by the storage's clock. */
	staleAfterMs?: number;
	/** What for; 'backup' when absent. */
	purpose?: LockPurpose;
	/** Whose run it is, for those who have to wait for it. */
	actor?: Actor;
	/** How long to wait while another run holds it and lives, milliseconds; not at all when absent. */
	waitMs?: number;
	/**
	 * Where the storage cannot promise that one of several writers wins: how long to wait before looking whether the lock is still
	 * one's own, milliseconds. @default 0, without a look
	 */
	settleMs?: number;
	/** Called once, when there is somebody to wait for. */
	onWait?: (holder: LockHolder) => void;
}

/**
 * Takes the lock of a group; none in a storage that keeps everything.
 * @throws BackupError 'locked' when another run holds it, lives, and does not give it back in time; 'cancelled'
 */
export async function acquireLock(storage: Storage, group: string, options: LockOptions = {}): Promise<Lock> {
	assertGroup(group);
	if (storage.appendOnly) return NO_LOCK;
	const { signal, staleAfterMs = STALE_AFTER_MS, waitMs = 0, settleMs = 0 } = options;
	const warnings: string[] = [];
	const me = newHolder(options.purpose ?? 'backup', options.actor);
	const start = performance.now();
	let pauses = 0;
	const wait = async () => {
		const longest = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** pauses++);
		// Half of it is random, so that those who wait together do not come together.
		const ms = longest / 2 + (Math.random() * longest) / 2;
		await pause(Math.min(ms, Math.max(0, waitMs - (performance.now() - start))), signal);
	};
	try {
		for (let misses = 0; misses < MAX_MISSES; ) {
			if ((await create(storage, group, me, signal)) && (await stays(storage, group, me, settleMs, signal))) {
				return new HeldLock(storage, group, me, warnings, options);
			}
			const isLate = performance.now() - start >= waitMs;
			const holder = await readHolder(storage, group, signal);
			if (holder) {
				const seen = await lookAtLock(storage, group, holder, signal);
				const why = whyStale(seen, staleAfterMs);
				if (why === null) {
					if (isLate) throw lockedBy(storage, group, toPeople(holder), staleAfterMs);
					if (pauses === 0) options.onWait?.(toPeople(holder));
					await wait();
					continue;
				}
				if (await breakLock(storage, group, seen, staleAfterMs)) {
					const message = `broke the lock of ${describeHolder(toPeople(holder))}: that run ${why}`;
					warnings.push(message);
					tell({ kind: 'lock-broken', message });
				}
			}
			if (isLate) misses++;
			else await wait();
		}
		throw new BackupError('locked', `several runs are trying to write to ${group} at once`, {
			hint: 'Wait for the other run. If this happens every day, move one of the schedules.',
		});
	} catch (error) {
		forgetId(me.id);
		throw error;
	}
}

/**
 * Where a lock could not be given back. Two runs at once then make a backup each, under labels of their own; nothing is removed
 * there that could be missed.
 */
const NO_LOCK: Lock = {
	warnings: [],
	lost: new AbortController().signal,
	release: async () => undefined,
	assertHeld: async () => undefined,
};

/** @returns false when there is one already */
async function create(storage: Storage, group: string, me: Holder, signal?: AbortSignal): Promise<boolean> {
	try {
		await writeText(storage, lockKey(group), JSON.stringify(me), { signal });
		return true;
	} catch (error) {
		if (isBackupError(error, 'already-exists')) return false;
		throw error;
	}
}

/** Whether nobody has written another lock over one's own in the same moment; of those who did, the last one holds it. */
async function stays(
	storage: Storage,
	group: string,
	me: Holder,
	settleMs: number,
	signal?: AbortSignal,
): Promise<boolean> {
	if (settleMs === 0) return true;
	try {
		await pause(settleMs, signal);
		return (await readHolder(storage, group, signal))?.id === me.id;
	} catch (error) {
		// What cannot be given back either goes stale by itself; why it was taken in vain is what counts.
		await giveBack(storage, group, me).catch(() => undefined);
		throw error;
	}
}

/** Removes the lock if it is one's own. */
async function giveBack(storage: Storage, group: string, me: Holder): Promise<void> {
	await within(RELEASE_MS, storage.location, async (signal) => {
		if ((await readHolder(storage, group, signal))?.id === me.id) await storage.remove(lockKey(group), { signal });
	});
}

function lockedBy(storage: Storage, group: string, holder: LockHolder, staleAfterMs: number): BackupError {
	return new BackupError('locked', `${group} is locked by ${describeHolder(holder)}`, {
		hint: `Wait for that run, or stop it. If it died, its lock is broken ${Math.round(staleAfterMs / 60_000)} minutes after its last heartbeat. If there is no such run, remove ${storage.location}/${lockKey(group)}.`,
		details: { ...holder },
	});
}

class HeldLock implements Lock {
	readonly #heartbeat: Heartbeat;
	readonly #lost = new AbortController();
	readonly #staleAfterMs: number;

	constructor(
		private readonly storage: Storage,
		private readonly group: string,
		private readonly me: Holder,
		readonly warnings: string[],
		{ beatMs = BEAT_MS, staleAfterMs = STALE_AFTER_MS, signal }: LockOptions,
	) {
		this.#staleAfterMs = staleAfterMs;
		this.#heartbeat = new Heartbeat(storage, {
			everyMs: beatMs,
			key: (n) => aliveKey(group, me.id, n),
			text: () => JSON.stringify({ id: me.id }),
			goesOn: async (signal) => await this.#isHeld(signal),
		});
		// A run that was told to stop gives the lock back soon, or hangs: then it must not keep the lock for ever.
		signal?.addEventListener('abort', () => this.#heartbeat.halt(), { once: true });
	}

	get lost(): AbortSignal {
		return this.#lost.signal;
	}

	async assertHeld(): Promise<void> {
		// Whoever was silent for long may lose the lock at any moment: a sign first, then the look.
		if (this.#heartbeat.silentMs > this.#staleAfterMs / 2) await this.#heartbeat.beat();
		if (!(await this.#isHeld())) throw abortError(this.lost);
	}

	async release(): Promise<void> {
		const { storage, group, me } = this;
		await this.#orWarn('a heartbeat could not be removed; prune removes it', async () => await this.#heartbeat.stop());
		await this.#orWarn(`the lock of ${group} could not be removed and will be broken by the next run`, async () => {
			await giveBack(storage, group, me);
		});
		forgetId(me.id);
	}

	async #orWarn(text: string, action: () => Promise<void>): Promise<void> {
		try {
			await action();
		} catch (error) {
			this.warnings.push(`${text}: ${messageOf(error)}`);
		}
	}

	async #isHeld(signal?: AbortSignal): Promise<boolean> {
		const holder = await readHolder(this.storage, this.group, signal);
		if (holder?.id === this.me.id) return true;
		const by = holder ? `; now it is held by ${describeHolder(toPeople(holder))}` : '';
		this.#lost.abort(
			new BackupError('locked', `the lock of ${this.group} was broken while this run held it${by}`, {
				hint: `This run sent no heartbeat for ${Math.round(this.#staleAfterMs / 60_000)} minutes, so that another one took over. Look for why the machine or its connection to the storage stood still, and run it again.`,
			}),
		);
		return false;
	}
}
