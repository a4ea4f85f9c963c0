/** Removes the backups that a plan expires, one by one, and none that somebody reads, needs or protects. */
import { MANIFEST, objectKey } from '../../records/layout';
import { abortError, BackupError, isBackupError } from '../../base/errors';
import { protectedUntil } from './protection';
import { inParallel } from '../../base/in-parallel';
import type { Lock } from '../../records/locks/lock';
import type { Reader } from '../../records/locks/read-marks';
import { type Repository } from '../../records/repository';
import { Chains } from '../../retention/chains';
import type { PlannedBackup } from '../../retention/plan';
import type { BackupFacts } from '../../retention/facts';

/** Full backups removed at the same time. */
const AT_ONCE = 4;

/** A backup that its policy lets go of, and that stays for now. */
export interface Skipped {
	label: string;
	/** For people. */
	why: string;
	/** ISO 8601: when the storage lets go of it; absent where that is not what it waits for. */
	until?: string;
}

export interface Removal {
	removed: string[];
	freedBytes: number;
	skipped: Skipped[];
}

export interface RemovalRequest {
	repository: Repository;
	group: string;
	lock: Lock;
	/** Every backup of the group, oldest first. */
	facts: readonly BackupFacts[];
	expired: readonly PlannedBackup[];
	readers: readonly Reader[];
	signal: AbortSignal;
	onRemoved: (removal: Removal) => void;
}

/**
 * Removes backups, newest first, so that none is ever there without those it needs.
 * @param removal is filled as they go, so that a caller knows what was removed before a failure
 * @throws BackupError of the storage, 'locked', 'cancelled'
 */
export async function removeExpired(request: RemovalRequest, removal: Removal): Promise<void> {
	const { readers, expired, facts } = request;
	const staying = new Staying(facts);
	for (const { label, verb, host, since } of readers)
		staying.add(label, `${verb} on ${host} has been reading it since ${since}`);
	const types = new Map(facts.map(({ label, type }) => [label, type]));
	const newestFirst = [...expired].reverse();
	const remove = async (backup: PlannedBackup) => await removeOne(request, backup, staying, removal);
	// What others need may go only after them, and only if they went.
	await inParallel(
		newestFirst.filter(({ label }) => types.get(label) !== 'full'),
		1,
		remove,
	);
	await inParallel(
		newestFirst.filter(({ label }) => types.get(label) === 'full'),
		AT_ONCE,
		remove,
	);
}

async function removeOne(
	{ repository, group, lock, signal, onRemoved }: RemovalRequest,
	{ label, reasons, storedBytes }: PlannedBackup,
	staying: Staying,
	removal: Removal,
): Promise<void> {
	if (signal.aborted) throw abortError(signal);
	const skip = (why: string, until?: string) => {
		staying.add(label, why);
		removal.skipped.push({ label, why, ...(until !== undefined && { until }) });
	};
	const why = staying.why(label);
	if (why !== undefined) return skip(why);
	const until = await protectedUntil(repository, group, label);
	if (until) return skip(`the storage protects it until ${until.toISOString()}`, until.toISOString());
	await lock.assertHeld();
	try {
		await repository.expire(group, label, reasons, signal);
	} catch (error) {
		// Somebody protected it after we had looked.
		if (!isBackupError(error, 'protected')) throw error;
		const isWhole = (await repository.storage.stat(objectKey(group, label, MANIFEST))) !== null;
		if (isWhole) await repository.keep(group, label);
		return skip(isWhole ? error.message : `removed but for what is protected: ${error.message}`, untilOf(error));
	}
	removal.removed.push(label);
	removal.freedBytes += storedBytes;
	onRemoved(removal);
}

/** The backups that cannot go now, and all that they need. */
class Staying {
	readonly #why = new Map<number, string>();
	readonly #places: Map<string, number>;
	readonly #chains: Chains;

	constructor(facts: readonly BackupFacts[]) {
		this.#places = new Map(facts.map(({ label }, place) => [label, place]));
		this.#chains = new Chains(facts, this.#places);
	}

	why(label: string): string | undefined {
		return this.#why.get(this.#places.get(label)!);
	}

	add(label: string, why: string): void {
		const place = this.#places.get(label);
		// Somebody may read what is no backup any more.
		if (place === undefined) return;
		this.#why.set(place, why);
		for (const needed of this.#chains.neededBy([place]).keys()) {
			if (!this.#why.has(needed)) this.#why.set(needed, `${label} needs it, which stays`);
		}
	}
}

export function untilOf(error: BackupError): string | undefined {
	const until = error.details?.until;
	return typeof until === 'string' ? until : undefined;
}
