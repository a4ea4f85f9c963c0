/**
 * Objects as files on an SFTP server. Written under a temporary name that no key can have, synced and checked where the server can, and only
 * then given their name, by a rename. The protocol lets it fail where the name is taken; some servers write over what is there, which
 * `onlyIfAbsent` finds out.
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path/posix';
import { Readable } from 'node:stream';
import { untilAborted } from '../../base/deadline';
import { abortError, BackupError, isBackupError } from '../../base/errors';
import { foldersAbove } from '../above';
import { takeBody } from '../body';
import { assertRange, exactly, resolveRange } from '../exact';
import { assertKey, assertPrefix, isKey, isKeySegment } from '../key';
import { refuseProtection } from '../protection';
import type {
	CallOptions,
	OnlyIfAbsent,
	ReadOptions,
	Space,
	Storage,
	StoredObject,
	Unfinished,
	WriteOptions,
} from '../storage';
import { isNoSuchFile, sftpError, statusOf } from './errors';
import { SftpFiles } from './files';
import { type SessionOptions, SftpSession } from './session';
import { MOST_ON_THE_WAY_BYTES, readRange, writeAll } from './transfer';
import { isRegular, makeFolders, removeEmpty, walkTree } from './tree';

/** `.<name>.<random>.partial` while being written. */
const LEFTOVER = /^\.(.+)\.[0-9a-f]{12}\.partial$/;

export interface SftpOptions extends SessionOptions {
	/** An existing folder on the server. */
	path: string;
}

export class SftpStorage implements Storage {
	readonly location: string;
	/** Whoever may write to a folder may remove from it. */
	readonly protection = null;
	readonly #base: string;
	readonly #session: SftpSession;
	readonly #options: SessionOptions;

	constructor({ path: base, ...options }: SftpOptions) {
		this.#options = options;
		this.#base = base.replace(/(?<=.)\/+$/, '');
		this.#session = new SftpSession(options);
		const port = options.port && options.port !== 22 ? `:${options.port}` : '';
		this.location = `sftp://${encodeURIComponent(options.user)}@${options.host}${port}${encodeURI(this.#base)}`;
	}

	async write(key: string, body: Readable, options: WriteOptions = {}): Promise<StoredObject> {
		const bytes = takeBody(body, options.signal);
		try {
			assertKey(key);
			refuseProtection(this.location, options);
			const { signal } = options;
			return await this.#try('write', key, signal, async (files) => {
				await this.#assertBase(files);
				const file = this.#file(key);
				if (await files.look(file)) throw this.#exists(key);
				try {
					return await this.#writeNew(files, key, bytes, options);
				} catch (error) {
					await removeEmpty(files, this.#base, path.dirname(file)).catch(() => undefined);
					throw error;
				}
			});
		} finally {
			bytes.discard();
		}
	}

	async #writeNew(
		files: SftpFiles,
		key: string,
		bytes: AsyncIterable<Uint8Array>,
		options: WriteOptions,
	): Promise<StoredObject> {
		const file = this.#file(key);
		const [handle, temporary] = await this.#createTemporary(files, key);
		let isOpen = true;
		try {
			const size = await writeAll(files, handle, bytes, options).catch(async (error: unknown) => {
				throw await this.#explain(files, error, key);
			});
			const kept = await files.statHandle(handle);
			if (kept.size !== size) {
				throw new BackupError('damaged', `${this.#name(key)} has ${kept.size} instead of ${size} bytes on the server`, {
					hint: 'The server lost bytes without an error. Check its disk.',
				});
			}
			await files.close(handle);
			isOpen = false;
			if (options.signal?.aborted) throw abortError(options.signal);
			await this.#publish(files, temporary, file, key);
			options.onProgress?.(size);
			return { key, size, modifiedAt: new Date(kept.mtime * 1000) };
		} catch (error) {
			// On a connection that is lost, nothing can be tidied up: the next writer of the group does.
			if (isOpen) await files.close(handle).catch(() => undefined);
			await files.remove(temporary).catch(() => undefined);
			throw error;
		}
	}

	/** A full disk is nothing but a failure in this protocol. */
	async #explain(files: SftpFiles, error: unknown, key: string): Promise<unknown> {
		if (statusOf(error) === undefined) return error;
		const space = await files.space(this.#base).catch(() => null);
		if (space === null || space.free > MOST_ON_THE_WAY_BYTES) return error;
		return new BackupError('storage-full', `cannot write ${this.#name(key)}: no space left`, {
			hint: 'Free space, remove old backups or use a larger disk.',
			cause: error,
		});
	}

	/** Gives a finished file its name. @throws BackupError 'already-exists' */
	async #publish(files: SftpFiles, temporary: string, file: string, key: string): Promise<void> {
		try {
			await files.rename(temporary, file);
		} catch (error) {
			// The protocol has no code of its own for a name that is taken.
			if (statusOf(error) !== undefined && (await files.look(file))) throw this.#exists(key);
			throw error;
		}
	}

	async #createTemporary(files: SftpFiles, key: string): Promise<[Buffer, string]> {
		const file = this.#file(key);
		for (let attempt = 1; ; attempt++) {
			const name = `.${path.basename(file)}.${randomBytes(6).toString('hex')}.partial`;
			const temporary = path.join(path.dirname(file), name);
			try {
				await makeFolders(files, this.#base, path.dirname(file));
				return [await files.open(temporary, 'wx'), temporary];
			} catch (error) {
				// A neighbour that is being tidied up may take the folder away: then once more.
				if (!isNoSuchFile(error) || attempt === 10) throw error;
			}
		}
	}

	async read(key: string, options: ReadOptions = {}): Promise<Readable> {
		assertKey(key);
		assertRange(options);
		const { signal } = options;
		if (signal?.aborted) throw abortError(signal);
		return await this.#try('read', key, signal, async (files) => {
			const file = this.#file(key);
			const found = await files.look(file);
			if (!found || !isRegular(found)) throw this.#missing(key);
			const handle = await files.open(file, 'r').catch((error: unknown) => {
				throw isNoSuchFile(error) ? this.#missing(key) : error;
			});
			const { start, length } = resolveRange(options, found.size);
			const source = Readable.from(readRange(files, handle, start, length), { objectMode: false });
			// Not at the end of the generator: one that nobody has begun has none.
			source.once('close', () => void files.close(handle).catch(() => undefined));
			return exactly(source, length, {
				signal,
				toError: (error) => sftpError(`cannot read ${this.#name(key)}`, error) as Error,
				onWrongLength: (got) =>
					new BackupError('damaged', `${this.#name(key)} gave ${got} instead of ${length} bytes`, {
						hint: 'Something shortened the file while it was being read.',
					}),
			});
		});
	}

	async stat(key: string, { signal }: CallOptions = {}): Promise<StoredObject | null> {
		assertKey(key);
		return await this.#try('look at', key, signal, async (files) => {
			await this.#assertBase(files);
			const found = await files.look(this.#file(key));
			return found && isRegular(found) ? { key, size: found.size, modifiedAt: new Date(found.mtime * 1000) } : null;
		});
	}

	async *list(prefix: string, { signal }: CallOptions = {}): AsyncIterable<StoredObject> {
		assertPrefix(prefix);
		if (signal?.aborted) throw abortError(signal);
		try {
			const files = await untilAborted(async () => await this.#files(), signal);
			await this.#assertBase(files);
			for await (const { key, size, modifiedAt } of walkTree(files, this.#base, {
				prefix,
				keyName: (name) => (isKeySegment(name) ? name : null),
				signal,
			})) {
				// Other programs' files can lie too deep.
				if (isKey(key)) yield { key, size, modifiedAt };
				if (signal?.aborted) throw abortError(signal);
			}
		} catch (error) {
			throw sftpError(`cannot list ${this.#name(prefix)}`, error);
		}
	}

	async remove(key: string, { signal }: CallOptions = {}): Promise<void> {
		if (!(await this.stat(key, { signal }))) return;
		await this.#try('remove', key, signal, async (files) => {
			const file = this.#file(key);
			await files.remove(file);
			await removeEmpty(files, this.#base, path.dirname(file));
		});
	}

	async removeUnfinished(
		prefix: string,
		accept: (key: string, startedAt: Date) => boolean = () => true,
	): Promise<number> {
		assertPrefix(prefix);
		return await this.#try('tidy up', prefix, undefined, async (files) => {
			let removed = 0;
			for await (const { key, file, modifiedAt } of walkTree(files, this.#base, { prefix, keyName: leftoverOf })) {
				if (!accept(key, modifiedAt)) continue;
				await files.remove(file);
				await removeEmpty(files, this.#base, path.dirname(file));
				removed++;
			}
			return removed;
		});
	}

	async *unfinished(prefix: string): AsyncIterable<Unfinished> {
		assertPrefix(prefix);
		try {
			const files = await this.#files();
			for await (const { key, modifiedAt } of walkTree(files, this.#base, { prefix, keyName: leftoverOf })) {
				yield { key, startedAt: modifiedAt };
			}
		} catch (error) {
			throw sftpError(`cannot list what is unfinished in ${this.#name(prefix)}`, error);
		}
	}

	async onlyIfAbsent(key: string, { signal }: CallOptions = {}): Promise<OnlyIfAbsent> {
		assertKey(key);
		return await this.#try('look at', key, signal, async (files) => {
			const [handle, temporary] = await this.#createTemporary(files, key);
			try {
				await files.close(handle);
				await this.#publish(files, temporary, this.#file(key), key);
				return 'ignored';
			} catch (error) {
				await files.remove(temporary).catch(() => undefined);
				if (isBackupError(error, 'already-exists')) return 'kept';
				throw error;
			}
		});
	}

	outer(): Storage[] {
		return foldersAbove(this.#base).map((above) => new SftpStorage({ ...this.#options, path: above }));
	}

	async space({ signal }: CallOptions = {}): Promise<Space | null> {
		return await this.#try('look at', '', signal, async (files) => await files.space(this.#base));
	}

	async close(): Promise<void> {
		this.#session.close();
	}

	async #files(): Promise<SftpFiles> {
		return new SftpFiles(await this.#session.channel());
	}

	/** It is never created: a disk that is not mounted must not be filled below its mount point. */
	async #assertBase(files: SftpFiles): Promise<void> {
		try {
			const found = await files.look(await files.realPath(this.#base));
			if (found?.isDirectory()) return;
		} catch (error) {
			if (!isNoSuchFile(error)) throw error;
		}
		throw new BackupError('bucket-not-found', `the folder ${this.#base} does not exist on the server`, {
			hint: 'Create the folder, or mount the disk it lies on. It is not created by itself, so that a missing disk is noticed.',
		});
	}

	#file(key: string): string {
		return path.join(this.#base, key);
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

	async #try<T>(
		verb: string,
		key: string,
		signal: AbortSignal | undefined,
		action: (files: SftpFiles) => Promise<T>,
	): Promise<T> {
		try {
			const files = await untilAborted(async () => await this.#files(), signal);
			return await (verb === 'write' ? action(files) : untilAborted(async () => await action(files), signal));
		} catch (error) {
			// What has no status of the server is ours already, or an error of the body.
			throw statusOf(error) === undefined ? error : sftpError(`cannot ${verb} ${this.#name(key)}`, error);
		}
	}
}

function leftoverOf(name: string): string | null {
	return LEFTOVER.exec(name)?.[1] ?? null;
}
