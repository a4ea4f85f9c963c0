/** The files that are wanted of each backup of a chain, noted in files of a temporary folder: there may be millions. */
import fs from 'node:fs';
import path from 'node:path';
import { storedSize } from '../entry.ts';
import { LineSorter, writeWholeText } from '../line-sorter.ts';
import type { MergedEntry } from '../merge.ts';
import { writingTemporary } from '../thread-faults.ts';
import type { HolderPlan } from './messages.ts';

const BUFFER_CHARACTERS = 256 * 1024;

/** Notes files by the backup that holds their contents. */
export class Plans {
	readonly #folder: string;
	readonly #writers = new Map<number, PlanWriter>();

	/** @param folder for the files of the plans */
	constructor(folder: string) {
		this.#folder = folder;
	}

	add(entry: MergedEntry): void {
		const { holder } = entry;
		let writer = this.#writers.get(holder);
		if (!writer)
			this.#writers.set(holder, (writer = new PlanWriter(path.join(this.#folder, `plan-${holder}`), holder)));
		writer.add(entry);
	}

	/** All plans: the one of the oldest backup first. */
	end(): HolderPlan[] {
		return [...this.#writers.values()].map((writer) => writer.end()).sort((a, b) => b.holder - a.holder);
	}
}

/** Writes one plan, in the order in which entries come. */
export class PlanWriter {
	readonly #fd: number;
	readonly #plan: HolderPlan;
	#buffer = '';

	constructor(file: string, holder: number) {
		this.#fd = writingTemporary(() => fs.openSync(file, 'wx', 0o600));
		this.#plan = { holder, file, files: 0, bytes: 0 };
	}

	add(entry: MergedEntry): void {
		count(this.#plan, entry);
		this.#buffer += `${JSON.stringify(entry)}\n`;
		if (this.#buffer.length < BUFFER_CHARACTERS) return;
		writeWholeText(this.#fd, this.#buffer);
		this.#buffer = '';
	}

	end(): HolderPlan {
		writeWholeText(this.#fd, this.#buffer);
		fs.closeSync(this.#fd);
		return this.#plan;
	}
}

/** Writes one plan, in the order of the archive, whatever the order in which entries come. */
export class SortedPlanWriter {
	readonly #sorter: LineSorter<number>;
	readonly #plan: HolderPlan;

	constructor(file: string, holder: number) {
		this.#sorter = new LineSorter(file, { parseKey: Number });
		this.#plan = { holder, file, files: 0, bytes: 0 };
	}

	add(entry: MergedEntry): void {
		count(this.#plan, entry);
		this.#sorter.add(entry.at!, JSON.stringify(entry));
	}

	end(): HolderPlan {
		this.#sorter.end();
		return this.#plan;
	}
}

function count(plan: HolderPlan, entry: MergedEntry): void {
	plan.files++;
	plan.bytes += storedSize(entry);
}
