/**
 * Files that an incremental base backup holds in part: the blocks that changed, and how long the file was at its shortest. They
 * are written into the file of the backup before, so that nothing is stored twice on the way. The format is PostgreSQL's (17
 * and later; `src/include/backup/basebackup_incremental.h`): four bytes each of a magic number, the count of blocks, and the
 * shortest length in blocks, then the numbers of the blocks, filled up to a block where there are any, then the blocks.
 */
import fs from 'node:fs';
import { Fault } from '../../../../files/fault.ts';

/** What the names of such files begin with. */
export const INCREMENTAL_PREFIX = 'INCREMENTAL.';
const MAGIC = 0xd3ae1f0d;
const BLOCK = 8192;
const HEADER = 12;
/** Blocks of the largest file of a relation: 1 GB. A build with larger files is refused. */
const MAX_BLOCKS = 131_072;

/** What the head of such a file says. */
export interface IncrementalLayout {
	/** Bytes before the first block. */
	length: number;
	/** The number of each block in the whole file, in the order in which they lie here. */
	blocks: Uint32Array;
	/** How long the file was at its shortest, in blocks. */
	shortest: number;
}

/**
 * Reads the head.
 * @param head what has come so far
 * @returns null while it is not whole
 * @throws Error with what is wrong, to be put behind the name of the file
 */
export function readLayout(head: Buffer): IncrementalLayout | null {
	if (head.length < HEADER) return null;
	if (head.readUInt32LE(0) !== MAGIC) throw new Error('does not begin as such files do');
	const count = head.readUInt32LE(4);
	if (count > MAX_BLOCKS) throw new Error(`says that it has ${count} blocks`);
	const length = count === 0 ? HEADER : Math.ceil((HEADER + 4 * count) / BLOCK) * BLOCK;
	if (head.length < length) return null;
	const shortest = head.readUInt32LE(8);
	const blocks = Uint32Array.from({ length: count }, (_, n) => head.readUInt32LE(HEADER + 4 * n));
	if (shortest > MAX_BLOCKS || blocks.some((block) => block >= MAX_BLOCKS)) {
		throw new Error('has blocks that no file of a relation can have');
	}
	return { length, blocks, shortest };
}

export class IncrementalFile {
	readonly #path: string;
	readonly #fd: number;
	#head: Buffer = Buffer.alloc(0);
	/** Null until all of the head has come. */
	#blocks: Uint32Array | null = null;
	/** Of the bytes behind the head. */
	#at = 0;
	#isOpen = true;

	/** @param path of the whole file, which the backup before has put there @throws Fault 'damaged' where it is not there */
	constructor(path: string) {
		this.#path = path;
		try {
			this.#fd = fs.openSync(path, 'r+');
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
			throw this.#damaged('changes a file that the backup before does not have');
		}
	}

	take(chunk: Buffer): void {
		let rest = chunk;
		if (this.#blocks === null) {
			this.#head = Buffer.concat([this.#head, chunk]);
			const layout = this.#layout();
			if (layout === null) return;
			rest = this.#head.subarray(layout.length);
			this.#begin(layout);
		}
		for (let at = 0; at < rest.length; ) {
			const index = Math.floor(this.#at / BLOCK);
			const within = this.#at % BLOCK;
			const block = this.#blocks![index];
			if (block === undefined) throw this.#damaged('has more blocks than it says');
			const part = rest.subarray(at, at + BLOCK - within);
			for (let done = 0; done < part.length; ) {
				done += fs.writeSync(this.#fd, part, done, part.length - done, block * BLOCK + within + done);
			}
			at += part.length;
			this.#at += part.length;
		}
	}

	end(): void {
		if (this.#blocks === null || this.#at !== this.#blocks.length * BLOCK) throw this.#damaged('ends too early');
	}

	close(): void {
		if (this.#isOpen) fs.closeSync(this.#fd);
		this.#isOpen = false;
	}

	#layout(): IncrementalLayout | null {
		try {
			return readLayout(this.#head);
		} catch (error) {
			throw this.#damaged((error as Error).message);
		}
	}

	/** What lay behind the shortest length is gone, and what came later is among the blocks; what is in neither is zeros. */
	#begin({ blocks, shortest }: IncrementalLayout): void {
		const length = blocks.reduce((longest, block) => Math.max(longest, block + 1), shortest);
		const had = Math.floor(fs.fstatSync(this.#fd).size / BLOCK);
		fs.ftruncateSync(this.#fd, Math.min(had, shortest) * BLOCK);
		fs.ftruncateSync(this.#fd, length * BLOCK);
		this.#blocks = blocks;
		this.#head = Buffer.alloc(0);
	}

	#damaged(why: string): Fault {
		return new Fault(
			'damaged',
			`the incremental file of ${this.#path} ${why}`,
			'The backup is damaged, or one that it needs is another one. Use the full one before it.',
		);
	}
}
