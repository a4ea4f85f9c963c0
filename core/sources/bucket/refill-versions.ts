/**
 * Writes versions and delete markers into a bucket that keeps versions: those of one object one after the other, the oldest first, so that
 * they become versions in the order they had. Then lists what came to be, reads each version back, and compares it.
 */
import { ahead } from '../../base/ahead';
import { unlessAborted } from '../../base/deadline';
import type { BucketObjects } from '../../storage/s3/objects';
import type { S3Version } from '../../storage/s3/listing';
import type { RandomAccess } from '../../streams/random-access';
import type { MergedEntry } from '../files/merge.ts';
import { fromText, toDisplay } from '../files/names';
import { archiveOf } from '../files/parts';
import type { OpenBackup, RestoreProgress } from '../source';
import { checked, ObjectComparer } from './compare';
import { SMALL_BYTES } from './fetch';
import { holderOf, REFILL_AHEAD } from './refill';

/** Archives of a chain that are open at a time: each keeps some of what it read. */
const OPEN_ARCHIVES = 8;

/** One thing to do about an object; it waits for what comes before it. */
interface Item {
	/** What is written; null where all of them are compared. */
	entry: MergedEntry | null;
	/** Of an entry that is small. */
	bytes: Buffer | null;
	/** All versions of the object, the oldest first. */
	versions: readonly MergedEntry[];
	before: Promise<void>;
	end: PromiseWithResolvers<void>;
}

/** Fills a bucket with versions. */
export class VersionRefill {
	/** That were written: versions, delete markers, bytes. */
	versions = 0;
	markers = 0;
	bytes = 0;
	readonly comparer: ObjectComparer;
	readonly #archives: Archives;
	readonly #stop = new AbortController();
	readonly #signal: AbortSignal;
	/** Of those that are large, one at a time. */
	#large: Promise<unknown> = Promise.resolve();
	#failure: { error: unknown } | null = null;

	constructor(
		private readonly backup: OpenBackup,
		private readonly target: BucketObjects,
		private readonly options: { signal: AbortSignal; onProgress: (progress: RestoreProgress) => void },
	) {
		this.comparer = new ObjectComparer(target);
		this.#archives = new Archives(backup);
		this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
	}

	/**
	 * @param objects the versions of each, the oldest first
	 * @throws BackupError 'damaged'; those of both storages
	 */
	async run(objects: AsyncIterable<readonly MergedEntry[]>): Promise<void> {
		const weightOf = ({ bytes }: Item) => bytes?.length ?? 0;
		try {
			const work = async (item: Item) => await this.#work(item);
			for await (const bytes of ahead(this.#items(objects), { ...REFILL_AHEAD, weightOf }, work)) {
				this.bytes += bytes;
				this.options.onProgress({ phase: 'restoring', bytes: this.bytes });
			}
		} catch (error) {
			// Others only say that they were stopped.
			throw this.#failure?.error ?? error;
		} finally {
			this.#stop.abort();
		}
	}

	/** What is small is read here, in order; what is large when its turn comes. */
	async *#items(objects: AsyncIterable<readonly MergedEntry[]>): AsyncGenerator<Item, void, undefined> {
		for await (const versions of objects) {
			let before = Promise.resolve();
			for (const entry of [...versions, null]) {
				const end = Promise.withResolvers<void>();
				// Who waits for it hears of its failure, and nobody else has to.
				end.promise.catch(() => undefined);
				const isSmall = entry !== null && !entry.object!.marker && entry.size! <= SMALL_BYTES;
				const bytes = isSmall ? await this.#archives.read(entry) : null;
				yield { entry, bytes, versions, before, end };
				before = end.promise;
			}
		}
	}

	/** @returns bytes that were written */
	async #work({ entry, bytes, versions, before, end }: Item): Promise<number> {
		try {
			await unlessAborted(before, this.#signal);
			if (entry === null) await this.#compare(versions);
			else if (entry.object!.marker) await this.#hide(entry);
			else if (bytes) await this.#write(entry, [bytes]);
			else await this.#writeLarge(entry);
			end.resolve();
			return entry?.size ?? 0;
		} catch (error) {
			this.#failure ??= { error };
			this.#stop.abort();
			end.reject(error);
			throw error;
		}
	}

	async #hide(entry: MergedEntry): Promise<void> {
		await this.target.hide(this.#keyOf(entry), this.#signal);
		this.markers++;
	}

	async #writeLarge(entry: MergedEntry): Promise<void> {
		const writing = this.#large.then(async () => {
			// Through a reader of its own: the other one is ahead.
			const archive = await openArchive(this.backup, entry.holder);
			await this.#write(entry, archive.read(entry.at!, entry.size!));
		});
		this.#large = writing.catch(() => undefined);
		await writing;
	}

	async #write(entry: MergedEntry, body: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<void> {
		const { headers = {}, tags = {} } = entry.object!;
		const options = { headers, tags, replace: true, signal: this.#signal };
		await this.target.write(this.#keyOf(entry), checked(entry, body), options);
		this.versions++;
	}

	/** Lists what an object has become, and reads each version back. */
	async #compare(wanted: readonly MergedEntry[]): Promise<void> {
		const key = this.#keyOf(wanted[0]!);
		const found = (await this.target.versionsOf(key, this.#signal)).toReversed();
		const [expected, is] = [wanted.map(({ object }) => object!.marker === true), found.map(({ isMarker }) => isMarker)];
		if (expected.join() !== is.join()) {
			const item = toDisplay(fromText(key));
			this.comparer.differs([{ item, expected: kindsOf(expected), found: kindsOf(is) }]);
			return;
		}
		for (const [at, entry] of wanted.entries()) {
			const { versionId: version, isMarker } = found[at] as S3Version;
			if (!isMarker) await this.comparer.compare(entry, key, { version, signal: this.#signal });
		}
	}

	#keyOf({ object }: MergedEntry): string {
		return `${this.target.prefix}${object!.key}`;
	}
}

/** For people: "3 versions, the oldest first: object, delete marker, object". */
function kindsOf(markers: readonly boolean[]): string {
	const kinds = markers.slice(0, 10).map((isMarker) => (isMarker ? 'delete marker' : 'object'));
	const more = markers.length > kinds.length ? ', …' : '';
	return `${markers.length} ${markers.length === 1 ? 'version' : 'versions'}, the oldest first: ${kinds.join(', ')}${more}`;
}

/** The archives of a chain, of which contents are read in any order. */
class Archives {
	/** By the backup that holds them; the one that was not used for longest is first. */
	readonly #open = new Map<number, RandomAccess>();

	constructor(private readonly backup: OpenBackup) {}

	async read({ holder, at, size }: MergedEntry): Promise<Buffer> {
		const archive = this.#open.get(holder) ?? (await this.#openOf(holder));
		this.#open.delete(holder);
		this.#open.set(holder, archive);
		const chunks: Buffer[] = [];
		for await (const chunk of archive.read(at!, size!)) chunks.push(chunk);
		return Buffer.concat(chunks);
	}

	async #openOf(holder: number): Promise<RandomAccess> {
		if (this.#open.size >= OPEN_ARCHIVES) this.#open.delete(this.#open.keys().next().value!);
		return await openArchive(this.backup, holder);
	}
}

async function openArchive(chain: OpenBackup, holder: number): Promise<RandomAccess> {
	const backup = holderOf(chain, holder);
	return await backup.openAt(archiveOf(backup.manifest));
}
