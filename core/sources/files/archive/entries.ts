/**
 * Stores what is no directory: files, links, pipes, devices. Knows what the backup before has of each, which names are one file, and which
 * files belong to a database.
 */
import fs from 'node:fs';
import type { DatabaseCopy } from '../../sqlite/messages.ts';
import { type Entry, storedSize } from '../entry.ts';
import type { MergedEntry } from '../merge.ts';
import { type Bytes, toFs } from '../names.ts';
import { deviceOf, isChanged, type OwnerNames, nanosecondsText, typeOf, UNCHANGING } from './attributes.ts';
import { FileStore, type StoredFile } from './file.ts';
import { lookAt } from './folder.ts';
import type { ArchiveOptions } from './messages.ts';
import type { Output } from './output.ts';
import type { Record } from './record.ts';
import type { TarType } from './tar.ts';

/** Called between two entries. */
export type OnEntry = (entries: number, bytes: number) => void;

/** Makes a consistent copy of a SQLite database. */
export type SnapshotDatabase = (from: Bytes) => Promise<DatabaseCopy>;

export interface EntryStoreOptions {
	options: ArchiveOptions;
	/** Look only. */
	isPreview: boolean;
	record: Record;
	owners: OwnerNames;
	onEntry: OnEntry;
	snapshot: SnapshotDatabase;
}

/** SQLite's header string (its file format, 1.3.1). */
const SQLITE_MAGIC = Buffer.from('SQLite format 3\0');
/** Files that belong to a database, and mean nothing without it or beside a copy. */
const BESIDE_DATABASE = ['-journal', '-shm', '-wal'];
/** Calls that fail for a reason of the entry itself. */
const READING: ReadonlySet<string> = new Set(['open', 'read', 'fstat', 'lstat', 'readlink']);

/** Stores entries that are no directories. */
export class EntryStore {
	readonly files: FileStore;
	readonly #to: EntryStoreOptions;
	readonly #output: Output;
	/** Paths of the files that have several names, by device and inode, until all of them were seen. */
	readonly #links = new Map<string, { path: Bytes; left: bigint }>();
	/** Paths of files that are left out because they belong to a database. */
	readonly #besides = new Set<Bytes>();

	constructor(output: Output, to: EntryStoreOptions) {
		this.files = new FileStore(output);
		this.#output = output;
		this.#to = to;
	}

	/** Whether a file belongs to a database that was stored before it; asked once. */
	isOfDatabase(path: Bytes): boolean {
		return this.#besides.size > 0 && this.#besides.delete(path);
	}

	/** Stores an entry, unless the backup before has it as it is. @param before what that one knows of it */
	async store(from: Bytes, path: Bytes, stats: fs.BigIntStats, before: MergedEntry | null): Promise<void> {
		const type = typeOf(stats) as TarType;
		try {
			if (!before || !this.isUnchanged(before, path, from, stats)) {
				if (this.#to.isPreview) this.#to.record.write({ path, type }, type === 'file' ? Number(stats.size) : 0);
				else if (type === 'file') await this.#storeFile(from, path, stats, before);
				else this.#storeOther(from, path, type, stats);
			}
			this.saw(path, stats);
		} catch (error) {
			this.#cannotRead(path, before, error);
		}
	}

	/**
	 * Stores what was a file when its name was read, and that no backup before has: it is looked at only when it is open.
	 * @returns false when it is something else by then; a promise only where a database is copied, because one for each file would be dear
	 */
	storeNew(from: Bytes, path: Bytes): boolean | Promise<boolean> {
		const saw = (stats: fs.BigIntStats | null) => {
			if (stats) this.saw(path, stats);
			return stats !== null;
		};
		const failed = (error: unknown) => {
			if (codeOf(error) === 'ELOOP') return false;
			this.#cannotRead(path, null, error);
			return true;
		};
		try {
			const stored = this.#storeOpened(from, path);
			return stored instanceof Promise ? stored.then(saw).catch(failed) : saw(stored);
		} catch (error) {
			return failed(error);
		}
	}

	/** Whether the backup before has it as it is. */
	isUnchanged(before: MergedEntry, path: Bytes, from: Bytes, stats: fs.BigIntStats): boolean {
		const first = this.#firstOf(stats);
		const type = first === undefined ? typeOf(stats) : 'link';
		if (before.type !== type || before.changed || isChanged(before, this.#to.owners.attributesOf(stats))) return false;
		if (type === 'link') return before.target === first;
		if (before.sqlite) {
			if ((before.log ?? null) !== logOf(from)) return false;
			this.#leaveOutBeside(path);
			return true;
		}
		return type !== 'file' || before.size === Number(stats.size);
	}

	/** Whether a file that looks changed has the contents it had: asked only where somebody wants it. */
	#hasSameContents(before: MergedEntry, from: Bytes, stats: fs.BigIntStats): boolean {
		if (!this.#to.options.compareContents || before.type !== 'file' || before.changed || before.sqlite) return false;
		const now = this.#to.owners.attributesOf(stats);
		const isAlike = before.size === Number(stats.size) && UNCHANGING.every((name) => before[name] === now[name]);
		return isAlike && this.files.digest(from) === before.sha256;
	}

	/** Counts an entry, and remembers which names are one file. */
	saw(path: Bytes, stats: fs.BigIntStats): void {
		const type = typeOf(stats)!;
		const isFile = type === 'file';
		this.#to.record.saw(type, isFile ? Number(stats.size) : 0);
		if (isFile && stats.nlink > 1n) {
			const inode = inodeOf(stats);
			const link = this.#links.get(inode);
			if (!link) this.#links.set(inode, { path, left: stats.nlink - 1n });
			else if (--link.left === 0n) this.#links.delete(inode);
		}
		this.#to.onEntry(this.#to.record.entries, this.#to.record.summary.bytes);
	}

	/** It was there a moment before. */
	vanished(path: Bytes, before: MergedEntry | null): void {
		this.#to.record.remark(path, 'vanished');
		if (before) this.#to.record.write({ path, type: 'gone' }, 0);
	}

	async #storeFile(from: Bytes, path: Bytes, stats: fs.BigIntStats, before: MergedEntry | null): Promise<void> {
		const first = this.#firstOf(stats);
		const attributesOf = (each: fs.BigIntStats) => this.#to.owners.attributesOf(each);
		if (first !== undefined) {
			this.#storeLink(path, first, stats);
			return;
		}
		if (before && this.#hasSameContents(before, from, stats)) {
			const { key: _, holder, ...entry } = before;
			this.#to.record.write({ ...entry, ...attributesOf(stats), in: holder + 1 }, 0);
			return;
		}
		if (!(await this.#storeOpened(from, path))) this.vanished(path, before);
	}

	/** @returns what the system says of the open file; null when it is no file any more. A promise where a database is copied. */
	#storeOpened(from: Bytes, path: Bytes): fs.BigIntStats | null | Promise<fs.BigIntStats> {
		let opened: fs.BigIntStats | null = null;
		let first: Bytes | undefined;
		let isDatabase = false;
		const refuse = (head: Buffer, stats: fs.BigIntStats) => {
			opened = stats;
			first = this.#firstOf(stats);
			isDatabase = this.#to.options.sqlite && head.equals(SQLITE_MAGIC);
			return first !== undefined || isDatabase;
		};
		const attributesOf = (each: fs.BigIntStats) => this.#to.owners.attributesOf(each);
		const start = this.#output.position;
		const entry = this.files.store({ path, from, attributesOf }, refuse);
		const stats = opened as fs.BigIntStats | null;
		if (entry) this.#writeFile(entry, start);
		else if (stats && first !== undefined) this.#storeLink(path, first, stats);
		else if (stats && isDatabase) return this.#storeDatabase(from, path, stats).then(() => stats);
		if (entry?.changed) this.#to.record.remark(path, 'changed');
		return stats;
	}

	/** @param first the name under which the file was stored */
	#storeLink(path: Bytes, first: Bytes, stats: fs.BigIntStats): void {
		const entry: Entry = { path, type: 'link', ...this.#to.owners.attributesOf(stats), target: first };
		this.files.writeHeader(entry, 'link', 0);
		this.#to.record.write(entry, 0);
	}

	/** @param start where in the archive it was begun: contents before it are another file's */
	#writeFile(entry: StoredFile, start: number): void {
		this.#to.record.write(entry, entry.at < start ? 0 : storedSize(entry));
	}

	/** A consistent copy of a database; its file as it is, where there can be no copy. */
	async #storeDatabase(from: Bytes, path: Bytes, stats: fs.BigIntStats): Promise<void> {
		const log = logOf(from);
		const copy = await this.#to.snapshot(from);
		const start = this.#output.position;
		if ('refused' in copy) {
			const attributesOf = (each: fs.BigIntStats) => this.#to.owners.attributesOf(each);
			const entry = this.files.store({ path, from, attributesOf });
			if (!entry) this.vanished(path, null);
			// One that was locked is a mixture perhaps: the next run tries again, whatever its time says.
			else this.#writeFile(copy.refused === 'locked' ? { ...entry, changed: true } : entry, start);
			if (copy.refused !== 'no-database') this.#to.record.remark(path, `${copy.refused}-database`);
			return;
		}
		try {
			const attributesOf = () => this.#to.owners.attributesOf(stats);
			const entry = this.files.store({ path, from: copy.file, attributesOf })!;
			this.#writeFile({ ...entry, sqlite: copy.facts, ...(log !== null && { log }) }, start);
			if (copy.facts.integrity.join() !== 'ok') this.#to.record.remark(path, 'damaged-database');
			this.#leaveOutBeside(path);
		} finally {
			fs.rmSync(copy.file, { force: true });
		}
	}

	#storeOther(from: Bytes, path: Bytes, type: TarType, stats: fs.BigIntStats): void {
		const entry: Entry = {
			...{ path, type },
			...this.#to.owners.attributesOf(stats),
			...(type === 'symlink' && { target: fs.readlinkSync(toFs(from), { encoding: 'latin1' }) }),
			...((type === 'character' || type === 'block') && { device: deviceOf(stats) }),
		};
		this.files.writeHeader(entry, type, 0);
		this.#to.record.write(entry, 0);
	}

	/** What the backup before has of an entry stays as it is there. @throws what is no refusal of the system to read it */
	#cannotRead(path: Bytes, before: MergedEntry | null, error: unknown): void {
		const code = codeOf(error);
		if (code === 'ENOENT') this.vanished(path, before);
		else if (READING.has(syscallOf(error))) this.#to.record.remark(path, 'unreadable');
		else throw error;
	}

	/** Where the contents of a file with several names were met first; undefined for the first of them. */
	#firstOf(stats: fs.BigIntStats): Bytes | undefined {
		return stats.nlink > 1n ? this.#links.get(inodeOf(stats))?.path : undefined;
	}

	/** Files beside a database are left out: its copy has what is in them. */
	#leaveOutBeside(path: Bytes): void {
		for (const ending of BESIDE_DATABASE) this.#besides.add(`${path}${ending}`);
	}
}

function inodeOf({ dev, ino }: fs.BigIntStats): string {
	return `${dev}:${ino}`;
}

/** Size and time of a database's write-ahead log; null where there is none. */
function logOf(from: Bytes): string | null {
	const stats = lookAt(`${from}-wal`);
	return stats && stats.size > 0n ? `${stats.size}:${nanosecondsText(stats.mtimeNs)}` : null;
}

function codeOf(error: unknown): string {
	return (error as NodeJS.ErrnoException).code ?? 'unknown';
}

function syscallOf(error: unknown): string {
	return (error as NodeJS.ErrnoException).syscall ?? '';
}
