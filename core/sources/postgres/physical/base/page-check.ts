/**
 * Whether the data pages of a base backup are sound, by their own checksums, while their bytes pass. As `pg_basebackup` has the server do it:
 * new pages have none yet, and one that was written after the backup had begun may be half old and half new, which its log mends.
 */
import { BackupError } from '../../../../base/errors';
import { type IncrementalLayout, readLayout } from '../restore/writing/incremental-file';
import { PAGE_BYTES, pageChecksum } from './page-checksum';

/** Files of tables and indexes, with what belongs to them; of an incremental backup, the blocks that changed. */
const RELATION =
	/^(?:global|base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)\/(INCREMENTAL\.)?\d+(?:_(?:fsm|vm|init))?(?:\.(\d{1,6}))?$/;
/** A relation has files of 1 GB. */
const BLOCKS_PER_FILE = 131_072;
/** So many damaged pages are named. */
const MAX_EXAMPLES = 10;

/** Where in a page its fields lie. */
const CHECKSUM_AT = 8;
const UPPER_AT = 14;

/** @throws BackupError 'damaged' */
function layoutOf(path: string, head: Buffer): IncrementalLayout | null {
	try {
		return readLayout(head);
	} catch (cause) {
		throw new BackupError('damaged', `the incremental file ${path} ${(cause as Error).message}`, {
			hint: 'No server writes that. Use another backup.',
			cause,
		});
	}
}

/** Where the pages of a file begin to count; null for files without pages. @param path below the cluster's folder */
export function firstPageOf(path: string): number | null {
	const [name, , number = '0'] = RELATION.exec(path) ?? [];
	return name === undefined ? null : Number(number) * BLOCKS_PER_FILE;
}

/** Judges single pages. */
export class PageJudge {
	/** A page that is to be judged is put here; its checksum is gone then. */
	readonly bytes = Buffer.alloc(PAGE_BYTES);
	readonly #words = new Int32Array(this.bytes.buffer, this.bytes.byteOffset, PAGE_BYTES / 4);
	readonly #startHigh: number;
	readonly #startLow: number;

	/** @param start where the log begins that the backup needs */
	constructor(start: bigint) {
		this.#startHigh = Number(start >> 32n);
		this.#startLow = Number(start & 0xffff_ffffn);
	}

	/** @param block the page's number in its relation */
	isSound(block: number): boolean {
		const { bytes } = this;
		const isNew = bytes.readUInt16LE(UPPER_AT) === 0;
		if (isNew) return true;
		const [high, low] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
		if (high > this.#startHigh || (high === this.#startHigh && low >= this.#startLow)) return true;
		const written = bytes.readUInt16LE(CHECKSUM_AT);
		bytes.writeUInt16LE(0, CHECKSUM_AT);
		return pageChecksum(this.#words, block) === written;
	}
}

export class PageCheck {
	/** Pages whose checksum is wrong. */
	damaged = 0;
	/** The first of them: file and block. */
	readonly examples: string[] = [];
	readonly #judge: PageJudge;

	/** @param start where the log begins that the backup needs */
	constructor(start: bigint) {
		this.#judge = new PageJudge(start);
	}

	/**
	 * A file begins; the one before has ended.
	 * @param path below the cluster's folder
	 * @returns null for files without pages
	 */
	begin(path: string): { take(chunk: Buffer): void } | null {
		const first = firstPageOf(path);
		if (first === null) return null;
		const isIncremental = RELATION.exec(path)?.[1] !== undefined;
		let layout: IncrementalLayout | null = null;
		let head: Buffer = Buffer.alloc(0);
		let pages = 0;
		let filled = 0;
		const takePages = (chunk: Buffer) => {
			for (let at = 0; at < chunk.length; ) {
				const taken = chunk.copy(this.#judge.bytes, filled, at, at + PAGE_BYTES - filled);
				at += taken;
				filled += taken;
				if (filled < PAGE_BYTES) return;
				filled = 0;
				const block = first + (layout === null ? pages : (layout.blocks[pages] ?? 0));
				if (!this.#judge.isSound(block)) this.note(path, block);
				pages++;
			}
		};
		if (!isIncremental) return { take: takePages };
		return {
			take(chunk) {
				if (layout !== null) return takePages(chunk);
				head = Buffer.concat([head, chunk]);
				layout = layoutOf(path, head);
				if (layout !== null) takePages(head.subarray(layout.length));
			},
		};
	}

	/** Counts a page that is damaged. */
	note(path: string, block: number): void {
		this.damaged++;
		if (this.examples.length < MAX_EXAMPLES) this.examples.push(`${path} block ${block}`);
	}
}
