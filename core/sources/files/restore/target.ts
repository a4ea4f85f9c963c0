/**
 * The folder that is restored into. Every step down is an open directory that is no link, so that nothing is ever written outside,
 * whatever links are there or are put there meanwhile.
 */
import fs from 'node:fs';
import { Folder } from '../archive/folder.ts';
import { Fault } from '../fault.ts';
import { type Bytes, toDisplay, toFs } from '../names.ts';

/** Of a folder that nothing is known of, because only something in it is wanted. */
const FOLDER_MODE = 0o755;

export class Target {
	/** The folder itself, and the steps down to where we are. */
	readonly #steps: Array<{ name: Bytes; folder: Folder }>;

	/** @param path of the folder, links resolved */
	constructor(path: Bytes) {
		this.#steps = [{ name: '', folder: new Folder(path) }];
	}

	/**
	 * The folder of an entry, open.
	 * @param path of the entry; its folders are made where they are missing
	 * @throws Fault 'already-exists' where something else has the name of a folder
	 */
	folderOf(path: Bytes, make = true): { folder: Folder; name: Bytes } {
		const names = path.split('/');
		const name = names.pop()!;
		let same = 1;
		while (same < this.#steps.length && same <= names.length && this.#steps[same]!.name === names[same - 1]) same++;
		while (this.#steps.length > same) this.#steps.pop()!.folder.close();
		for (const below of names.slice(same - 1)) this.#enter(below, path, make);
		return { folder: this.#steps.at(-1)!.folder, name };
	}

	/** Makes a directory, unless it is there. Its mode comes last: until then only its owner may do anything in it. */
	makeFolder(path: Bytes): void {
		const { folder, name } = this.folderOf(path);
		this.#make(folder, name, path, 0o700);
	}

	close(): void {
		for (const { folder } of this.#steps.splice(0).reverse()) folder.close();
	}

	#enter(name: Bytes, path: Bytes, make: boolean): void {
		const { folder } = this.#steps.at(-1)!;
		try {
			this.#steps.push({ name, folder: new Folder(folder.at(name)) });
			return;
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if (code === 'ENOTDIR' || code === 'ELOOP')
				throw inTheWay(path, `"${toDisplay(name)}" is not a folder, or is a link`);
			if (code !== 'ENOENT' || !make) throw error;
		}
		this.#make(folder, name, path, FOLDER_MODE);
		this.#steps.push({ name, folder: new Folder(folder.at(name)) });
	}

	#make(folder: Folder, name: Bytes, path: Bytes, mode: number): void {
		try {
			fs.mkdirSync(toFs(folder.at(name)), { mode });
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
			if (!fs.lstatSync(toFs(folder.at(name))).isDirectory())
				throw inTheWay(path, 'a file or link has the name of a folder');
		}
	}
}

function inTheWay(path: Bytes, why: string): Fault {
	return new Fault(
		'already-exists',
		`cannot restore ${toDisplay(path)}: ${why}`,
		'Restore into an empty folder, or move away what is in the way.',
	);
}
