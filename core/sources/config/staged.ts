/** Copies of files without their secrets, in a temporary folder, until they are archived. */
import { chmod, chown, lstat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Root } from '../files/archive/messages.ts';
import { fromText } from '../files/names.ts';

/** A folder of copies, each under a number. */
export class Staged {
	readonly roots: Root[] = [];

	/** @param folder only this user may read it */
	constructor(private readonly folder: string) {}

	/** Archives a file, or a link, as it is. */
	addAsIs(file: string): void {
		this.roots.push({ path: named(file), real: fromText(file) });
	}

	/** Archives other bytes in the place of a file, with its mode, its time and, where this user may set it, its owner. */
	async addInstead(file: string, bytes: Buffer): Promise<void> {
		const { mode, atime, mtime, uid, gid } = await lstat(file);
		const copy = await this.#write(bytes);
		if (process.geteuid?.() === 0) await chown(copy, uid, gid);
		await chmod(copy, mode & 0o7777);
		await utimes(copy, atime, mtime);
		this.roots.push({ path: named(file), real: fromText(copy) });
	}

	/** Archives a file that is nowhere else. @param name in the archive */
	async addNew(name: string, bytes: Buffer): Promise<void> {
		this.roots.push({ path: fromText(name), real: fromText(await this.#write(bytes)) });
	}

	async #write(bytes: Buffer): Promise<string> {
		const copy = path.join(this.folder, String(this.roots.length));
		await writeFile(copy, bytes, { mode: 0o600, flag: 'wx' });
		return copy;
	}
}

/** How a file is named in an archive. */
function named(file: string): string {
	return fromText(file.slice(1));
}
