/** The index as it is written, and what there is to say of an archive. */
import fs from 'node:fs';
import { type Entry, formatEntry, isGone } from '../entry.ts';
import { type Bytes, toDisplay } from '../names.ts';
import { Largest } from './largest.ts';
import type { ArchiveSummary } from './messages.ts';

const BUFFER_CHARACTERS = 256 * 1024;
/** Remarks that are told with the path they are about. */
const MAX_NAMED = 1000;

/** Why an entry needs a remark; with these, something that was there is not stored as it was. */
export type Remark =
	| 'changed' // it changed while it was read, also the second time
	| 'unreadable' // the system refused to read it
	| 'damaged-database' // SQLite says that it is
	| 'locked-database' // somebody held it locked: its file was read as it was
	| 'vanished' // it was there a moment before
	| 'replaced' // of an object: another one has its name meanwhile, which is stored
	| 'added' // of an object: it was made since the archive began, and is stored
	| 'many-versions' // of an object: it has more than are kept in memory, and the oldest are left out
	| 'socket' // nothing to store
	| 'too-large' // left out because somebody said so
	| 'other-file-system';

const INCOMPLETE: ReadonlySet<string> = new Set<Remark>([
	'changed',
	'unreadable',
	'damaged-database',
	'locked-database',
	'many-versions',
]);

/** Writes the index, and counts. */
export class Record {
	readonly summary: ArchiveSummary = {
		roots: [],
		counts: {},
		bytes: 0,
		stored: { entries: 0, bytes: 0, gone: 0 },
		named: [],
		remarks: {},
		incomplete: false,
	};
	/** Entries seen so far, stored or not. */
	entries = 0;
	readonly #fd: number | null;
	readonly #largest = new Largest();
	#buffer = '';

	/** @param file where the index is written; null for none */
	constructor(file: string | null) {
		this.#fd = file === null ? null : fs.openSync(file, 'wx', 0o600);
	}

	/** An entry that is there. @param size bytes of a file */
	saw(type: string, size: number): void {
		this.entries++;
		const { counts } = this.summary;
		counts[type] = (counts[type] ?? 0) + 1;
		this.summary.bytes += size;
		const root = this.summary.roots.at(-1)!;
		root.entries++;
		root.bytes += size;
	}

	/** A version of an object that is not current, or a delete marker. @param size bytes; null of a marker */
	sawVersion(size: number | null): void {
		this.entries++;
		const versions = (this.summary.versions ??= { count: 0, bytes: 0, markers: 0 });
		if (size === null) versions.markers++;
		else {
			versions.count++;
			versions.bytes += size;
		}
	}

	/** Writes one line. @param stored bytes of its contents that this archive holds */
	write(entry: Entry, stored: number): void {
		if (isGone(entry)) this.summary.stored.gone++;
		else this.summary.stored.entries++;
		this.summary.stored.bytes += stored;
		if (this.#fd === null) this.#largest.add(entry.path, stored);
		else this.note(entry);
	}

	/** Writes a line about nothing new: of what other backups hold. */
	note(entry: Entry): void {
		if (this.#fd === null) return;
		this.#buffer += formatEntry(entry);
		if (this.#buffer.length >= BUFFER_CHARACTERS) this.#flush(this.#fd);
	}

	remark(path: Bytes, why: Remark): void {
		const { named, remarks } = this.summary;
		remarks[why] = (remarks[why] ?? 0) + 1;
		if (named.length < MAX_NAMED) named.push({ path: toDisplay(path), why });
		if (INCOMPLETE.has(why)) this.summary.incomplete = true;
	}

	/** Something that an option leaves out. Only who looks first wants to know what. */
	leftOut(path: Bytes): void {
		const { named, remarks } = this.summary;
		remarks['left-out'] = (remarks['left-out'] ?? 0) + 1;
		if (this.#fd === null && named.length < MAX_NAMED) named.push({ path: toDisplay(path), why: 'left-out' });
	}

	/** Closes the index. */
	end(): void {
		if (this.#fd === null) {
			this.summary.largest = this.#largest.end();
			return;
		}
		this.#flush(this.#fd);
		fs.closeSync(this.#fd);
	}

	#flush(fd: number): void {
		const bytes = Buffer.from(this.#buffer);
		this.#buffer = '';
		for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
	}
}
