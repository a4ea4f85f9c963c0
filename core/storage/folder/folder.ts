/**
 * Objects as files below a folder. Written under a temporary name that no key can have, synced, checked, and only then
 * given their name, by a call that cannot replace anything.
 */
import { constants } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { untilAborted } from '../../base/deadline';
import { abortError, BackupError } from '../../base/errors';
import { takeBody } from '../body';
import { exactly, resolveRange } from '../exact';
import { errnoOf, folderError } from './errors';
import { foldersAbove } from '../above';
import {
	isFileMissing,
	fileExists,
	placeOf,
	realBase,
	realIfThere,
	syncDir,
	tidyUp,
	walkFolder,
	type PlaceOnDisk,
} from './paths';
import { publish } from './publish';
import { createTemporary, leftovers } from './temporary';
import { assertPrefix, isKey, isKeySegment } from '../key';
import { refuseProtection } from '../protection';
import type { CallOptions, ReadOptions, Space, Storage, StoredObject, Unfinished, WriteOptions } from '../storage';

export interface FolderOptions {
	/** An existing folder. */
	path: string;
}

/** Bytes after which written data is sent to the disk in the background: the end of a large dump then need not wait for all of it. */
const SYNC_EVERY = 64 * 1024 * 1024;
const READ_AHEAD = 512 * 1024;
const WRITE_AT_ONCE = 512 * 1024;
/** Files looked at while a listing goes on. One after the other, a hundred thousand take a minute. */
const LOOKS_AHEAD = 16;

export class FolderStorage implements Storage {
	readonly location: string;
	/** Whoever may write to a folder may remove from it. */
	readonly protection = null;
	readonly #base: string;

	constructor(options: FolderOptions) {
		this.#base = path.resolve(options.path);
		this.location = pathToFileURL(this.#base).href;
	}

	async write(key: string, body: Readable, options: WriteOptions = {}): Promise<StoredObject> {
		const bytes = takeBody(body, options.signal);
		try {
			const place = await this.#try('write', key, () => placeOf(this.#base, key));
			refuseProtection(this.location, options);
			if (await this.stat(key)) throw this.#exists(key);
			try {
				const [handle, temporary] = await this.#try('write', key, () => createTemporary(place));
				try {
					const size = await this.#fill(handle, key, bytes, options);
					if (options.signal?.aborted) throw abortError(options.signal);
					if (!(await this.#try('write', key, () => publish(temporary, place)))) throw this.#exists(key);
					return { key, size, modifiedAt: (await this.#try('write', key, () => handle.stat())).mtime };
				} finally {
					await this.#try('write', key, async () => {
						await handle.close();
						await fs.rm(temporary, { force: true });
					});
				}
			} catch (error) {
				await this.#try('write', key, () => tidyUp(place));
				throw error;
			}
		} finally {
			bytes.discard();
		}
	}

	async read(key: string, options: ReadOptions = {}): Promise<Readable> {
		if (options.signal?.aborted) throw abortError(options.signal);
		return await this.#try('read', key, async () => {
			const place = await placeOf(this.#base, key);
			if (!(await fileExists(place))) throw this.#missing(key);
			const handle = await this.#open(place, key);
			try {
				const stats = await handle.stat();
				if (!stats.isFile()) throw this.#missing(key);
				const { start, length } = resolveRange(options, stats.size);
				if (length === 0) {
					await handle.close();
					return Readable.from([]);
				}
				// The stream closes the handle.
				const source = handle.createReadStream({ start, end: start + length - 1, highWaterMark: READ_AHEAD });
				return exactly(source, length, {
					signal: options.signal,
					toError: (error) => folderError(`cannot read ${this.#name(key)}`, error),
					onWrongLength: (got) =>
						new BackupError('damaged', `${this.#name(key)} gave ${got} instead of ${length} bytes`, {
							hint: 'Something shortened the file while it was being read.',
						}),
				});
			} catch (error) {
				await handle.close();
				throw error;
			}
		});
	}

	async stat(key: string, { signal }: CallOptions = {}): Promise<StoredObject | null> {
		const look = async () => {
			const place = await placeOf(this.#base, key);
			return (await fileExists(place)) ? await lookAt({ key, file: place.file }) : null;
		};
		return await this.#try('look at', key, () => untilAborted(look, signal));
	}

	async *list(prefix: string, { signal }: CallOptions = {}): AsyncIterable<StoredObject> {
		assertPrefix(prefix);
		if (signal?.aborted) throw abortError(signal);
		try {
			const base = await realBase(this.#base);
			const looks: Array<Promise<StoredObject | null>> = [];
			for await (const found of walkFolder(base, prefix, (name) => (isKeySegment(name) ? name : null))) {
				// Other programs' files can lie too deep.
				if (!isKey(found.key)) continue;
				const look = lookAt(found);
				// Whoever comes to its turn hears of a failure; one that nobody comes to is of no interest.
				look.catch(() => undefined);
				looks.push(look);
				const next = looks.length < LOOKS_AHEAD ? null : await looks.shift()!;
				if (next) yield next;
				if (signal?.aborted) throw abortError(signal);
			}
			for (const look of looks) {
				const object = await look;
				if (object) yield object;
				if (signal?.aborted) throw abortError(signal);
			}
		} catch (error) {
			throw folderError(`cannot list ${this.#name(prefix)}`, error);
		}
	}

	async remove(key: string, { signal }: CallOptions = {}): Promise<void> {
		if (!(await this.stat(key, { signal }))) return;
		const remove = async () => {
			const place = await placeOf(this.#base, key);
			await fs.rm(place.file, { force: true });
			await syncDir(place.dir);
			await tidyUp(place);
		};
		await this.#try('remove', key, () => untilAborted(remove, signal));
	}

	async removeUnfinished(
		prefix: string,
		accept: (key: string, startedAt: Date) => boolean = () => true,
	): Promise<number> {
		assertPrefix(prefix);
		return await this.#try('tidy up', prefix, async () => {
			const base = await realBase(this.#base);
			let removed = 0;
			for await (const { key, startedAt, dir, file } of leftovers(base, prefix)) {
				if (!accept(key, startedAt)) continue;
				await fs.rm(file, { force: true });
				await tidyUp({ base, dir });
				removed++;
			}
			return removed;
		});
	}

	async *unfinished(prefix: string): AsyncIterable<Unfinished> {
		assertPrefix(prefix);
		try {
			for await (const { key, startedAt } of leftovers(await realBase(this.#base), prefix)) yield { key, startedAt };
		} catch (error) {
			throw folderError(`cannot list what is unfinished in ${this.#name(prefix)}`, error);
		}
	}

	outer(): Storage[] {
		return foldersAbove(realIfThere(this.#base)).map((above) => new FolderStorage({ path: above }));
	}

	async space({ signal }: CallOptions = {}): Promise<Space> {
		const look = async () => {
			const stats = await fs.statfs(await realBase(this.#base));
			return { free: stats.bavail * stats.bsize, total: stats.blocks * stats.bsize };
		};
		return await this.#try('look at', '', () => untilAborted(look, signal));
	}

	/** Nothing is kept open between two calls. */
	async close(): Promise<void> {}

	/** Errors of the body pass through as they are; those of the disk become ours. */
	async #fill(
		handle: FileHandle,
		key: string,
		bytes: AsyncIterable<Uint8Array>,
		{ onProgress }: WriteOptions,
	): Promise<number> {
		let size = 0;
		let synced = 0;
		let syncing: Promise<void> = Promise.resolve();
		const attempt = <T>(action: () => Promise<T>) => this.#try('write', key, action);
		try {
			for await (const chunks of gathered(bytes)) {
				await attempt(async () => void (size += await writeFully(handle, chunks)));
				if (size - synced < SYNC_EVERY) continue;
				await attempt(() => syncing);
				onProgress?.(synced);
				synced = size;
				syncing = handle.datasync();
				// Awaited with the next 64 MiB; until then nobody else would hear of a failure.
				syncing.catch(() => undefined);
			}
		} finally {
			await attempt(() => syncing);
		}
		await attempt(() => handle.sync());
		const kept = (await attempt(() => handle.stat())).size;
		if (kept !== size) {
			throw new BackupError('damaged', `${this.#name(key)} has ${kept} instead of ${size} bytes on disk`, {
				hint: 'The file system lost bytes without an error. Check the disk.',
			});
		}
		onProgress?.(size);
		return size;
	}

	async #open(place: PlaceOnDisk, key: string): Promise<FileHandle> {
		try {
			return await fs.open(place.file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		} catch (error) {
			if (isFileMissing(error) || errnoOf(error) === 'ELOOP') throw this.#missing(key);
			throw error;
		}
	}

	#name(key: string): string {
		return key === '' ? this.location : `${this.location}/${key}`;
	}

	#exists(key: string): BackupError {
		return new BackupError('already-exists', `${this.#name(key)} already exists`);
	}

	#missing(key: string): BackupError {
		return new BackupError('not-found', `${this.#name(key)} does not exist`);
	}

	async #try<T>(verb: string, key: string, action: () => Promise<T>): Promise<T> {
		try {
			return await action();
		} catch (error) {
			throw folderError(`cannot ${verb} ${this.#name(key)}`, error);
		}
	}
}

/** A file's facts, or null when it is gone or no file any more. */
async function lookAt({ key, file }: { key: string; file: string }): Promise<StoredObject | null> {
	try {
		const stats = await fs.lstat(file);
		return stats.isFile() ? { key, size: stats.size, modifiedAt: stats.mtime } : null;
	} catch (error) {
		if (isFileMissing(error)) return null;
		throw error;
	}
}

/** Chunks of a network are small, and a write of many costs what a write of one does. */
async function* gathered(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array[]> {
	let chunks: Uint8Array[] = [];
	let size = 0;
	for await (const chunk of bytes) {
		chunks.push(chunk);
		size += chunk.length;
		if (size < WRITE_AT_ONCE) continue;
		yield chunks;
		[chunks, size] = [[], 0];
	}
	if (size > 0) yield chunks;
}

/** @returns the number of bytes */
async function writeFully(handle: FileHandle, chunks: Uint8Array[]): Promise<number> {
	let written = 0;
	while (chunks.length > 0) {
		const { bytesWritten } = await handle.writev(chunks);
		written += bytesWritten;
		chunks = after(bytesWritten, chunks);
	}
	return written;
}

/** What is left of chunks without their first bytes. */
function after(bytes: number, chunks: readonly Uint8Array[]): Uint8Array[] {
	let skipped = 0;
	return chunks.flatMap((chunk) => {
		const rest = chunk.subarray(Math.max(0, bytes - skipped));
		skipped += chunk.length;
		return rest.length > 0 ? [rest] : [];
	});
}
