/** Writes the contents of files as the bytes of an archive pass, and copies those that several files share. */
import { createHash, hash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { ContentDigest } from '../content-digest.ts';
import { storedSize } from '../entry.ts';
import { Fault } from '../fault.ts';
import { readLines } from '../lines.ts';
import type { MergedEntry } from '../merge.ts';
import { type Bytes, toDisplay, toFs } from '../names.ts';
import { SharedContents } from '../shared-contents.ts';
import { namingPath } from '../thread-faults.ts';
import type { HolderPlan } from './messages.ts';
import { assertDigest, damaged, type Placer, type Unplaced } from './placing.ts';
import { SortedPlanWriter } from './plan.ts';
import type { Target } from './target.ts';

const { O_NOFOLLOW, O_RDONLY } = fs.constants;

/** A file whose contents are coming. */
interface Current {
	entry: MergedEntry;
	file: Unplaced;
	digest: ContentDigest;
	/** Stored bytes that came. */
	done: number;
}

/** Takes the bytes of one backup of the chain after the other. */
export class ContentsWriter {
	readonly #placer: Placer;
	readonly #sources: Target;
	readonly #folder: string;
	/** Where contents were restored to, by their place in the backup that is being read. */
	#restored = new SharedContents<number, Bytes>();
	#entries: Generator<string, void, undefined> | null = null;
	#current: Current | null = null;
	#next: MergedEntry | null = null;
	#position = 0;
	/** What points back, from anywhere. */
	#again: SortedPlanWriter | null = null;
	#rounds = 0;
	readonly #buffer = Buffer.allocUnsafe(1024 * 1024);
	#plan: HolderPlan | null = null;

	/**
	 * @param sources what is restored into, to read what is there already
	 * @param folder for plans
	 */
	constructor(placer: Placer, sources: Target, folder: string) {
		this.#placer = placer;
		this.#sources = sources;
		this.#folder = folder;
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
			if (!namingPath(entry.path, () => this.#write(entry, piece))) break;
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

	/** @returns whether that was the last of the file */
	#write(entry: MergedEntry, piece: Uint8Array): boolean {
		const stored = storedSize(entry);
		if (!this.#current && piece.length === stored && !entry.extents) {
			assertDigest(entry, hash('sha256', piece, 'hex'));
			const file = this.#placer.create();
			writeAll(file.fd, piece, 0);
			this.#complete(entry, file);
			return true;
		}
		this.#current ??= { entry, file: this.#placer.create(), digest: new ContentDigest(entry), done: 0 };
		const { file, digest } = this.#current;
		digest.add(piece);
		writeExtents(file.fd, entry, this.#current.done, piece);
		this.#current.done += piece.length;
		if (this.#current.done < stored) return false;
		this.#current = null;
		assertDigest(entry, digest.hex());
		this.#complete(entry, file);
		return true;
	}

	#complete(entry: MergedEntry, file: Unplaced): void {
		this.#placer.complete(entry, file);
		this.#restored.add(entry.at!, entry.path);
	}

	/** Goes on to the next file whose contents are to come. Contents that were restored already are copied. */
	#advance(): void {
		this.#next = null;
		for (;;) {
			const line = this.#entries!.next();
			if (line.done) return;
			const entry = JSON.parse(line.value) as MergedEntry;
			const known = this.#restored.get(entry.at!);
			if (known !== undefined && namingPath(entry.path, () => this.#copy(known, entry))) continue;
			if (entry.at! >= this.#position) {
				this.#next = entry;
				return;
			}
			this.#again ??= new SortedPlanWriter(path.join(this.#folder, `again-${this.#rounds++}`), this.#plan!.holder);
			this.#again.add(entry);
		}
	}

	/** @returns false when somebody changed or removed the file meanwhile */
	#copy(known: Bytes, entry: MergedEntry): boolean {
		const from = this.#open(known);
		if (from === null) return false;
		const file = this.#placer.create();
		try {
			const digest = createHash('sha256');
			for (let offset = 0; ; ) {
				const count = fs.readSync(from, this.#buffer, 0, this.#buffer.length, offset);
				if (count === 0) break;
				digest.update(this.#buffer.subarray(0, count));
				writeAll(file.fd, this.#buffer.subarray(0, count), offset);
				offset += count;
			}
			if (digest.digest('hex') === entry.sha256) {
				this.#complete(entry, file);
				return true;
			}
		} finally {
			fs.closeSync(from);
		}
		this.#placer.discard(file);
		return false;
	}

	/** A file that was restored; null where it is gone. */
	#open(known: Bytes): number | null {
		try {
			const { folder, name } = this.#sources.folderOf(known, false);
			return fs.openSync(toFs(folder.at(name)), O_RDONLY | O_NOFOLLOW);
		} catch (error) {
			if (['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code!)) return null;
			throw error;
		}
	}
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
