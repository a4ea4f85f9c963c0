/** Stores the contents of one file: read again where it changed meanwhile, shared where the archive has them already. */
import { createHash, hash } from 'node:crypto';
import fs from 'node:fs';
import { type Entry, storedSize } from '../entry.ts';
import { type Bytes, toFs } from '../names.ts';
import { SharedContents } from '../shared-contents.ts';
import type { Attributes } from './attributes.ts';
import { findExtents, hasHoles } from './holes.ts';
import type { Output } from './output.ts';
import { padding, TarHeader, type TarType } from './tar.ts';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
/** Linux: reading leaves the access time alone. Only for the owner of the file, and for root. */
const O_NOATIME = process.platform === 'linux' ? fs.constants.O_NOATIME : 0;
/** Smaller files are read before anything of them is written. */
const SMALL_BYTES = 1024 * 1024;

/** A file of which the attributes are known. */
export interface FileToStore {
	path: Bytes;
	/** Where to read its contents. */
	from: Bytes;
	/** @param stats those of the open file */
	attributesOf(stats: fs.BigIntStats): Attributes;
}

/** What came of storing a file. */
export type StoredFile = Entry & { type: 'file'; size: number; sha256: string; at: number };

/** Stores files, and remembers their contents. */
export class FileStore {
	readonly #output: Output;
	readonly #buffer = Buffer.allocUnsafe(SMALL_BYTES);
	/** By {@link sharingKey}: the first file with these contents. */
	readonly #shared = new SharedContents<string, { path: Bytes; at: number }>();
	/** Sizes of the large files that were stored: only another one of the same size is worth reading twice. */
	readonly #sizes = new Set<number>();
	readonly #header = new TarHeader();

	constructor(output: Output) {
		this.#output = output;
	}

	/**
	 * Stores one file.
	 * @param isRefused looks at the open file and its beginning; one that it refuses is not stored
	 * @returns null when it is no file any more, or was refused
	 * @throws errors of the system
	 */
	store(
		file: FileToStore,
		isRefused: (head: Buffer, stats: fs.BigIntStats) => boolean = () => false,
	): StoredFile | null {
		const start = this.#output.position;
		const fd = openFile(file.from);
		try {
			const before = fs.fstatSync(fd, { bigint: true });
			if (!before.isFile() || isRefused(this.#head(fd, before), before)) return null;
			const entry = this.#storeOnce(fd, file, before);
			const after = fs.fstatSync(fd, { bigint: true });
			if (isSame(before, after, entry)) return this.#remember(entry, start);
			const again = this.#storeOnce(fd, file, after);
			// One that still changes is as nobody else has it.
			if (isSame(after, fs.fstatSync(fd, { bigint: true }), again)) return this.#remember(again, start);
			this.#shared.countOnly();
			return { ...again, changed: true };
		} finally {
			fs.closeSync(fd);
		}
	}

	/** The digest of a file, without storing it; null when it is no file any more. */
	digest(from: Bytes): string | null {
		const fd = openFile(from);
		try {
			return fs.fstatSync(fd).isFile() ? this.#hashFile(fd) : null;
		} finally {
			fs.closeSync(fd);
		}
	}

	#storeOnce(fd: number, file: FileToStore, stats: fs.BigIntStats): StoredFile {
		const size = Number(stats.size);
		// Path and type come first in a line of the index: the commands of docs/restore-files-by-hand.md look for them there.
		const entry: StoredFile = { path: file.path, type: 'file', ...file.attributesOf(stats), size, sha256: '', at: 0 };
		if (hasHoles(stats)) return this.#storeLarge(fd, { ...entry, extents: findExtents(fd, size) });
		return size <= SMALL_BYTES ? this.#storeSmall(fd, entry) : this.#storeLarge(fd, entry);
	}

	/** Where it became shorter, its size is what could be read. */
	#storeSmall(fd: number, found: StoredFile): StoredFile {
		let size = 0;
		while (size < found.size) {
			const count = fs.readSync(fd, this.#buffer, size, found.size - size, size);
			if (count === 0) break;
			size += count;
		}
		found.size = size;
		found.sha256 = hash('sha256', new Uint8Array(this.#buffer.buffer, this.#buffer.byteOffset, size), 'hex');
		const shared = this.#shareWith(found);
		if (shared) return shared;
		this.writeHeader(found, 'file', size);
		const at = this.#output.position;
		this.#output.write(this.#buffer, size);
		this.#output.zeros(padding(size));
		found.at = at;
		return found;
	}

	#storeLarge(fd: number, entry: StoredFile): StoredFile {
		if (!entry.extents && this.#sizes.has(entry.size)) {
			const shared = this.#shareWith({ ...entry, sha256: this.#hashFile(fd) });
			if (shared) return shared;
		}
		const { size, extents = [[0, size]] } = entry;
		const stored = storedSize(entry);
		this.writeHeader(entry, 'file', stored);
		const at = this.#output.position;
		const digest = createHash('sha256');
		let position = 0;
		try {
			for (const [offset, length] of extents) {
				position = hashZeros(digest, position, offset);
				const count = this.#output.read(fd, offset, length, digest);
				// It became shorter: whoever asked will see that it changed.
				this.#output.zeros(length - count);
				hashZeros(digest, offset + count, offset + length);
				position = offset + length;
			}
		} finally {
			// The header has promised all of it: where it cannot be read any further, the next header would be looked for elsewhere.
			this.#output.zeros(at + stored + padding(stored) - this.#output.position);
		}
		hashZeros(digest, position, size);
		this.#sizes.add(size);
		return { ...entry, at, sha256: digest.digest('hex') };
	}

	/** @param start where in the archive it was begun: contents before it are another file's */
	#remember(entry: StoredFile, start: number): StoredFile {
		if (entry.size === 0 || entry.at < start) return entry;
		if (entry.extents) this.#shared.countOnly();
		else this.#shared.add(sharingKey(entry), { path: entry.path, at: entry.at });
		return entry;
	}

	/** Its first bytes, where it may be a database: those are made of whole blocks. */
	#head(fd: number, { size }: fs.BigIntStats): Buffer {
		if (size === 0n || size % 512n !== 0n) return NO_BYTES;
		return this.#buffer.subarray(0, fs.readSync(fd, this.#buffer, 0, 16, 0));
	}

	/** Writes what comes before an entry's contents: see `TarHeader`. */
	writeHeader(entry: Entry, type: TarType, stored: number, names: readonly Bytes[] | null = null): void {
		const { bytes, length } = this.#header.make(entry, type, stored, names);
		this.#output.write(bytes, length);
	}

	/** As a hard link, where that changes nothing else when somebody restores by hand: owner, mode and time are those of the link's target. */
	#shareWith(entry: StoredFile): StoredFile | null {
		const other = entry.size > 0 ? this.#shared.get(sharingKey(entry)) : undefined;
		if (!other) return null;
		this.writeHeader({ ...entry, target: other.path }, 'link', 0);
		return { ...entry, at: other.at };
	}

	#hashFile(fd: number): string {
		const digest = createHash('sha256');
		for (let position = 0; ; ) {
			const count = fs.readSync(fd, this.#buffer, 0, SMALL_BYTES, position);
			if (count === 0) return digest.digest('hex');
			digest.update(this.#buffer.subarray(0, count));
			position += count;
		}
	}
}

function openFile(from: Bytes): number {
	const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
	if (O_NOATIME === 0) return fs.openSync(toFs(from), flags);
	try {
		return fs.openSync(toFs(from), flags | O_NOATIME);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
		return fs.openSync(toFs(from), flags);
	}
}

function isSame(before: fs.BigIntStats, after: fs.BigIntStats, { size }: StoredFile): boolean {
	return before.size === after.size && before.mtimeNs === after.mtimeNs && Number(after.size) === size;
}

/** What two files must have in common to be one in a tar. */
function sharingKey({ sha256, mode, uid, gid, mtime }: StoredFile): string {
	return `${sha256} ${mode} ${uid} ${gid} ${mtime}`;
}

const NO_BYTES = Buffer.alloc(0);
const ZEROS = new Uint8Array(SMALL_BYTES);

function hashZeros(digest: ReturnType<typeof createHash>, from: number, to: number): number {
	for (let position = from; position < to; position += ZEROS.length) {
		digest.update(ZEROS.subarray(0, Math.min(ZEROS.length, to - position)));
	}
	return Math.max(from, to);
}
