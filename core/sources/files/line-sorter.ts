/** Sorts lines by a key, in bounded memory however many there are: sorted runs in temporary files, merged in the end. For worker threads. */
import fs from 'node:fs';
import { readLines } from './lines.ts';
import { writingTemporary } from './thread-faults.ts';

/** Of the lines of one run, which is sorted in memory. */
const RUN_CHARACTERS = 16 * 1024 * 1024;
/** Runs that are merged at a time: each is an open file with a buffer. */
const MAX_RUNS = 64;
const BUFFER_CHARACTERS = 256 * 1024;

interface Keyed<Key> {
	key: Key;
	line: string;
}

interface LineSorterOptions<Key> {
	/** A key from its text, which has no blank and no end of a line in it. */
	parseKey: (text: string) => Key;
	/** Of the lines that are held in memory. */
	runCharacters?: number;
}

/** Takes lines in any order, and writes them in the order of their keys. */
export class LineSorter<Key extends number | string> {
	readonly #file: string;
	readonly #parseKey: (text: string) => Key;
	readonly #runCharacters: number;
	/** Files of runs, each line with its key in front. */
	#runs: string[] = [];
	#runsMade = 0;
	#waiting: Array<Keyed<Key>> = [];
	#characters = 0;

	/** @param file what the lines are written to; runs lie beside it */
	constructor(file: string, { parseKey, runCharacters = RUN_CHARACTERS }: LineSorterOptions<Key>) {
		this.#file = file;
		this.#parseKey = parseKey;
		this.#runCharacters = runCharacters;
	}

	/** @param line without its end */
	add(key: Key, line: string): void {
		this.#waiting.push({ key, line });
		this.#characters += line.length;
		if (this.#characters < this.#runCharacters) return;
		this.#runs.push(this.#write(this.#takeWaiting(), { keyed: true }));
		if (this.#runs.length === MAX_RUNS) this.#runs = [this.#write(this.#mergeRuns(), { keyed: true })];
	}

	/** Writes the file. Lines of the same key stay in the order in which they came. */
	end(): void {
		const waiting = this.#takeWaiting();
		const all = this.#runs.length === 0 ? waiting : merge([...this.#readRuns(), waiting[Symbol.iterator]()]);
		this.#write(all, { keyed: false });
		for (const run of this.#runs) fs.unlinkSync(run);
		this.#runs = [];
	}

	#takeWaiting(): Array<Keyed<Key>> {
		const sorted = this.#waiting.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
		this.#waiting = [];
		this.#characters = 0;
		return sorted;
	}

	*#mergeRuns(): Generator<Keyed<Key>> {
		const runs = this.#runs;
		yield* merge(this.#readRuns());
		for (const run of runs) fs.unlinkSync(run);
	}

	#readRuns(): Array<Generator<Keyed<Key>>> {
		return this.#runs.map((file) => readRun(file, this.#parseKey));
	}

	/** @returns the file */
	#write(lines: Iterable<Keyed<Key>>, { keyed }: { keyed: boolean }): string {
		const file = keyed ? `${this.#file}.run-${this.#runsMade++}` : this.#file;
		const fd = writingTemporary(() => fs.openSync(file, 'wx', 0o600));
		try {
			let buffer = '';
			for (const { key, line } of lines) {
				buffer += keyed ? `${key} ${line}\n` : `${line}\n`;
				if (buffer.length < BUFFER_CHARACTERS) continue;
				writeWholeText(fd, buffer);
				buffer = '';
			}
			writeWholeText(fd, buffer);
		} finally {
			fs.closeSync(fd);
		}
		return file;
	}
}

/** Writes a text behind what is in a temporary file. @throws Fault 'storage-full' */
export function writeWholeText(fd: number, text: string): void {
	const bytes = Buffer.from(text, 'utf8');
	writingTemporary(() => {
		for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
	});
}

function* readRun<Key>(file: string, parseKey: (text: string) => Key): Generator<Keyed<Key>> {
	for (const line of readLines(file)) {
		const space = line.indexOf(' ');
		yield { key: parseKey(line.slice(0, space)), line: line.slice(space + 1) };
	}
}

/** What is sorted, as one; of equal keys those of the first come first. */
function* merge<Key>(sources: ReadonlyArray<Iterator<Keyed<Key>>>): Generator<Keyed<Key>> {
	const heads = sources.flatMap((source) => {
		const first = source.next();
		return first.done ? [] : [{ source, head: first.value }];
	});
	while (heads.length > 0) {
		let least = heads[0]!;
		for (const each of heads) if (each.head.key < least.head.key) least = each;
		yield least.head;
		const next = least.source.next();
		if (next.done) heads.splice(heads.indexOf(least), 1);
		else least.head = next.value;
	}
}
