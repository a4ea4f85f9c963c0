/**
 * Which wanted name stands in for a file of several names whose contents lie under another one, which is not wanted. There may be millions:
 * they are sorted in files of a temporary folder, and read again in step with the index.
 */
import fs from 'node:fs';
import path from 'node:path';
import { LineSorter } from '../line-sorter.ts';
import { readLines } from '../lines.ts';
import type { MergedEntry } from '../merge.ts';
import { type Bytes, sortKey } from '../names.ts';

/** The first wanted name of a file. */
interface StandIn {
	/** The key of the file itself, under the name that is not wanted. */
	of: string;
	path: Bytes;
	key: string;
}

/** A wanted link, as it is sorted by its file. */
type Link = StandIn & { number: number };

/** Takes the links whose files are not wanted, in the order of the index. */
export class StandIns {
	readonly #byFile: string;
	readonly #byLink: string;
	readonly #links: LineSorter<string>;
	#count = 0;

	/** @param folder for its files, which it leaves there */
	constructor(folder: string) {
		this.#byFile = path.join(folder, 'stand-ins');
		this.#byLink = path.join(folder, 'stand-ins-of-links');
		this.#links = new LineSorter(`${this.#byFile}-links`, { parseKey: String });
	}

	/** @param link one whose target is not wanted */
	add({ path: name, key, target }: MergedEntry): void {
		const of = sortKey(target!, false);
		const link: Link = { of, path: name, key, number: this.#count++ };
		// Digits keep the order of the bytes, and have no end of a line in them.
		this.#links.add(Buffer.from(of, 'latin1').toString('hex'), JSON.stringify(link));
	}

	/** All were given. @returns how many */
	end(): number {
		this.#links.end();
		const sorted = `${this.#byFile}-links`;
		if (this.#count > 0) this.#choose(sorted);
		fs.unlinkSync(sorted);
		return this.#count;
	}

	/** The first name of each file stands in for it. */
	#choose(sorted: string): void {
		const byLink = new LineSorter<number>(this.#byLink, { parseKey: Number });
		const byFile = new LineSorter<number>(this.#byFile, { parseKey: Number });
		let last: StandIn | null = null;
		let files = 0;
		for (const line of readLines(sorted)) {
			const { number, ...link } = JSON.parse(line) as Link;
			if (last?.of !== link.of) byFile.add(files++, JSON.stringify((last = link)));
			byLink.add(number, JSON.stringify(last.path));
		}
		byFile.end();
		byLink.end();
	}

	/** Goes through them in step with the index. Whoever asks closes it. */
	reader(): StandInReader {
		return new StandInReader(this.#byFile, this.#byLink);
	}
}

/** Answers for entries that are asked for in the order of the index. */
export class StandInReader {
	readonly #files: Generator<string>;
	readonly #links: Generator<string>;
	#next: StandIn | null;

	constructor(byFile: string, byLink: string) {
		this.#files = readLines(byFile);
		this.#links = readLines(byLink);
		this.#next = this.#read();
	}

	/** What stands in for a file, if anything does. */
	forFile({ key }: MergedEntry): Pick<MergedEntry, 'path' | 'key'> | null {
		// What a link names and what is not there is passed over.
		while (this.#next && this.#next.of < key) this.#next = this.#read();
		if (this.#next?.of !== key) return null;
		return { path: this.#next.path, key: this.#next.key };
	}

	/** Which name stands in for the file of the next link whose file is not wanted. */
	nextOfLink(): Bytes {
		return JSON.parse(this.#links.next().value as string) as Bytes;
	}

	close(): void {
		this.#files.return(undefined);
		this.#links.return(undefined);
	}

	#read(): StandIn | null {
		const line = this.#files.next();
		return line.done ? null : (JSON.parse(line.value) as StandIn);
	}
}
