/**
 * Walks folders, compares what it finds with the backup before, and writes what is new: a tar, and its index. Blocking calls only, for a
 * thread of its own.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { type Entry, storedSize } from '../entry.ts';
import { Fault } from '../fault.ts';
import type { MergedEntry } from '../merge.ts';
import { type Bytes, sortKey, toDisplay, toFs } from '../names.ts';
import { deviceOf, Owners, timeText, typeOf } from './attributes.ts';
import { Base } from './base.ts';
import { excluder, isTagged } from './excludes.ts';
import { FileStore, type StoredFile } from './file.ts';
import { Folder, lookAt } from './folder.ts';
import type { ArchiveJob, ArchiveSummary, Root } from './messages.ts';
import type { DatabaseCopy } from '../../sqlite/messages.ts';
import type { Output } from './output.ts';
import { Record } from './record.ts';
import { END_OF_ARCHIVE, type TarType } from './tar.ts';

/** Called between two entries. */
export type OnEntry = (entries: number, bytes: number) => void;

/** Makes a consistent copy of a SQLite database. */
export type SnapshotDatabase = (from: Bytes) => Promise<DatabaseCopy>;

/** SQLite's header string (its file format, 1.3.1). */
const SQLITE_MAGIC = Buffer.from('SQLite format 3\0');
/** Files that belong to a database, and mean nothing without it or beside a copy. */
const BESIDE_DATABASE = ['-journal', '-shm', '-wal'];

interface Place {
	folder: Folder;
	/** As it is named in the archive. */
	path: Bytes;
	/** Of the root: its path, and its file system. */
	root: Bytes;
	device: bigint;
}

export class Archiver {
	readonly #job: ArchiveJob;
	readonly #output: Output;
	readonly #record: Record;
	readonly #files: FileStore;
	readonly #base: Base;
	readonly #owners = new Owners();
	readonly #isExcluded: ReturnType<typeof excluder>;
	readonly #onEntry: OnEntry;
	readonly #snapshot: SnapshotDatabase;
	/** Paths of the files that have several names, by device and inode, until all of them were seen. */
	readonly #links = new Map<string, { path: Bytes; left: bigint }>();
	/** Paths of files that are left out because they belong to a database. */
	readonly #besides = new Set<Bytes>();

	constructor(job: ArchiveJob, output: Output, options: { onEntry: OnEntry; snapshot: SnapshotDatabase }) {
		this.#job = job;
		this.#output = output;
		this.#record = new Record(job.indexFile);
		this.#files = new FileStore(output);
		this.#base = new Base(job.bases);
		this.#isExcluded = excluder(job.options.exclude);
		this.#onEntry = options.onEntry;
		this.#snapshot = options.snapshot;
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
			await this.#archiveOne(real, path, stats);
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
	async #archiveFolder(place: Place): Promise<void> {
		const { folder, path } = place;
		try {
			const key = sortKey(path, true);
			this.#goneBefore(key);
			const before = this.#base.take(key);
			const names = this.#namesOf(place);
			const entry: Entry = {
				...{ path, type: 'directory' },
				...this.#owners.attributesOf(folder.stat()),
				listing: digestOf(names.listing),
			};
			this.#record.saw('directory', 0);
			if (this.#isFull || !before || isChanged(before, entry) || before.listing !== entry.listing) {
				this.#storeDirectory(entry, names.listing);
				for (const name of names.files) await this.#archiveName(place, name);
			} else await this.#archiveChanged(place, entry, names);
			for (const name of names.directories) await this.#archiveBelow(place, name);
		} finally {
			folder.close();
		}
	}

	/** Of a directory that did not change, the files that did. Where there is none, it needs no header. */
	async #archiveChanged(place: Place, entry: Entry, { files, listing }: Names): Promise<void> {
		const changed: Array<{ name: Bytes; before: MergedEntry | null }> = [];
		for (const name of files) {
			const path = `${place.path}/${name}`;
			if (this.#besides.delete(path)) continue;
			const before = this.#base.take(sortKey(path, false));
			const from = place.folder.at(name);
			const stats = lookAt(from);
			if (stats && before && this.#isUnchanged(before, path, from, stats)) this.#sawFile(path, stats);
			else changed.push({ name, before });
		}
		if (changed.length === 0) return;
		this.#storeDirectory(entry, listing);
		for (const { name, before } of changed) await this.#archiveName(place, name, before);
	}

	async #archiveName({ folder, path: above }: Place, name: Bytes, taken?: MergedEntry | null): Promise<void> {
		const path = `${above}/${name}`;
		if (this.#besides.delete(path)) return;
		const from = folder.at(name);
		const stats = lookAt(from);
		if (stats && !stats.isDirectory()) {
			await this.#archiveOne(from, path, stats, taken);
			return;
		}
		this.#record.remark(path, 'vanished');
		const key = sortKey(path, false);
		if (taken === undefined) this.#goneBefore(key);
		const before = taken === undefined ? this.#base.take(key) : taken;
		if (before) this.#record.write({ path, type: 'gone' }, 0);
	}

	async #archiveBelow({ folder, path: above, root, device }: Place, name: Bytes): Promise<void> {
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

	/** Anything but a directory. @param taken what the base knows of it, where that was taken already */
	async #archiveOne(from: Bytes, path: Bytes, stats: fs.BigIntStats, taken?: MergedEntry | null): Promise<void> {
		const key = sortKey(path, false);
		if (taken === undefined) this.#goneBefore(key);
		const before = taken === undefined ? this.#base.take(key) : taken;
		const type = typeOf(stats);
		if (type === null || this.#isTooLarge(stats)) {
			this.#record.remark(path, type === null ? 'socket' : 'too-large');
			if (before) this.#record.write({ path, type: 'gone' }, 0);
			return;
		}
		try {
			if (!before || !this.#isUnchanged(before, path, from, stats)) {
				if (this.#isPreview) this.#record.write({ path, type }, type === 'file' ? Number(stats.size) : 0);
				else if (type === 'file') await this.#storeFile(from, path, stats, before);
				else this.#storeOther(from, path, type, stats);
			}
			this.#sawFile(path, stats);
		} catch (error) {
			this.#cannotRead(path, before, error);
		}
	}

	async #storeFile(from: Bytes, path: Bytes, stats: fs.BigIntStats, before: MergedEntry | null): Promise<void> {
		const first = this.#firstOf(stats);
		const attributesOf = (each: fs.BigIntStats) => this.#owners.attributesOf(each);
		if (first !== undefined) {
			const entry: Entry = { path, type: 'link', ...attributesOf(stats), target: first };
			this.#files.writeHeader(entry, 'link', 0);
			this.#record.write(entry, 0);
			return;
		}
		if (before && this.#hasSameContents(before, from, stats)) {
			const { key: _, holder, ...entry } = before;
			this.#record.write({ ...entry, ...attributesOf(stats), in: holder + 1 }, 0);
			return;
		}
		let isDatabase = false;
		const refuse = (head: Buffer) => (isDatabase = this.#job.options.sqlite && head.equals(SQLITE_MAGIC));
		const start = this.#output.position;
		const entry = this.#files.store({ path, from, attributesOf }, refuse);
		if (entry) this.#writeFile(entry, start);
		else if (isDatabase) await this.#storeDatabase(from, path, stats);
		else this.#vanished(path, before);
		if (entry?.changed) this.#record.remark(path, 'changed');
	}

	/** @param start where in the archive it was begun: contents before it are another file's */
	#writeFile(entry: StoredFile, start: number): void {
		this.#record.write(entry, entry.at < start ? 0 : storedSize(entry));
	}

	/** A consistent copy of a database; its file as it is, where there can be no copy. */
	async #storeDatabase(from: Bytes, path: Bytes, stats: fs.BigIntStats): Promise<void> {
		const log = logOf(from);
		const copy = await this.#snapshot(from);
		const start = this.#output.position;
		if ('refused' in copy) {
			const attributesOf = (each: fs.BigIntStats) => this.#owners.attributesOf(each);
			const entry = this.#files.store({ path, from, attributesOf });
			if (!entry) this.#vanished(path, null);
			else this.#writeFile(entry, start);
			if (copy.refused !== 'no-database') this.#record.remark(path, `${copy.refused}-database`);
			return;
		}
		try {
			const attributesOf = () => this.#owners.attributesOf(stats);
			const entry = this.#files.store({ path, from: copy.file, attributesOf })!;
			this.#writeFile({ ...entry, sqlite: copy.facts, ...(log !== null && { log }) }, start);
			if (copy.facts.integrity.join() !== 'ok') this.#record.remark(path, 'damaged-database');
			this.#leaveOutBeside(path);
		} finally {
			fs.rmSync(copy.file, { force: true });
		}
	}

	#storeOther(from: Bytes, path: Bytes, type: TarType, stats: fs.BigIntStats): void {
		const entry: Entry = {
			...{ path, type },
			...this.#owners.attributesOf(stats),
			...(type === 'symlink' && { target: fs.readlinkSync(toFs(from), { encoding: 'latin1' }) }),
			...((type === 'character' || type === 'block') && { device: deviceOf(stats) }),
		};
		this.#files.writeHeader(entry, type, 0);
		this.#record.write(entry, 0);
	}

	#storeDirectory(entry: Entry, listing: readonly Bytes[]): void {
		if (!this.#isPreview) this.#files.writeHeader(entry, 'directory', 0, this.#isFull ? null : listing);
		this.#record.write(entry, 0);
	}

	/** Whether the backup before has it as it is. */
	#isUnchanged(before: MergedEntry, path: Bytes, from: Bytes, stats: fs.BigIntStats): boolean {
		const first = this.#firstOf(stats);
		const type = first === undefined ? typeOf(stats) : 'link';
		if (before.type !== type || before.changed || isChanged(before, this.#owners.attributesOf(stats))) return false;
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
		if (!this.#job.options.compareContents || before.type !== 'file' || before.changed || before.sqlite) return false;
		const now = this.#owners.attributesOf(stats);
		const isAlike = before.size === Number(stats.size) && ATTRIBUTES.every((name) => before[name] === now[name]);
		return isAlike && this.#files.digest(from) === before.sha256;
	}

	/** A file that is too large must not be in the list of names, or a restore by hand would keep the one of a backup before. */
	#isLeftOut(folder: Folder, path: Bytes, name: Bytes): boolean {
		if (this.#job.options.maxFileBytes === null) return false;
		const stats = lookAt(folder.at(name));
		if (!stats || !this.#isTooLarge(stats)) return false;
		this.#record.remark(`${path}/${name}`, 'too-large');
		return true;
	}

	#isTooLarge(stats: fs.BigIntStats): boolean {
		const { maxFileBytes } = this.#job.options;
		return maxFileBytes !== null && stats.isFile() && stats.size > BigInt(maxFileBytes);
	}

	/** Where the contents of a file with several names were met first; undefined for the first of them. */
	#firstOf(stats: fs.BigIntStats): Bytes | undefined {
		return stats.nlink > 1n ? this.#links.get(inodeOf(stats))?.path : undefined;
	}

	/** Files beside a database are left out: its copy has what is in them. */
	#leaveOutBeside(path: Bytes): void {
		for (const ending of BESIDE_DATABASE) this.#besides.add(`${path}${ending}`);
	}

	#namesOf({ folder, path, root, device }: Place): Names {
		if (this.#job.options.oneFileSystem && folder.stat().dev !== device) {
			this.#record.remark(path, 'other-file-system');
			return { files: [], directories: [], listing: [] };
		}
		const all = folder.names();
		const tagged = this.#job.options.skipTagged && isTagged(all.files);
		const below = path === root ? '' : `${path.slice(root.length + 1)}/`;
		const isIn = (name: Bytes, isDirectory: boolean) => {
			const isOut = tagged ? isDirectory || !isTagged([name]) : this.#isExcluded(`${below}${name}`, isDirectory);
			if (isOut) this.#record.leftOut(`${path}/${name}`);
			return !isOut;
		};
		const files = all.files.filter((name) => isIn(name, false) && !this.#isLeftOut(folder, path, name)).sort();
		for (const name of all.sockets) if (isIn(name, false)) this.#record.remark(`${path}/${name}`, 'socket');
		const directories = all.directories.filter((name) => isIn(name, true)).sort(bySlash);
		// GNU tar looks a name up by halving, so they must be in order.
		const listing = [...files.map((name) => ({ name, code: 'Y' })), ...directories.map((name) => ({ name, code: 'D' }))]
			.sort((a, b) => (a.name < b.name ? -1 : 1))
			.map(({ name, code }) => `${code}${name}`);
		return { files, directories, listing };
	}

	/** What the backup before has, and what comes before a place of the walk, is not there any more. */
	#goneBefore(key: string | null): void {
		for (let entry = this.#base.takeBefore(key); entry; entry = this.#base.takeBefore(key)) {
			const type = entry.type === 'directory' ? 'gone-directory' : 'gone';
			this.#record.write({ path: entry.path, type }, 0);
		}
	}

	#vanished(path: Bytes, before: MergedEntry | null): void {
		this.#record.remark(path, 'vanished');
		if (before) this.#record.write({ path, type: 'gone' }, 0);
	}

	/** What the backup before has of an entry stays as it is there. @throws what is no refusal of the system to read it */
	#cannotRead(path: Bytes, before: MergedEntry | null, error: unknown): void {
		const code = codeOf(error);
		if (code === 'ENOENT') this.#vanished(path, before);
		else if (READING.has(syscallOf(error))) this.#record.remark(path, 'unreadable');
		else throw error;
	}

	#sawFile(path: Bytes, stats: fs.BigIntStats): void {
		const isFile = stats.isFile();
		this.#record.saw(typeOf(stats)!, isFile ? Number(stats.size) : 0);
		if (isFile && stats.nlink > 1n) {
			const inode = inodeOf(stats);
			const link = this.#links.get(inode);
			if (!link) this.#links.set(inode, { path, left: stats.nlink - 1n });
			else if (--link.left === 0n) this.#links.delete(inode);
		}
		this.#onEntry(this.#record.entries, this.#record.summary.bytes);
	}
}

/** What is in a directory, sorted, and as an incremental archive lists it. */
interface Names {
	files: Bytes[];
	directories: Bytes[];
	listing: Bytes[];
}

const ATTRIBUTES = ['mode', 'uid', 'gid', 'mtime'] as const;
/** Calls that fail for a reason of the entry itself. */
const READING: ReadonlySet<string> = new Set(['open', 'read', 'fstat', 'lstat', 'readlink']);

function isChanged(before: Entry, now: Pick<Entry, (typeof ATTRIBUTES)[number] | 'ctime' | 'ino'>): boolean {
	return before.ctime !== now.ctime || before.ino !== now.ino || ATTRIBUTES.some((name) => before[name] !== now[name]);
}

/** In the order of their keys, in which a slash follows the name. */
function bySlash(a: Bytes, b: Bytes): number {
	return `${a}/` < `${b}/` ? -1 : 1;
}

function digestOf(listing: readonly Bytes[]): string {
	return createHash('sha256').update(listing.join('\0'), 'latin1').digest('hex').slice(0, 16);
}

function inodeOf({ dev, ino }: fs.BigIntStats): string {
	return `${dev}:${ino}`;
}

/** Size and time of a database's write-ahead log; null where there is none. */
function logOf(from: Bytes): string | null {
	const stats = lookAt(`${from}-wal`);
	return stats && stats.size > 0n ? `${stats.size}:${timeText(stats.mtimeNs)}` : null;
}

function codeOf(error: unknown): string {
	return (error as NodeJS.ErrnoException).code ?? 'unknown';
}

function syscallOf(error: unknown): string {
	return (error as NodeJS.ErrnoException).syscall ?? '';
}
