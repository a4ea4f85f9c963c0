/**
 * Walks folders, compares what it finds with the backup before, and writes what is new: a tar, and its index. Blocking calls only, for a
 * thread of its own.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { Entry } from '../entry.ts';
import { Fault } from '../fault.ts';
import type { MergedEntry } from '../merge.ts';
import { type Bytes, sortKey, toDisplay } from '../names.ts';
import { isChanged, OwnerNames, typeOf } from './attributes.ts';
import { Base } from './base.ts';
import { EntryStore, type OnEntry, type SnapshotDatabase } from './entries.ts';
import { Folder, lookAt } from './folder.ts';
import { Lister, type Names, type WalkedFolder } from './lister.ts';
import type { ArchiveJob, ArchiveSummary, Root } from './messages.ts';
import type { Output } from './output.ts';
import { Record } from './record.ts';
import { END_OF_ARCHIVE } from './tar.ts';

export class Archiver {
	readonly #job: ArchiveJob;
	readonly #output: Output;
	readonly #record: Record;
	readonly #store: EntryStore;
	readonly #base: Base;
	readonly #owners = new OwnerNames();
	readonly #lister: Lister;

	constructor(job: ArchiveJob, output: Output, options: { onEntry: OnEntry; snapshot: SnapshotDatabase }) {
		this.#job = job;
		this.#output = output;
		this.#record = new Record(job.indexFile);
		this.#base = new Base(job.bases);
		this.#lister = new Lister(job.options, this.#record);
		this.#store = new EntryStore(output, {
			...{ ...options, options: job.options, isPreview: this.#isPreview },
			...{ record: this.#record, owners: this.#owners },
		});
	}

	/**
	 * Archives all roots.
	 * @throws Fault 'source-missing' for a root that is not there; errors of the output and of the index
	 */
	async run(): Promise<ArchiveSummary> {
		try {
			for (const root of this.#job.roots) await this.#archiveRoot(root);
			this.#goneBefore(null);
			if (!this.#isPreview) this.#output.write(END_OF_ARCHIVE);
			this.#output.flush();
			this.#record.end();
			return this.#record.summary;
		} finally {
			this.#base.close();
		}
	}

	get #isPreview(): boolean {
		return this.#job.indexFile === null;
	}

	get #isFull(): boolean {
		return this.#job.bases.length === 0;
	}

	async #archiveRoot({ path, real }: Root): Promise<void> {
		const stats = lookAt(real);
		const shown = toDisplay(real);
		if (!stats) {
			throw new Fault(
				'source-missing',
				`${shown} is not there`,
				'Is the disk mounted, and is the path right as n8n sees it?',
			);
		}
		const above = real.slice(0, real.lastIndexOf('/')) || '/';
		const mounted = stats.dev !== lookAt(above)?.dev;
		this.#record.summary.roots.push({ path: `/${toDisplay(path)}`, mounted, entries: 0, bytes: 0 });
		if (!stats.isDirectory()) {
			await this.#archiveOne(real, path, stats, this.#takeBase(path));
			return;
		}
		let folder: Folder;
		try {
			folder = new Folder(real);
		} catch (error) {
			throw new Fault(
				'access-denied',
				`cannot read ${shown}: ${codeOf(error)}`,
				'Allow the user that runs n8n to read it.',
			);
		}
		await this.#archiveFolder({ folder, path, root: path, device: stats.dev });
	}

	/** A directory, what is in it, and then its directories. Closes the folder. */
	async #archiveFolder(place: WalkedFolder): Promise<void> {
		const { folder, path } = place;
		try {
			const key = sortKey(path, true);
			this.#goneBefore(key);
			const before = this.#base.take(key);
			const names = this.#lister.namesOf(place);
			const entry: Entry = {
				...{ path, type: 'directory' },
				...this.#owners.attributesOf(folder.stat()),
				listing: digestOf(names.listing),
			};
			this.#record.saw('directory', 0);
			if (this.#isFull || !before || isChanged(before, entry) || before.listing !== entry.listing) {
				this.#storeDirectory(entry, names.listing);
				for (const name of names.files) {
					const waiting = this.#archiveName(place, name, names.odd.has(name));
					if (waiting) await waiting;
				}
			} else await this.#archiveChanged(place, entry, names);
			for (const name of names.directories) await this.#archiveBelow(place, name);
		} finally {
			folder.close();
		}
	}

	/** Of a directory that did not change, the files that did. Where there is none, it needs no header. */
	async #archiveChanged(place: WalkedFolder, entry: Entry, { files, listing, odd }: Names): Promise<void> {
		const changed: Array<{ name: Bytes; before: MergedEntry | null }> = [];
		for (const name of files) {
			const path = `${place.path}/${name}`;
			if (this.#store.isOfDatabase(path)) continue;
			const before = this.#base.take(sortKey(path, false));
			const from = place.folder.at(name);
			const stats = lookAt(from);
			if (stats && before && this.#store.isUnchanged(before, path, from, stats)) this.#store.saw(path, stats);
			else changed.push({ name, before });
		}
		if (changed.length === 0) return;
		this.#storeDirectory(entry, listing);
		for (const { name, before } of changed) await this.#archiveName(place, name, odd.has(name), before);
	}

	/**
	 * @param isOdd it is no regular file
	 * @param taken what the base knows of it, where that was taken already
	 * @returns null where nothing must be waited for: a promise for each file would be dear
	 */
	#archiveName(
		{ folder, path: above }: WalkedFolder,
		name: Bytes,
		isOdd: boolean,
		taken?: MergedEntry | null,
	): Promise<void> | null {
		const path = `${above}/${name}`;
		if (this.#store.isOfDatabase(path)) return null;
		const from = folder.at(name);
		const before = taken === undefined ? this.#takeBase(path) : taken;
		// One look less for each file of a first backup. Who wants to know sizes before anything is opened looks.
		const mayOpen = before === null && !isOdd && !this.#isPreview && this.#job.options.maxFileBytes === null;
		const stored = mayOpen && this.#store.storeNew(from, path);
		return stored === true ? null : this.#archiveFound(from, path, before, stored);
	}

	/** @param stored whether it is stored already */
	async #archiveFound(
		from: Bytes,
		path: Bytes,
		before: MergedEntry | null,
		stored: false | Promise<boolean>,
	): Promise<void> {
		if (await stored) return;
		const stats = lookAt(from);
		if (stats && !stats.isDirectory()) await this.#archiveOne(from, path, stats, before);
		else this.#store.vanished(path, before);
	}

	async #archiveBelow({ folder, path: above, root, device }: WalkedFolder, name: Bytes): Promise<void> {
		const path = `${above}/${name}`;
		const key = sortKey(path, true);
		this.#goneBefore(key);
		let below: Folder;
		try {
			below = new Folder(folder.at(name));
		} catch (error) {
			if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error))) this.#record.remark(path, 'vanished');
			else {
				// What the backup before has of it stays as it is there.
				this.#base.passOver(key);
				this.#record.remark(path, 'unreadable');
			}
			return;
		}
		await this.#archiveFolder({ folder: below, path, root, device });
	}

	/** What the base knows of what is no directory, and that all before it is gone. */
	#takeBase(path: Bytes): MergedEntry | null {
		if (this.#isFull) return null;
		const key = sortKey(path, false);
		this.#goneBefore(key);
		return this.#base.take(key);
	}

	/** Anything but a directory. @param before what the base knows of it */
	async #archiveOne(from: Bytes, path: Bytes, stats: fs.BigIntStats, before: MergedEntry | null): Promise<void> {
		const type = typeOf(stats);
		if (type === null || this.#lister.isTooLarge(stats)) {
			this.#record.remark(path, type === null ? 'socket' : 'too-large');
			if (before) this.#record.write({ path, type: 'gone' }, 0);
			return;
		}
		await this.#store.store(from, path, stats, before);
	}

	#storeDirectory(entry: Entry, listing: readonly Bytes[]): void {
		if (!this.#isPreview) this.#store.files.writeHeader(entry, 'directory', 0, this.#isFull ? null : listing);
		this.#record.write(entry, 0);
	}

	/** What the backup before has, and what comes before a place of the walk, is not there any more. */
	#goneBefore(key: string | null): void {
		for (let entry = this.#base.takeBefore(key); entry; entry = this.#base.takeBefore(key)) {
			const type = entry.type === 'directory' ? 'gone-directory' : 'gone';
			this.#record.write({ path: entry.path, type }, 0);
		}
	}
}

function digestOf(listing: readonly Bytes[]): string {
	return createHash('sha256').update(listing.join('\0'), 'latin1').digest('hex').slice(0, 16);
}

function codeOf(error: unknown): string {
	return (error as NodeJS.ErrnoException).code ?? 'unknown';
}
