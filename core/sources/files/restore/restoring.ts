/**
 * Restores a view of a chain into a folder, in three passes over its index: folders and links, then the contents of files as the bytes
 * of each backup pass, then hard links and the attributes of folders. Blocking calls only, for a thread of its own.
 */
import { createHash, hash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { ContentDigest } from '../content-digest.ts';
import { keyOf, storedSize } from '../entry.ts';
import { Fault } from '../fault.ts';
import { readLines } from '../lines.ts';
import type { MergedEntry } from '../merge.ts';
import { type Bytes, toDisplay, toFs } from '../names.ts';
import { SharedContents } from '../shared-contents.ts';
import { AttributeSetter } from './attributes.ts';
import { Comparer } from './compare.ts';
import type { HolderPlan, RestoreJob, RestoreSummary } from './messages.ts';
import { Plans, PlanWriter } from './plan.ts';
import { Target } from './target.ts';
import { View } from './view.ts';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY, O_RDONLY } = fs.constants;
/** Told with their names; the others are counted. */
const MAX_NAMED = 100;
const MAX_LISTED = 1000;

/** A file whose contents are coming. */
interface Current {
	entry: MergedEntry;
	fd: number;
	digest: ContentDigest;
	/** Stored bytes that came. */
	done: number;
}

export class Restoring {
	readonly summary: RestoreSummary = {
		counts: {},
		bytes: 0,
		notRestored: [],
		notRestoredCount: 0,
		differences: [],
		differencesCount: 0,
		listed: [],
	};
	readonly #job: RestoreJob;
	readonly #view: View;
	readonly #target: Target;
	/** Of its own, so that copying a file that lies elsewhere does not close the folders that are open. */
	readonly #sources: Target;
	readonly #attributes: AttributeSetter;
	/** Where contents were restored to, by their place in the backup that is being read. */
	#restored = new SharedContents<number, Bytes>();
	#entries: Generator<string, void, undefined> | null = null;
	#current: Current | null = null;
	#next: MergedEntry | null = null;
	#position = 0;
	#again: PlanWriter | null = null;
	#rounds = 0;
	readonly #buffer = Buffer.allocUnsafe(1024 * 1024);
	/** Files that were begun under a temporary name; their number is the name. */
	#made = 0;
	#plan: HolderPlan | null = null;

	constructor(job: RestoreJob) {
		this.#job = job;
		this.#view = new View(job.indexes, job.include);
		this.#target = new Target(job.to);
		this.#sources = new Target(job.to);
		this.#attributes = new AttributeSetter(job.owners);
		if (!job.dryRun) fs.mkdirSync(toFs(job.temporary), { mode: 0o700 });
	}

	/** Makes folders and symlinks, and notes whose contents must be read. */
	prepare(): HolderPlan[] {
		const plans = new Plans(this.#job.folder);
		for (const entry of this.#wanted()) {
			const { counts, listed } = this.summary;
			counts[entry.type] = (counts[entry.type] ?? 0) + 1;
			if (this.#job.dryRun && listed.length < MAX_LISTED) listed.push(toDisplay(entry.path));
			if (entry.type === 'file') {
				this.summary.bytes += entry.size!;
				if (storedSize(entry) > 0) plans.add(entry);
				else if (!this.#job.dryRun) this.#restoreEmpty(entry);
			} else if (!this.#job.dryRun) this.#restoreOther(entry);
		}
		return plans.end();
	}

	/** The contents of one backup of the chain come next. */
	begin(plan: HolderPlan): void {
		// What is read again lies in the backup that was read before.
		if (plan.holder !== this.#plan?.holder) this.#restored = new SharedContents();
		this.#plan = plan;
		this.#position = 0;
		this.#entries = readLines(plan.file);
		this.#advance();
	}

	/** Original bytes of the archive from a place on. Places only rise. */
	take(at: number, bytes: Uint8Array): void {
		const end = at + bytes.length;
		while (this.#next !== null) {
			const entry = this.#next;
			const start = entry.at! + (this.#current?.done ?? 0);
			if (start >= end) break;
			if (start < at) throw damaged(entry, 'is not where its index says');
			const piece = bytes.subarray(start - at, Math.min(bytes.length, entry.at! + storedSize(entry) - at));
			this.#position = start + piece.length;
			if (!this.#write(entry, piece)) break;
			this.#advance();
		}
		this.#position = Math.max(this.#position, at);
	}

	/** All bytes of a plan were given. @returns what must be read once more, because it lies before what was read */
	end(): HolderPlan | null {
		if (this.#next)
			throw new Fault('incomplete', `the archive ends before ${toDisplay(this.#next.path)}`, 'Use another backup.');
		const again = this.#again?.end() ?? null;
		this.#again = null;
		return again;
	}

	/** Hard links, attributes of folders, and the comparison. */
	finish(onPhase: (phase: string) => void): RestoreSummary {
		if (!this.#job.dryRun) {
			this.#finishTree();
			fs.rmSync(toFs(this.#job.temporary), { recursive: true });
			onPhase('comparing');
			const comparer = new Comparer(this.#target, this.#attributes, this.#job.compare, this.summary);
			for (const entry of this.#wanted()) comparer.compare(entry);
		}
		this.#target.close();
		this.#sources.close();
		return this.summary;
	}

	#wanted(): Generator<MergedEntry> {
		return this.#view.entries();
	}

	#restoreOther(entry: MergedEntry): void {
		switch (entry.type) {
			case 'directory':
				this.#target.makeFolder(entry.path);
				break;
			case 'symlink': {
				const temporary = this.#temporaryName();
				fs.symlinkSync(toFs(entry.target!), toFs(temporary));
				this.#attributes.setOfLink(temporary, entry);
				this.#place(temporary, entry);
				break;
			}
			case 'link':
				break;
			default:
				this.#notRestored(
					entry,
					entry.type === 'fifo' ? 'a FIFO: make it with mkfifo' : 'a device: make it with mknod',
				);
		}
	}

	/** A file of which nothing is stored: it is empty, or one hole. */
	#restoreEmpty(entry: MergedEntry): void {
		const { fd, temporary } = this.#create();
		this.#complete(entry, fd, temporary);
	}

	/** @returns whether that was the last of the file */
	#write(entry: MergedEntry, piece: Uint8Array): boolean {
		const stored = storedSize(entry);
		if (!this.#current && piece.length === stored && !entry.extents) {
			if (hash('sha256', piece, 'hex') !== entry.sha256)
				throw damaged(entry, 'is not what its index says: its digest differs');
			const { fd, temporary } = this.#create();
			writeAll(fd, piece, 0);
			this.#complete(entry, fd, temporary);
			return true;
		}
		this.#current ??= { entry, fd: this.#create().fd, digest: new ContentDigest(entry), done: 0 };
		const { fd, digest } = this.#current;
		digest.add(piece);
		writeExtents(fd, entry, this.#current.done, piece);
		this.#current.done += piece.length;
		if (this.#current.done < stored) return false;
		this.#current = null;
		assertDigest(entry, digest.hex());
		this.#complete(entry, fd, this.#temporaryNow());
		return true;
	}

	/** Attributes, and its name. Closes the file. */
	#complete(entry: MergedEntry, fd: number, temporary: Bytes): void {
		try {
			if (entry.extents || entry.size === 0) fs.ftruncateSync(fd, entry.size);
			if (storedSize(entry) === 0) assertDigest(entry, new ContentDigest(entry).hex());
			this.#attributes.setByDescriptor(fd, entry);
		} finally {
			fs.closeSync(fd);
		}
		this.#place(temporary, entry);
		if (storedSize(entry) > 0) this.#restored.add(entry.at!, entry.path);
	}

	/** Gives what was made its name, in the place of what has it. */
	#place(temporary: Bytes, { path: at }: MergedEntry): void {
		const { folder, name } = this.#target.folderOf(at);
		try {
			fs.renameSync(toFs(temporary), toFs(folder.at(name)));
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if (code === 'EISDIR' || code === 'EEXIST' || code === 'ENOTEMPTY') {
				throw new Fault(
					'already-exists',
					`cannot restore ${toDisplay(at)}: a folder has its name`,
					'Restore into an empty folder, or move it away.',
				);
			}
			if (code !== 'EXDEV') throw error;
			throw new Fault(
				'unsupported',
				`${toDisplay(at)} lies on another disk than the folder that is restored into`,
				'Restore what lies on that disk by itself.',
			);
		}
	}

	/** Goes on to the next file whose contents are to come. Contents that were restored already are copied. */
	#advance(): void {
		this.#next = null;
		for (;;) {
			const line = this.#entries!.next();
			if (line.done) return;
			const entry = JSON.parse(line.value) as MergedEntry;
			const known = this.#restored.get(entry.at!);
			if (known !== undefined && this.#copy(known, entry)) continue;
			if (entry.at! >= this.#position) {
				this.#next = entry;
				return;
			}
			this.#again ??= new PlanWriter(path.join(this.#job.folder, `again-${this.#rounds++}`), this.#plan!.holder);
			this.#again.add(entry);
		}
	}

	/** @returns false when somebody changed or removed the file meanwhile */
	#copy(known: Bytes, entry: MergedEntry): boolean {
		const { folder, name } = this.#sources.folderOf(known, false);
		const from = fs.openSync(toFs(folder.at(name)), O_RDONLY | O_NOFOLLOW);
		const { fd, temporary } = this.#create();
		try {
			const digest = createHash('sha256');
			for (let offset = 0; ; ) {
				const count = fs.readSync(from, this.#buffer, 0, this.#buffer.length, offset);
				if (count === 0) break;
				digest.update(this.#buffer.subarray(0, count));
				writeAll(fd, this.#buffer.subarray(0, count), offset);
				offset += count;
			}
			if (digest.digest('hex') === entry.sha256) {
				this.#complete(entry, fd, temporary);
				return true;
			}
		} finally {
			fs.closeSync(from);
		}
		fs.closeSync(fd);
		return false;
	}

	#finishTree(): void {
		const open: Array<{ key: string; entry: MergedEntry }> = [];
		const leave = () => {
			const { entry } = open.pop()!;
			const { folder, name } = this.#target.folderOf(entry.path);
			const fd = fs.openSync(toFs(folder.at(name)), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
			try {
				this.#attributes.setByDescriptor(fd, entry);
			} finally {
				fs.closeSync(fd);
			}
		};
		for (const entry of this.#wanted()) {
			// All else is there already, and a file that stands in for another name of it is not in order.
			if (entry.type !== 'directory' && entry.type !== 'link') continue;
			const key = keyOf(entry);
			while (open.length > 0 && !key.startsWith(open.at(-1)!.key)) leave();
			if (entry.type === 'directory') open.push({ key, entry });
			else this.#link(entry);
		}
		while (open.length > 0) leave();
	}

	#link(entry: MergedEntry): void {
		let from: Bytes;
		try {
			const { folder, name } = this.#sources.folderOf(entry.target!, false);
			from = folder.at(name);
			if (!fs.lstatSync(toFs(from)).isFile()) throw new Fault('damaged', 'no file');
		} catch {
			this.#notRestored(entry, `a hard link to ${toDisplay(entry.target!)}, which is not among what is restored`);
			return;
		}
		const temporary = this.#temporaryName();
		fs.linkSync(toFs(from), toFs(temporary));
		this.#place(temporary, entry);
	}

	#notRestored({ path: at }: MergedEntry, why: string): void {
		this.summary.notRestoredCount++;
		if (this.summary.notRestored.length < MAX_NAMED) this.summary.notRestored.push({ path: toDisplay(at), why });
	}

	#temporaryName(): Bytes {
		this.#made++;
		return this.#temporaryNow();
	}

	#temporaryNow(): Bytes {
		return `${this.#job.temporary}/${this.#made}`;
	}

	#create(): { fd: number; temporary: Bytes } {
		const temporary = this.#temporaryName();
		return { fd: fs.openSync(toFs(temporary), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600), temporary };
	}
}

/** A name for the folder in which files are written before they get their own. */
export function temporaryName(): string {
	return `.n8n-backup-restore-${randomBytes(6).toString('hex')}`;
}

function writeAll(fd: number, bytes: Uint8Array, offset: number): void {
	for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done, bytes.length - done, offset + done);
}

/** Writes stored bytes to where they are in the file. @param done stored bytes that came before */
function writeExtents(
	fd: number,
	{ size = 0, extents = [[0, size]] }: MergedEntry,
	done: number,
	bytes: Uint8Array,
): void {
	let before = 0;
	let taken = 0;
	for (const [offset, length] of extents) {
		const skipped = Math.max(0, done + taken - before);
		if (skipped < length && taken < bytes.length) {
			const count = Math.min(length - skipped, bytes.length - taken);
			writeAll(fd, bytes.subarray(taken, taken + count), offset + skipped);
			taken += count;
		}
		before += length;
	}
}

function assertDigest(entry: MergedEntry, found: string): void {
	if (found !== entry.sha256) throw damaged(entry, 'is not what its index says: its digest differs');
}

function damaged({ path: at }: MergedEntry, why: string): Fault {
	return new Fault(
		'damaged',
		`${toDisplay(at)} ${why}`,
		'Use another backup: a verification says which ones are sound.',
	);
}
