/** What holders and readers that are gone have left below `locks/`. */
import { isBackupError } from '../../base/errors';
import { STALE_AFTER_MS } from '../heartbeat';
import {
	breakLock,
	describeHolder,
	isBreakerDead,
	isDead,
	readHolder,
	sinceHeartbeat,
	toPeople,
	whyStale,
} from './holder';
import { BESIDE, LOCK, lockKey, LOCKS, markKey } from '../layout';
import { hostName } from '../../base/process-identity';
import { readMark } from './read-marks';
import { storageTime } from '../storage-clock';
import type { Storage, StoredObject } from '../../storage/storage';

/** What a holder that is gone has left in a storage. */
export interface StaleLock {
	key: string;
	/** For people. */
	description: string;
}

export interface StaleLockOptions {
	/** Without a heartbeat for this long its owner counts as gone, milliseconds by the storage's clock. */
	staleAfterMs?: number;
	signal?: AbortSignal;
}

interface Found extends StaleLock {
	/** @returns false when somebody else was faster */
	remove: () => Promise<boolean>;
}

/**
 * Locks, marks of readers, rights to break a lock and heartbeats whose owners are gone. A lock that is damaged is not
 * among them: somebody has to look.
 */
export async function findStaleLocks(storage: Storage, options: StaleLockOptions = {}): Promise<StaleLock[]> {
	return (await find(storage, options)).map(({ key, description }) => ({ key, description }));
}

/** Removes what {@link findStaleLocks} finds at this moment. @returns what was removed */
export async function removeStaleLocks(storage: Storage, options: StaleLockOptions = {}): Promise<StaleLock[]> {
	const removed: StaleLock[] = [];
	for (const { key, description, remove } of await find(storage, options)) {
		if (await remove()) removed.push({ key, description });
	}
	return removed;
}

async function find(storage: Storage, { staleAfterMs = STALE_AFTER_MS, signal }: StaleLockOptions): Promise<Found[]> {
	const objects: StoredObject[] = [];
	for await (const object of storage.list(LOCKS)) objects.push(object);
	if (objects.length === 0) return [];
	const now = await storageTime(storage, 'prune', signal);
	const ofOwner = (group: string, id: string) =>
		objects.filter(({ key }) => {
			const name = BESIDE.exec(key);
			return name?.[1] === group && name[3] === id;
		});
	const discard = (key: string, description: string): Found => ({
		key,
		description,
		remove: async () => {
			await storage.remove(key);
			return true;
		},
	});
	const found: Found[] = [];
	const living = new Set<string>();
	const locked = new Set<string>();
	for (const object of objects.filter(({ key }) => !BESIDE.test(key))) {
		const group = LOCK.exec(object.key)?.[1];
		if (group === undefined) continue;
		locked.add(group);
		const holder = await readHolderIfSound(storage, group, signal);
		if (holder === null) continue;
		living.add(`${group} ${holder.id}`);
		const silentMs = sinceHeartbeat([object, ...ofOwner(group, holder.id)], now);
		const seen = { holder, dead: isDead(holder), silentMs, now };
		const why = whyStale(seen, staleAfterMs);
		if (why === null) continue;
		const description = `lock of ${group} by ${describeHolder(toPeople(holder))}: that run ${why}`;
		found.push({ key: lockKey(group), description, remove: () => breakLock(storage, group, seen, staleAfterMs) });
	}
	for (const object of objects) {
		const [, group, kind, id] = BESIDE.exec(object.key) ?? [];
		if (group === undefined || id === undefined) continue;
		if (kind === 'reading') {
			const why = await whyUnread(storage, group, id, sinceHeartbeat(ofOwner(group, id), now) >= staleAfterMs, signal);
			if (why) found.push(discard(object.key, `mark of a reader of ${group}: ${why}`));
		} else if (!living.has(`${group} ${id}`) || kind === 'break') {
			// Without a lock nobody needs the right to break one, and who was killed in between does not come back for it.
			const isDone = kind === 'break' && !locked.has(group) && (await isBreakerDead(storage, object.key));
			if (!isDone && sinceHeartbeat([object], now) < staleAfterMs) continue;
			found.push(discard(object.key, `left by a run of ${group} that no longer lives`));
		}
	}
	return found;
}

async function readHolderIfSound(storage: Storage, group: string, signal?: AbortSignal) {
	try {
		return await readHolder(storage, group, signal);
	} catch (error) {
		if (isBackupError(error, 'locked')) return null;
		throw error;
	}
}

/** Why a reader counts as gone, or null while it may be reading. */
async function whyUnread(
	storage: Storage,
	group: string,
	id: string,
	isSilent: boolean,
	signal?: AbortSignal,
): Promise<string | null> {
	if (isSilent) return 'it no longer sends heartbeats';
	try {
		const mark = await readMark(storage, markKey(group, id), signal);
		return mark && isDead(mark) ? `its process on ${hostName(mark.host)} is gone` : null;
	} catch (error) {
		if (isBackupError(error, 'damaged')) return null;
		throw error;
	}
}
