/** Writes the objects of a plan into a bucket, reads each of them back, and compares it with what the index says. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ahead } from '../../base/ahead';
import { BackupError } from '../../base/errors';
import type { BucketObjects } from '../../storage/s3/objects';
import type { RandomAccess } from '../../streams/random-access';
import type { MergedEntry } from '../files/merge.ts';
import { archiveOf } from '../files/parts';
import type { HolderPlan } from '../files/restore/messages';
import type { OpenBackup, RestoreProgress } from '../source';
import { checked, ObjectComparer } from './compare';
import { SMALL_BYTES } from './fetch';

/** Objects that are written and read back at the same time, and bytes of them in memory. */
export const REFILL_AHEAD = { items: 16, weight: 64 * 1024 * 1024 };

interface Item {
	entry: MergedEntry;
	/** Null of a large one. */
	bytes: Buffer | null;
}

/** Fills a bucket again. */
export class Refill {
	/** That were written and read back. */
	objects = 0;
	bytes = 0;
	readonly comparer: ObjectComparer;

	constructor(
		private readonly backup: OpenBackup,
		private readonly target: BucketObjects,
		private readonly options: {
			signal: AbortSignal;
			/** Objects of the same names are replaced. */
			replace: boolean;
			onProgress: (progress: RestoreProgress) => void;
		},
	) {
		this.comparer = new ObjectComparer(target);
	}

	/**
	 * Writes what one backup of the chain holds.
	 * @throws BackupError 'already-exists' where somebody made an object meanwhile; 'damaged'; those of both storages
	 */
	async run(plan: HolderPlan): Promise<void> {
		const holder = holderOf(this.backup, plan.holder);
		const stop = new AbortController();
		const signal = AbortSignal.any([this.options.signal, stop.signal]);
		const open = async () => await holder.openAt(archiveOf(holder.manifest));
		const work = async ({ entry, bytes }: Item): Promise<MergedEntry> => {
			if (bytes) await this.#refill(entry, [bytes], signal);
			return entry;
		};
		const weightOf = ({ bytes }: Item) => bytes?.length ?? 0;
		try {
			for await (const entry of ahead(itemsOf(plan, await open()), { ...REFILL_AHEAD, weightOf }, work)) {
				// Through a reader of its own: the other one is ahead.
				if (isLarge(entry)) await this.#refill(entry, contentsOf(entry, await open()), signal);
			}
		} finally {
			stop.abort();
		}
	}

	async #refill(
		entry: MergedEntry,
		body: AsyncIterable<Buffer> | Iterable<Buffer>,
		signal: AbortSignal,
	): Promise<void> {
		const { headers = {}, tags = {} } = entry.object!;
		const key = `${this.target.prefix}${entry.object!.key}`;
		await this.target.write(key, checked(entry, body), { headers, tags, replace: this.options.replace, signal });
		await this.comparer.compare(entry, key, { signal });
		this.objects++;
		this.bytes += entry.size!;
		this.options.onProgress({ phase: 'restoring', bytes: this.bytes });
	}
}

/**
 * The backup of a chain that holds contents.
 * @throws BackupError 'damaged' where there is none
 */
export function holderOf(backup: OpenBackup, holder: number): OpenBackup {
	const found = holder === 0 ? backup : backup.parents[holder - 1];
	if (found) return found;
	throw new BackupError('damaged', 'the index names a backup that is not part of the chain', {
		hint: 'Use another backup.',
	});
}

function isLarge({ size = 0 }: MergedEntry): boolean {
	return size > SMALL_BYTES;
}

async function* itemsOf({ file }: HolderPlan, access: RandomAccess): AsyncGenerator<Item, void, undefined> {
	for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
		const entry = JSON.parse(line) as MergedEntry;
		if (isLarge(entry)) yield { entry, bytes: null };
		else {
			const chunks: Buffer[] = [];
			for await (const chunk of access.read(entry.at!, entry.size!)) chunks.push(chunk);
			yield { entry, bytes: Buffer.concat(chunks) };
		}
	}
}

function contentsOf(entry: MergedEntry, access: RandomAccess): AsyncIterable<Buffer> {
	return access.read(entry.at!, entry.size!);
}
