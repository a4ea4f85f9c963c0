/**
 * Reads the archives that a server makes: plain `ustar` with files, folders and links, one after the other, nothing in memory
 * but the chunk that passes. What a server does not write is refused.
 */
import { Header } from 'tar';
import { BackupError } from '../../../../base/errors';
import { decodeName } from './file-name';

const BLOCK = 512;

/** What an archive says of one entry. */
export interface TarEntry {
	/** Relative, with `/`, without one at its end. */
	path: string;
	type: 'file' | 'folder' | 'link';
	/** Bytes. */
	size: number;
	/** Permissions, as `chmod` takes them. */
	mode: number;
	/** Where a link leads; empty otherwise. */
	target: string;
}

/** Takes the bytes of one entry. */
export interface EntrySink {
	take(chunk: Buffer): void;
	end(): void;
}

export class TarReader {
	readonly #name: string;
	readonly #begin: (entry: TarEntry) => EntrySink;
	/** What is left of a chunk that ended within a header. */
	#rest: Buffer = Buffer.alloc(0);
	#sink: EntrySink | null = null;
	/** Bytes of the entry that are still to come, and of the filling behind it. */
	#bytes = 0;
	#filling = 0;
	/** Blocks of zeros at the end. */
	#zeros = 0;

	/**
	 * @param name of the archive, for messages
	 * @param begin called for each entry before its bytes
	 */
	constructor(name: string, begin: (entry: TarEntry) => EntrySink) {
		this.#name = name;
		this.#begin = begin;
	}

	/** @throws BackupError 'damaged'; what `begin` and its sinks throw */
	add(chunk: Buffer): void {
		let at = 0;
		while (at < chunk.length) {
			if (this.#bytes > 0) {
				const part = chunk.subarray(at, at + this.#bytes);
				at += part.length;
				this.#bytes -= part.length;
				this.#sink!.take(part);
				this.#endEntry();
			} else if (this.#filling > 0) {
				const skipped = Math.min(this.#filling, chunk.length - at);
				at += skipped;
				this.#filling -= skipped;
			} else {
				const wanted = BLOCK - this.#rest.length;
				const part = chunk.subarray(at, at + wanted);
				at += part.length;
				this.#rest = this.#rest.length === 0 ? part : Buffer.concat([this.#rest, part]);
				if (this.#rest.length < BLOCK) {
					this.#rest = Buffer.from(this.#rest);
					continue;
				}
				const block = this.#rest;
				this.#rest = Buffer.alloc(0);
				this.#header(block);
			}
		}
	}

	/** @throws BackupError 'damaged' where the archive has no proper end */
	end(): void {
		if (this.#bytes > 0 || this.#filling > 0 || this.#rest.length > 0 || this.#zeros < 2) {
			throw this.#damaged('has no proper end');
		}
	}

	#header(block: Buffer): void {
		if (block.every((byte) => byte === 0)) {
			this.#zeros++;
			return;
		}
		if (this.#zeros > 0) throw this.#damaged('goes on behind its end');
		const header = new Header(block);
		if (!header.cksumValid) throw this.#damaged('has a header whose checksum is wrong');
		const type = TYPES[header.type];
		const path = pathOf(block);
		if (!type) throw this.#damaged(`holds an entry of type ${header.type}`);
		if (!isBelow(path)) throw this.#damaged(`holds an entry that leads out of its folder: ${path.slice(0, 200)}`);
		const size = type === 'file' ? (header.size ?? 0) : 0;
		const entry: TarEntry = { path, type, size, mode: header.mode ?? 0, target: header.linkpath ?? '' };
		this.#sink = this.#begin(entry);
		this.#bytes = size;
		this.#filling = (BLOCK - (size % BLOCK)) % BLOCK;
		this.#endEntry();
	}

	#endEntry(): void {
		if (this.#bytes > 0) return;
		this.#sink?.end();
		this.#sink = null;
	}

	#damaged(why: string): BackupError {
		return new BackupError('damaged', `${this.#name} ${why}`, {
			hint: 'No server writes that. Look at who else writes to this storage, and use another backup.',
		});
	}
}

/** The path in a header: relative, without a slash at its end. */
export function pathOf(block: Buffer): string {
	const [name, prefix] = [field(block, 0, 100), field(block, 345, 155)];
	const path = prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]);
	return decodeName(path).replace(/^\.\//, '').replace(/\/+$/, '');
}

function field(block: Buffer, from: number, length: number): Buffer {
	const bytes = block.subarray(from, from + length);
	const end = bytes.indexOf(0);
	return end < 0 ? bytes : bytes.subarray(0, end);
}

const TYPES: Partial<Record<string, TarEntry['type']>> = {
	File: 'file',
	OldFile: 'file',
	Directory: 'folder',
	SymbolicLink: 'link',
};

/** Whether a path stays below where it begins; `''` is that place itself. */
function isBelow(path: string): boolean {
	return (
		!path.startsWith('/') && !path.includes('\0') && path.split('/').every((name) => name !== '..' && name !== '.')
	);
}
