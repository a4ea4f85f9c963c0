/** The files that are wanted of each backup of a chain, noted in files of a temporary folder: there may be millions. */
import fs from 'node:fs';
import path from 'node:path';
import { storedSize } from '../entry.ts';
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

/** Writes one plan. */
export class PlanWriter {
	readonly #fd: number;
	readonly #plan: HolderPlan;
	#buffer = '';

	constructor(file: string, holder: number) {
		this.#fd = writingTemporary(() => fs.openSync(file, 'wx', 0o600));
		this.#plan = { holder, file, files: 0, bytes: 0 };
	}

	add(entry: MergedEntry): void {
		this.#plan.files++;
		this.#plan.bytes += storedSize(entry);
		this.#buffer += `${JSON.stringify(entry)}\n`;
		if (this.#buffer.length >= BUFFER_CHARACTERS) this.#flush();
	}

	end(): HolderPlan {
		this.#flush();
		fs.closeSync(this.#fd);
		return this.#plan;
	}

	#flush(): void {
		const bytes = Buffer.from(this.#buffer, 'utf8');
		this.#buffer = '';
		writingTemporary(() => {
			for (let done = 0; done < bytes.length; ) done += fs.writeSync(this.#fd, bytes, done);
		});
	}
}
