/** Makes the archive of a bucket: reads what is new of it, and writes a tar and its index. */
import { hash } from 'node:crypto';
import fs from 'node:fs';
import type { BackupError } from '../../base/errors';
import { ahead } from '../../base/ahead';
import type { BucketObjects } from '../../storage/s3/objects';
import type { ArchiveSummary } from '../files/archive/messages.ts';
import { Record as IndexRecord, type Remark } from '../files/archive/record.ts';
import type { Entry } from '../files/entry.ts';
import type { MergedEntry } from '../files/merge.ts';
import { fromText } from '../files/names.ts';
import { type Fetch, Fetcher, SMALL_BYTES } from './fetch';
import { NameList } from './name-list';
import { folderPathOf } from './names';
import { entryOf, keptOf, markerOf } from './object-entry';
import { type KeepStep, type ReadStep, type Step, stepsOf } from './steps';
import { streamObject } from './stream-object';
import { TarWriter } from './tar-writer';
import { versionStepsOf } from './version-steps';

/** Objects that are read at the same time, and bytes of them in memory. */
const AHEAD = { items: 32, weight: 64 * 1024 * 1024 };
/** A large object that is replaced while it is read is begun anew so often. */
const ATTEMPTS = 3;
/** Servers tell the time in seconds. */
const CLOCK_SLACK_MS = 1000;
/** A file of names, behind all objects: no object is named like this, since "%re" is no escape. */
export const REMOVED_LIST = '%removed';

export interface BucketJob {
	objects: BucketObjects;
	/** Whether versions that are not current are stored as well, and delete markers. */
	versions: boolean;
	/** Unpacked indexes of what the backup builds on, newest first; none for a full one. */
	bases: readonly string[];
	/** Where to write the index. */
	indexFile: string;
	/** Where to note what is gone. */
	removedFile: string;
	/** When the archive was begun, by the server's clock. */
	startedAt: Date;
	signal: AbortSignal;
	/** Called about once a second. */
	onProgress?: (progress: { entries: number; bytes: number }) => void;
}

/** Archives a bucket. */
export class BucketArchiver {
	readonly #job: BucketJob;
	readonly #record: IndexRecord;
	readonly #fetcher: Fetcher;
	readonly #tar = new TarWriter();
	readonly #removed: NameList;
	/** Objects that the server gave or that are as they were; and why it did not give the last one it refused. */
	#given = 0;
	#refusal: BackupError | null = null;

	constructor(job: BucketJob) {
		this.#job = job;
		this.#record = new IndexRecord(job.indexFile);
		this.#record.summary.roots.push({ path: job.objects.location, mounted: true, entries: 0, bytes: 0 });
		if (job.versions) this.#record.summary.versions = { count: 0, bytes: 0, markers: 0 };
		this.#fetcher = new Fetcher(job.objects, job.signal);
		this.#removed = new NameList(job.removedFile);
	}

	/** What there is to say; only after the archive has ended. */
	get summary(): ArchiveSummary {
		return this.#record.summary;
	}

	/** Objects whose tags could not be read, for want of a right. */
	get tagsDenied(): number {
		return this.#fetcher.tagsDenied;
	}

	/** Takes a chunk back, whose memory is used again. */
	recycle(chunk: Buffer): void {
		this.#tar.recycle(chunk);
	}

	/**
	 * The archive, in chunks.
	 * @throws BackupError 'access-denied' where nothing could be read; those of listing and reading; Fault of an index
	 */
	async *run(): AsyncGenerator<Buffer, void, undefined> {
		const steps = this.#steps();
		const weightOf = (step: Step) => (step.kind === 'read' && step.object.size <= SMALL_BYTES ? step.object.size : 0);
		const work = async (step: Step): Promise<{ step: Step; fetch: Fetch | null }> => ({
			...{ step, fetch: step.kind === 'read' ? await this.#fetcher.fetch(step) : null },
		});
		try {
			for await (const { step, fetch } of ahead(steps, { ...AHEAD, weightOf }, work)) {
				if (step.kind === 'read') yield* this.#store(step, fetch!);
				else this.#note(step);
				yield* this.#chunks();
			}
			if (this.#given === 0 && this.#refusal) throw this.#refusal;
			yield* this.#end();
		} finally {
			this.#removed.close();
		}
	}

	#steps(): AsyncGenerator<Step, void, undefined> {
		const { objects, bases, versions, signal } = this.#job;
		if (!versions) return stepsOf(objects, bases, { signal, onUnchanged: ({ size }) => this.#saw(size) });
		return versionStepsOf(objects, bases, {
			onUnchanged: ({ isLatest, isMarker, size }) => this.#sawVersion(isLatest, isMarker ? null : size),
			onTooMany: (name) => this.#remark({ object: { name } }, 'many-versions'),
			signal,
		});
	}

	/** What needs no reading. */
	#note(step: Exclude<Step, ReadStep>): void {
		switch (step.kind) {
			case 'gone':
				this.#gone(step.before);
				break;
			case 'headless':
				this.#record.note({ path: folderPathOf(step.name), type: 'gone', object: { key: step.name } });
				break;
			case 'drop':
				this.#removed.add(step.path);
				break;
			case 'keep':
				this.#keep(step);
				break;
			case 'marker': {
				const entry = markerOf(step);
				this.#record.write({ ...entry, at: this.#tar.begin(entry) }, 0);
				this.#sawVersion(false, null);
			}
		}
	}

	/** A version that the backup before has. By hand, it becomes a link where it has another path now. */
	#keep(step: KeepStep): void {
		const entry = keptOf(step);
		if (step.before.path !== step.path) this.#tar.link(entry, step.before.path);
		this.#record.note(entry);
		this.#sawVersion(step.version.latest, entry.object!.marker ? null : entry.size!);
	}

	async *#store(step: ReadStep, fetch: Fetch): AsyncGenerator<Buffer> {
		switch (fetch.kind) {
			case 'fetched': {
				const { head, tags, bytes } = fetch;
				const entry = entryOf(step, head, tags);
				const at = this.#tar.begin(entry);
				this.#tar.write(bytes);
				this.#tar.pad();
				this.#stored(step, { ...entry, sha256: hash('sha256', bytes, 'hex'), at });
				break;
			}
			case 'large':
				yield* this.#storeLarge(step);
				break;
			case 'vanished':
				this.#remark(step, 'vanished');
				this.#absent(step);
				break;
			case 'refused':
				this.#refused(step, fetch.error);
		}
	}

	/** An object that is read as a stream; one that is replaced meanwhile is begun anew. */
	async *#storeLarge(step: ReadStep): AsyncGenerator<Buffer> {
		const { objects, signal } = this.#job;
		const version = step.version?.id;
		for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
			const opened = await this.#fetcher.attempt(step, async () => ({
				...{ kind: 'opened' as const, open: await objects.open(step.object.name, { version, signal }) },
			}));
			if (opened.kind !== 'opened') {
				yield* this.#store(step, opened);
				return;
			}
			const { head } = opened.open;
			const tags = await this.#fetcher.tagsOf(step.object.name, head, version).catch((error: unknown) => {
				opened.open.body.destroy();
				throw error;
			});
			const entry = entryOf(step, head, tags);
			const at = this.#tar.begin(entry);
			const tar = { to: this.#tar, chunks: () => this.#chunks() };
			const sha256 = yield* streamObject(objects, step.object.name, { version, opened: opened.open, tar, signal });
			this.#tar.pad();
			if (sha256 !== null) {
				this.#stored(step, { ...entry, sha256, at });
				return;
			}
		}
		this.#remark(step, 'changed');
		this.#keepBefore(step);
	}

	/** The names of what is gone, and the end of the tar. */
	async *#end(): AsyncGenerator<Buffer> {
		this.#removed.close();
		const { size } = await fs.promises.stat(this.#job.removedFile);
		if (size > 0) {
			this.#tar.begin({ path: REMOVED_LIST, type: 'file', mode: 0o600, mtime: '0.000000000', size });
			for await (const chunk of fs.createReadStream(this.#job.removedFile) as AsyncIterable<Buffer>) {
				this.#tar.write(chunk);
				yield* this.#chunks();
			}
			this.#tar.pad();
		}
		this.#tar.end();
		yield* this.#tar.chunks();
		this.#record.end();
	}

	#stored(step: ReadStep, entry: Entry): void {
		const { object, before, version } = step;
		this.#record.write(entry, entry.size!);
		this.#sawVersion(version?.latest ?? true, entry.size!);
		// By hand, its file of then would be left over, and may be in the way.
		if (before && before.path !== entry.path) this.#remove(before);
		if (version?.latest === false) return;
		const isNew = object.modifiedAt.getTime() >= this.#job.startedAt.getTime() + CLOCK_SLACK_MS;
		if (entry.object!.etag !== object.etag || (isNew && before)) this.#remark(step, 'replaced');
		else if (isNew) this.#remark(step, 'added');
	}

	#refused(step: ReadStep, error: BackupError): void {
		this.#refusal = error;
		this.#remark(step, 'unreadable');
		this.#keepBefore(step);
	}

	/**
	 * What the backup before has of an object stays, by the name that its place asks for now. With versions it does not: what was current
	 * then is there as an older one.
	 */
	#keepBefore(step: ReadStep): void {
		const { before, path, version } = step;
		if (version) return this.#absent(step);
		if (!before) return;
		this.#saw(before.size!);
		if (before.path === path) return;
		const { key: _, holder, ...entry } = before;
		this.#record.write({ ...entry, path, in: holder + 1 }, 0);
	}

	/** What is current is not in this backup. */
	#absent({ object, before, version }: ReadStep): void {
		if (before) this.#gone(before);
		else if (version?.isKnown) this.#note({ kind: 'headless', name: object.name });
	}

	#gone(before: MergedEntry): void {
		this.#record.write({ path: before.path, type: 'gone', object: { key: before.object!.key } }, 0);
		this.#remove(before);
	}

	#remove({ path }: MergedEntry): void {
		this.#removed.add(path);
	}

	#chunks(): Buffer[] {
		if (this.#tar.isLate()) this.#job.onProgress?.({ entries: this.#record.entries, bytes: this.summary.bytes });
		return this.#tar.chunks();
	}

	#saw(size: number): void {
		this.#given++;
		this.#record.saw('file', size);
	}

	/** @param size null of a delete marker */
	#sawVersion(isLatest: boolean, size: number | null): void {
		if (isLatest && size !== null) return this.#saw(size);
		this.#given++;
		this.#record.sawVersion(size);
	}

	#remark({ object: { name }, version }: Pick<ReadStep, 'version'> & { object: { name: string } }, why: Remark): void {
		const which = version?.latest === false ? ` (version ${version.id})` : '';
		this.#record.remark(fromText(`${name}${which}`), why);
	}
}
