/** The calls of SFTP that a storage needs, as promises. */
import type { FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2';
import { untilAborted } from '../../base/deadline';
import { BackupError, isBackupError } from '../../base/errors';
import { connectionLost, END_OF_FILE, isNoSuchFile, isUnsupported, statusOf } from './errors';
import type { SftpChannel } from './session';

/** In one folder. Ours have some thousands. */
const MOST_NAMES = 1_000_000;

type Done<T> = (error: Error | undefined | null, value: T) => void;

/** Of one connection. A lost one fails every call, also those that wait for an answer. */
export class SftpFiles {
	private readonly sftp: SFTPWrapper;
	readonly #lost: AbortSignal;

	constructor({ sftp, lost }: SftpChannel) {
		this.sftp = sftp;
		this.#lost = lost;
	}

	async #asked<T>(ask: (done: Done<T>) => void): Promise<T> {
		const answer = async () =>
			await new Promise<T>((resolve, reject) => {
				ask((error, value) => {
					if (error) reject(error);
					else resolve(value);
				});
			});
		try {
			return await untilAborted(answer, this.#lost);
		} catch (error) {
			const isAnswer = statusOf(error) !== undefined || isBackupError(error) || isUnsupported(error);
			throw isAnswer ? error : connectionLost(error);
		}
	}

	async open(file: string, flags: 'r' | 'wx'): Promise<Buffer> {
		return await this.#asked((done) => this.sftp.open(file, flags, { mode: 0o600 }, done));
	}

	async write(handle: Buffer, bytes: Buffer, at: number): Promise<void> {
		await this.#asked<unknown>((done) => this.sftp.write(handle, bytes, 0, bytes.length, at, done as never));
	}

	/** @returns the bytes; none at the end of the file */
	async read(handle: Buffer, at: number, length: number): Promise<Buffer> {
		const buffer = Buffer.allocUnsafe(length);
		return await this.#asked<Buffer>((done) => {
			this.sftp.read(handle, buffer, 0, length, at, (error, bytes) => {
				// ssh2 says the end of a file with an error.
				if (error && statusOf(error) === END_OF_FILE) done(null, buffer.subarray(0, 0));
				else done(error, buffer.subarray(0, bytes));
			});
		});
	}

	async close(handle: Buffer): Promise<void> {
		await this.#asked<unknown>((done) => this.sftp.close(handle, done as never));
	}

	/** Where the server can, the bytes of a file are on its disk afterwards. */
	async sync(handle: Buffer): Promise<void> {
		try {
			await this.#asked<unknown>((done) => this.sftp.ext_openssh_fsync(handle, done as never));
		} catch (error) {
			if (!isUnsupported(error)) throw error;
		}
	}

	async statHandle(handle: Buffer): Promise<Stats> {
		return await this.#asked((done) => this.sftp.fstat(handle, done as never));
	}

	/** What is there, links not followed; null where nothing is. */
	async look(file: string): Promise<Stats | null> {
		try {
			return await this.#asked<Stats>((done) => this.sftp.lstat(file, done));
		} catch (error) {
			if (isNoSuchFile(error)) return null;
			throw error;
		}
	}

	async realPath(file: string): Promise<string> {
		return await this.#asked((done) => this.sftp.realpath(file, done as never));
	}

	/**
	 * Fails where the new name is taken: the protocol says so, and OpenSSH does it with link(2). Other servers, such as those made
	 * with Go's pkg/sftp, write over what is there.
	 */
	async rename(from: string, to: string): Promise<void> {
		await this.#asked<unknown>((done) => this.sftp.rename(from, to, done as never));
	}

	/** That it is gone already is no error. */
	async remove(file: string): Promise<void> {
		try {
			await this.#asked<unknown>((done) => this.sftp.unlink(file, done as never));
		} catch (error) {
			if (!isNoSuchFile(error)) throw error;
		}
	}

	async makeDir(dir: string): Promise<void> {
		await this.#asked<unknown>((done) => this.sftp.mkdir(dir, { mode: 0o700 }, done as never));
	}

	/** @returns false where it is not empty, or not to be removed */
	async removeDir(dir: string): Promise<boolean> {
		try {
			await this.#asked<unknown>((done) => this.sftp.rmdir(dir, done as never));
			return true;
		} catch (error) {
			return isNoSuchFile(error);
		}
	}

	/**
	 * None where the folder is gone.
	 * @throws BackupError 'storage-failed' where there are more than a million, or the server does not come to an end
	 */
	async names(dir: string): Promise<FileEntryWithStats[]> {
		let handle: Buffer;
		try {
			handle = await this.#asked<Buffer>((done) => this.sftp.opendir(dir, done));
		} catch (error) {
			if (isNoSuchFile(error)) return [];
			throw error;
		}
		const found: FileEntryWithStats[] = [];
		try {
			// An answer without a name counts as well: a server could send those for ever.
			for (let answers = 0; ; answers++) {
				const some = await this.#someNames(handle);
				if (some === null) return found;
				for (const each of some) found.push(each);
				if (found.length + answers > MOST_NAMES) throw tooManyNames(dir);
			}
		} finally {
			await this.close(handle).catch(() => undefined);
		}
	}

	/** The next ones; null behind the last. */
	async #someNames(handle: Buffer): Promise<FileEntryWithStats[] | null> {
		try {
			return await this.#asked<FileEntryWithStats[]>((done) => this.sftp.readdir(handle, done));
		} catch (error) {
			if (statusOf(error) === END_OF_FILE) return null;
			throw error;
		}
	}

	/** Null where the server cannot say. */
	async space(dir: string): Promise<{ free: number; total: number } | null> {
		try {
			const found = await this.#asked<Record<string, number>>((done) =>
				this.sftp.ext_openssh_statvfs(dir, done as never),
			);
			const size = Number(found.f_frsize) || Number(found.f_bsize);
			return { free: Number(found.f_bavail) * size, total: Number(found.f_blocks) * size };
		} catch (error) {
			if (isUnsupported(error)) return null;
			throw error;
		}
	}
}

function tooManyNames(dir: string): BackupError {
	return new BackupError('storage-failed', `the folder ${dir} on the server has more than a million names`, {
		hint: 'Other programs fill it, or the server never says that it has come to the end. Use a folder of its own for backups.',
	});
}
