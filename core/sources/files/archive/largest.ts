/** The files and folders that take the most space, found while a tree is walked, in little memory. */
import { type Bytes, toDisplay } from '../names.ts';
import type { Sized } from './messages.ts';

/** So many of each. */
const MOST = 20;

/** Keeps the largest files, and the folders with the most right in them. */
export class Largest {
	readonly #files: Sized[] = [];
	readonly #folders: Sized[] = [];
	/** The files of a folder come one after the other. */
	#folder: { path: Bytes; bytes: number } | null = null;

	/** @param bytes of its contents */
	add(path: Bytes, bytes: number): void {
		if (bytes === 0) return;
		keep(this.#files, path, bytes);
		const above = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
		if (this.#folder?.path !== above) {
			this.#closeFolder();
			this.#folder = { path: above, bytes: 0 };
		}
		this.#folder.bytes += bytes;
	}

	/** Gives what was found, largest first. */
	end(): { files: Sized[]; folders: Sized[] } {
		this.#closeFolder();
		this.#folder = null;
		return { files: this.#files, folders: this.#folders };
	}

	#closeFolder(): void {
		if (this.#folder) keep(this.#folders, this.#folder.path, this.#folder.bytes);
	}
}

/** Puts something where it belongs in a list of the largest. */
function keep(list: Sized[], path: Bytes, bytes: number): void {
	if (list.length === MOST && list.at(-1)!.bytes >= bytes) return;
	const at = list.findIndex((each) => each.bytes < bytes);
	list.splice(at < 0 ? list.length : at, 0, { path: `/${toDisplay(path)}`, bytes });
	if (list.length > MOST) list.pop();
}
