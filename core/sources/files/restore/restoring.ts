/**
 * Restores a view of a chain into a folder, in three passes over its index: folders and links, then the contents of files as the bytes
 * of each backup pass, then hard links and the attributes of folders. Blocking calls only, for a thread of its own.
 */
import { storedSize } from '../entry.ts';
import type { MergedEntry } from '../merge.ts';
import { toDisplay } from '../names.ts';
import { namingPath } from '../thread-faults.ts';
import { AttributeSetter } from './attributes.ts';
import { Comparer } from './compare.ts';
import type { HolderPlan, RestoreJob, RestoreSummary } from './messages.ts';
import { Placer } from './placing.ts';
import { Plans } from './plan.ts';
import { Target } from './target.ts';
import { finishTree } from './tree.ts';
import { View } from './view.ts';
import { ContentsWriter } from './writing.ts';

/** Told with their names; the others are counted. */
const MAX_NAMED = 100;
const MAX_LISTED = 1000;

/** What makes things; a dry run has none. */
interface Makers {
	placer: Placer;
	writer: ContentsWriter;
}

export class Restoring {
	readonly summary: RestoreSummary = {
		counts: {},
		bytes: 0,
		notRestored: [],
		notRestoredCount: 0,
		differences: [],
		differencesCount: 0,
		listed: [],
		unmatched: [],
	};
	readonly #job: RestoreJob;
	readonly #view: View;
	readonly #target: Target;
	readonly #sources: Target;
	readonly #attributes: AttributeSetter;
	readonly #makers: Makers | null;

	constructor(job: RestoreJob) {
		this.#job = job;
		this.#view = new View(job.indexes, job);
		this.#target = new Target(job.to);
		this.#sources = new Target(job.to);
		this.#attributes = new AttributeSetter(job.owners);
		this.#makers = job.dryRun ? null : this.#makersOf(job);
	}

	/** Takes the contents of files. */
	get writer(): ContentsWriter {
		return this.#makers!.writer;
	}

	/** Makes folders and symlinks, and notes whose contents must be read. */
	prepare(): HolderPlan[] {
		const plans = new Plans(this.#job.folder);
		for (const entry of this.#view.entries()) {
			const { counts, listed } = this.summary;
			counts[entry.type] = (counts[entry.type] ?? 0) + 1;
			if (entry.type === 'file') this.summary.bytes += entry.size!;
			if (this.#makers === null && listed.length < MAX_LISTED) listed.push(toDisplay(entry.path));
			if (entry.type === 'file' && storedSize(entry) > 0) plans.add(entry);
			else if (this.#makers !== null) {
				const { placer } = this.#makers;
				namingPath(entry.path, () => this.#make(entry, placer));
			}
		}
		this.summary.unmatched = this.#view.unmatched;
		return plans.end();
	}

	/** Hard links, attributes of folders, and the comparison. */
	finish(onPhase: (phase: string) => void): RestoreSummary {
		if (this.#makers !== null) {
			this.#finishTree(this.#makers.placer);
			onPhase('comparing');
			const comparer = new Comparer(this.#target, this.#attributes, this.#job.compare, this.summary);
			for (const entry of this.#view.entries()) comparer.compare(entry);
		}
		this.#target.close();
		this.#sources.close();
		return this.summary;
	}

	#makersOf(job: RestoreJob): Makers {
		const placer = new Placer(this.#target, this.#attributes, job);
		return { placer, writer: new ContentsWriter(placer, this.#sources, job.folder) };
	}

	/** Makes what needs no bytes of the archive. A file without any is empty, or one hole. */
	#make(entry: MergedEntry, placer: Placer): void {
		switch (entry.type) {
			case 'file':
				placer.complete(entry, placer.create());
				break;
			case 'directory':
				this.#target.makeFolder(entry.path);
				break;
			case 'symlink':
				placer.symlink(entry);
				break;
			case 'link':
				break;
			default:
				this.#notRestored(
					entry,
					entry.type === 'fifo' ? 'a FIFO: make it with mkfifo' : 'a device: make it with mknod',
				);
		}
	}

	#finishTree(placer: Placer): void {
		finishTree(this.#view.entries(), {
			target: this.#target,
			sources: this.#sources,
			attributes: this.#attributes,
			placer,
			notRestored: (entry, why) => this.#notRestored(entry, why),
		});
		placer.close();
	}

	#notRestored({ path }: MergedEntry, why: string): void {
		this.summary.notRestoredCount++;
		if (this.summary.notRestored.length < MAX_NAMED) this.summary.notRestored.push({ path: toDisplay(path), why });
	}
}
