/** Makes files under temporary names, and gives them their own when they are whole: nobody ever sees half a file under its name. */
import fs from 'node:fs';
import { Folder } from '../archive/folder.ts';
import { ContentDigest } from '../content-digest.ts';
import { storedSize } from '../entry.ts';
import { Fault } from '../fault.ts';
import type { MergedEntry } from '../merge.ts';
import { type Bytes, toDisplay, toFs } from '../names.ts';
import type { AttributeSetter } from './attributes.ts';
import type { RestoreJob } from './messages.ts';
import type { Target } from './target.ts';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;

/** A file that has no name of its own yet. */
export interface Unplaced {
	fd: number;
	/** Where it is meanwhile. */
	at: Bytes;
}

/** Makes and places what is no directory. */
export class Placer {
	readonly #target: Target;
	readonly #attributes: AttributeSetter;
	readonly #name: Bytes;
	/** Open, so that nobody can put a link in its place. */
	readonly #temporary: Folder;
	/** What was begun under a temporary name; its number is the name. */
	#made = 0;
	readonly #files: Int32Array;
	/** By the clock of the disk, nanoseconds: what has not changed since then is not ours. */
	readonly beganAt: bigint;

	/**
	 * @param job.temporary name of a folder in the target that is made for what has no name of its own yet
	 * @param job.files counts the files that have their names
	 */
	constructor(
		target: Target,
		attributes: AttributeSetter,
		{ temporary, files }: Pick<RestoreJob, 'temporary' | 'files'>,
	) {
		this.#files = files;
		this.#target = target;
		this.#attributes = attributes;
		this.#name = temporary;
		const { folder, name } = target.folderOf(temporary);
		fs.mkdirSync(toFs(folder.at(name)), { mode: 0o700 });
		this.#temporary = new Folder(folder.at(name));
		this.beganAt = this.#temporary.stat().ctimeNs;
	}

	/** Begins a file, for nobody else to read. */
	create(): Unplaced {
		const at = this.#temporaryName();
		return { fd: fs.openSync(toFs(at), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600), at };
	}

	/** Gives a file of which all was written its attributes and its name, and closes it. */
	complete(entry: MergedEntry, { fd, at }: Unplaced): void {
		try {
			if (entry.extents || entry.size === 0) fs.ftruncateSync(fd, entry.size);
			if (storedSize(entry) === 0) assertDigest(entry, new ContentDigest(entry).hex());
			this.#attributes.setByDescriptor(fd, entry);
		} finally {
			fs.closeSync(fd);
		}
		this.#place(at, entry);
		this.#files[0]!++;
	}

	/** Takes back a file that was begun. */
	discard({ fd, at }: Unplaced): void {
		fs.closeSync(fd);
		fs.unlinkSync(toFs(at));
	}

	symlink(entry: MergedEntry): void {
		const temporary = this.#temporaryName();
		fs.symlinkSync(toFs(entry.target!), toFs(temporary));
		this.#attributes.setOfLink(temporary, entry);
		this.#place(temporary, entry);
	}

	/** @param from an existing file */
	link(entry: MergedEntry, from: Bytes): void {
		const temporary = this.#temporaryName();
		fs.linkSync(toFs(from), toFs(temporary));
		this.#place(temporary, entry);
		this.#files[0]!++;
	}

	/** Everything has its name: removes the folder for what has none. */
	close(): void {
		this.#temporary.close();
		const { folder, name } = this.#target.folderOf(this.#name);
		fs.rmdirSync(toFs(folder.at(name)));
	}

	/** Gives what was made its name, in the place of what has it. */
	#place(temporary: Bytes, { path }: MergedEntry): void {
		const { folder, name } = this.#target.folderOf(path);
		try {
			fs.renameSync(toFs(temporary), toFs(folder.at(name)));
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if (code === 'EISDIR' || code === 'EEXIST' || code === 'ENOTEMPTY') {
				throw new Fault(
					'already-exists',
					`cannot restore ${toDisplay(path)}: a folder has its name`,
					'Restore into an empty folder, or move it away.',
				);
			}
			if (code !== 'EXDEV') throw error;
			throw new Fault(
				'unsupported',
				`${toDisplay(path)} lies on another disk than the folder that is restored into`,
				'Restore what lies on that disk by itself.',
			);
		}
	}

	#temporaryName(): Bytes {
		return this.#temporary.at(String(this.#made++));
	}
}

/** @throws Fault 'damaged' */
export function assertDigest(entry: MergedEntry, found: string): void {
	if (found !== entry.sha256) throw damaged(entry, 'is not what its index says: its digest differs');
}

/** An entry that is not as the index says. */
export function damaged({ path }: MergedEntry, why: string): Fault {
	return new Fault(
		'damaged',
		`${toDisplay(path)} ${why}`,
		'Use another backup: a verification says which ones are sound.',
	);
}
