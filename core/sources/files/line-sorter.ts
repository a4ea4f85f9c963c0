/** Sorts lines by a number, in bounded memory however many there are: sorted runs in temporary files, merged in the end. For worker threads. */
import fs from 'node:fs';
import { readLines } from './lines.ts';
import { writingTemporary } from './thread-faults.ts';

/** Of the lines of one run, which is sorted in memory. */
const RUN_CHARACTERS = 16 * 1024 * 1024;
/** Runs that are merged at a time: each is an open file with a buffer. */
const MAX_RUNS = 64;
const BUFFER_CHARACTERS = 256 * 1024;

interface Numbered {
	number: number;
	line: string;
}

/** Takes lines in any order, and writes them in order. */
export class LineSorter {
	readonly #file: string;
	readonly #runCharacters: number;
	/** Files of runs, each line with its number in front. */
	#runs: string[] = [];
	#runsMade = 0;
	#waiting: Numbered[] = [];
	#characters = 0;

	/**
	 * @param file what the lines are written to; runs lie beside it
	 * @param options.runCharacters of the lines that are held in memory
	 */
	constructor(file: string, { runCharacters = RUN_CHARACTERS }: { runCharacters?: number } = {}) {
		this.#file = file;
		this.#runCharacters = runCharacters;
	}

	/** @param line without its end */
	add(number: number, line: string): void {
		this.#waiting.push({ number, line });
		this.#characters += line.length;
		if (this.#characters < this.#runCharacters) return;
		this.#runs.push(this.#write(this.#takeWaiting(), { numbered: true }));
		if (this.#runs.length === MAX_RUNS) this.#runs = [this.#write(this.#mergeRuns(), { numbered: true })];
	}

	/** Writes the file. Lines of the same number stay in the order in which they came. */
	end(): void {
		const waiting = this.#takeWaiting();
		const all = this.#runs.length === 0 ? waiting : merge([...this.#runs.map(readRun), waiting[Symbol.iterator]()]);
		this.#write(all, { numbered: false });
		for (const run of this.#runs) fs.unlinkSync(run);
		this.#runs = [];
	}

	#takeWaiting(): Numbered[] {
		const sorted = this.#waiting.sort((a, b) => a.number - b.number);
		this.#waiting = [];
		this.#characters = 0;
		return sorted;
	}

	*#mergeRuns(): Generator<Numbered> {
		const runs = this.#runs;
		yield* merge(runs.map(readRun));
		for (const run of runs) fs.unlinkSync(run);
	}

	/** @returns the file */
	#write(lines: Iterable<Numbered>, { numbered }: { numbered: boolean }): string {
		const file = numbered ? `${this.#file}.run-${this.#runsMade++}` : this.#file;
		const fd = writingTemporary(() => fs.openSync(file, 'wx', 0o600));
		try {
			let buffer = '';
			for (const { number, line } of lines) {
				buffer += numbered ? `${number} ${line}\n` : `${line}\n`;
				if (buffer.length < BUFFER_CHARACTERS) continue;
				writeText(fd, buffer);
				buffer = '';
			}
			writeText(fd, buffer);
		} finally {
			fs.closeSync(fd);
		}
		return file;
	}
}

/** Writes a text behind what is in a temporary file. @throws Fault 'storage-full' */
export function writeText(fd: number, text: string): void {
	const bytes = Buffer.from(text, 'utf8');
	writingTemporary(() => {
		for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
	});
}

function* readRun(file: string): Generator<Numbered> {
	for (const line of readLines(file)) {
		const space = line.indexOf(' ');
		yield { number: Number(line.slice(0, space)), line: line.slice(space + 1) };
	}
}

/** What is sorted, as one; of equal numbers those of the first come first. */
function* merge(sources: ReadonlyArray<Iterator<Numbered>>): Generator<Numbered> {
	const heads = sources.flatMap((source) => {
		const first = source.next();
		return first.done ? [] : [{ source, head: first.value }];
	});
	while (heads.length > 0) {
		let least = heads[0]!;
		for (const each of heads) if (each.head.number < least.head.number) least = each;
		yield least.head;
		const next = least.source.next();
		if (next.done) heads.splice(heads.indexOf(least), 1);
		else least.head = next.value;
	}
}
