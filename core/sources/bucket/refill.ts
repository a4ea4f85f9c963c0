/** Writes the objects of a plan into a bucket, reads each of them back, and compares it with what the index says. */
import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ahead } from '../../base/ahead';
import { BackupError } from '../../base/errors';
import { DEFAULT_RETRY, retry } from '../../base/retry';
import type { BucketObjects } from '../../storage/s3/objects';
import type { RandomAccess } from '../../streams/random-access';
import type { MergedEntry } from '../files/merge.ts';
import { fromText, toDisplay } from '../files/names';
import { archiveOf } from '../files/parts';
import type { HolderPlan } from '../files/restore/messages';
import type { Difference, OpenBackup, RestoreProgress } from '../source';
import { SMALL_BYTES } from './fetch';

/** Objects that are written and read back at the same time, and bytes of them in memory. */
const AHEAD = { items: 16, weight: 64 * 1024 * 1024 };
/** Told with their names; the others are counted. */
const MAX_NAMED = 100;

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
	/** Of the first objects that are not as they were; how many these are in all. */
	readonly differences: Difference[] = [];
	differing = 0;

	constructor(
		private readonly backup: OpenBackup,
		private readonly target: BucketObjects,
		private readonly options: {
			signal: AbortSignal;
			/** Objects of the same names are replaced. */
			replace: boolean;
			onProgress: (progress: RestoreProgress) => void;
		},
	) {}

	/**
	 * Writes what one backup of the chain holds.
	 * @throws BackupError 'already-exists' where somebody made an object meanwhile; 'damaged'; those of both storages
	 */
	async run(plan: HolderPlan): Promise<void> {
		const holder = plan.holder === 0 ? this.backup : this.backup.parents[plan.holder - 1];
		if (!holder) {
			throw new BackupError('damaged', 'the index names a backup that is not part of the chain', {
				hint: 'Use another backup.',
			});
		}
		const stop = new AbortController();
		const signal = AbortSignal.any([this.options.signal, stop.signal]);
		const open = async () => await holder.openAt(archiveOf(holder.manifest));
		const work = async ({ entry, bytes }: Item): Promise<MergedEntry> => {
			if (bytes) await this.#refill(entry, [bytes], signal);
			return entry;
		};
		const weightOf = ({ bytes }: Item) => bytes?.length ?? 0;
		try {
			for await (const entry of ahead(itemsOf(plan, await open()), { ...AHEAD, weightOf }, work)) {
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
		await this.#compare(entry, key, signal);
		this.objects++;
		this.bytes += entry.size!;
		this.options.onProgress({ phase: 'restoring', bytes: this.bytes });
	}

	/** Reads an object back. */
	async #compare(entry: MergedEntry, key: string, signal: AbortSignal): Promise<void> {
		const { headers = {}, tags = {} } = entry.object!;
		const read = async () => {
			const { head, body } = await this.target.open(key, { signal });
			const digest = createHash('sha256');
			for await (const chunk of body as AsyncIterable<Buffer>) digest.update(chunk);
			return { head, sha256: digest.digest('hex') };
		};
		const { head, sha256 } = await retry(read, DEFAULT_RETRY, signal);
		const found: Difference[] = [];
		const expect = (what: string, expected: string | undefined, is: string | undefined) => {
			const text = (value: string | undefined) => `${what}${value ?? '(nothing)'}`;
			if (expected !== is) found.push({ item: toDisplay(fromText(key)), expected: text(expected), found: text(is) });
		};
		expect('SHA-256 ', entry.sha256, sha256);
		const names = new Set([...Object.keys(headers), ...Object.keys(head.headers)]);
		// Without one, servers give it one.
		if (headers['content-type'] === undefined) names.delete('content-type');
		for (const name of names) expect(`${name}: `, headers[name], head.headers[name]);
		const [wanted, given] = [tags, Object.keys(tags).length > 0 ? await this.target.tags(key, signal) : {}];
		for (const name of new Set([...Object.keys(wanted), ...Object.keys(given)])) {
			expect(`tag ${name}=`, wanted[name], given[name]);
		}
		if (found.length === 0) return;
		this.differing++;
		if (this.differences.length < MAX_NAMED) this.differences.push(...found);
	}
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

/**
 * Passes the bytes of an object on, and ends only when they are what its index says.
 * @throws BackupError 'damaged'
 */
async function* checked(
	{ path, size, sha256 }: MergedEntry,
	body: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
	const damaged = () =>
		new BackupError('damaged', `${toDisplay(path)} is not what its index says: its digest differs`, {
			hint: 'Use another backup.',
		});
	if (Array.isArray(body)) {
		const bytes = Buffer.concat(body as Buffer[]);
		if (hash('sha256', bytes, 'hex') !== sha256) throw damaged();
		yield bytes;
		return;
	}
	const digest = createHash('sha256');
	let passed = 0;
	for await (const chunk of body) {
		digest.update(chunk);
		passed += chunk.length;
		// The last bytes are held back until the digest is known to be right.
		if (passed === size && digest.copy().digest('hex') !== sha256) throw damaged();
		yield chunk;
	}
	if (passed !== size) throw damaged();
}
