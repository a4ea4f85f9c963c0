/** Whether the data of an archive are what its index says: every digest, while the bytes pass. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { BackupError } from '../../base/errors';
import type { StoredPart } from '../../records/manifest';
import type { DataCheck, OpenBackup } from '../source';
import { ContentDigest } from './content-digest';
import type { FilesContents } from './contents';
import { type Entry, parseEntry, storedSize } from './entry';
import { Fault } from './fault';
import { toError } from './faults';
import { indexOf } from './parts';
import { toDisplay } from './names';
import { SharedContents } from './shared-contents';

/** The end of a tar: two blocks of zeros. */
const END_BYTES = 1024;

/**
 * Begins to compare the contents of every file that the archive holds with the digest in its own index, which is read beside it.
 * @throws BackupError as opening the index does
 */
export async function checkData(backup: OpenBackup<FilesContents>, _part: StoredPart): Promise<DataCheck> {
	const { manifest } = backup;
	const check = new ArchiveCheck(await backup.open(indexOf(manifest)), `${manifest.group}/${manifest.label}`);
	await check.next();
	return check;
}

interface Current {
	entry: Entry;
	digest: ContentDigest;
	end: number;
}

class ArchiveCheck implements DataCheck {
	readonly #lines: AsyncIterator<string>;
	/** Digests of the contents that passed, by their place. */
	readonly #passed = new SharedContents<number, string>();
	#current: Current | null = null;
	#position = 0;
	/** Where the contents before end: those that follow begin behind it. */
	#free = 0;
	#last = Buffer.alloc(0);

	constructor(
		private readonly index: Readable,
		private readonly name: string,
	) {
		// Between two lines, nobody else hears of it; whoever asks for the next one finds it broken.
		index.on('error', () => undefined);
		this.#lines = createInterface({ input: index, crlfDelay: Infinity })[Symbol.asyncIterator]();
	}

	async add(chunk: Buffer): Promise<void> {
		const start = this.#position;
		this.#position += chunk.length;
		this.#last = Buffer.concat([this.#last, chunk.subarray(-END_BYTES)]).subarray(-END_BYTES);
		while (this.#current !== null && this.#current.entry.at! < this.#position) {
			const { entry, digest, end } = this.#current;
			const from = Math.max(entry.at!, start);
			digest.add(chunk.subarray(from - start, Math.min(end, this.#position) - start));
			if (end > this.#position) return;
			this.#assert(entry, digest.hex());
			this.#passed.add(entry.at!, entry.sha256!);
			this.#free = end;
			await this.next();
		}
	}

	async end(): Promise<void> {
		if (this.#current !== null) throw this.#incomplete('ends too early');
		// Zeros at the end of a file are no end of the archive.
		const isShort = this.#position < this.#free + END_BYTES;
		if (isShort || this.#last.some((byte) => byte !== 0)) throw this.#incomplete('has no end');
	}

	close(): void {
		this.index.destroy();
	}

	/** Goes on to the next entry whose contents are still to come. */
	async next(): Promise<void> {
		this.#current = null;
		for (;;) {
			const line = await this.#lines.next();
			if (this.index.errored) throw this.index.errored;
			if (line.done) return;
			const entry = this.#parse(line.value);
			if (entry.type !== 'file' || entry.in !== undefined) continue;
			const stored = storedSize(entry);
			const shared = this.#passed.get(entry.at!);
			if (stored === 0) this.#assert(entry, new ContentDigest(entry).hex());
			else if (shared !== undefined) this.#assert(entry, shared);
			else if (entry.at! < this.#free) throw this.#damaged(entry, 'lies where another file lies');
			else {
				this.#current = { entry, digest: new ContentDigest(entry), end: entry.at! + stored };
				return;
			}
		}
	}

	#parse(line: string): Entry {
		try {
			return parseEntry(line);
		} catch (error) {
			if (error instanceof Fault) throw toError(error);
			throw error;
		}
	}

	#assert(entry: Entry, found: string): void {
		if (found !== entry.sha256) throw this.#damaged(entry, 'is not what its index says: its digest differs');
	}

	#damaged({ path }: Entry, why: string): BackupError {
		return new BackupError('damaged', `${toDisplay(path)} of ${this.name} ${why}`, { hint: 'Use another backup.' });
	}

	#incomplete(why: string): BackupError {
		return new BackupError('incomplete', `the archive of ${this.name} ${why}`, { hint: 'Use another backup.' });
	}
}
