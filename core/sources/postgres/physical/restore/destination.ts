/** The folder that becomes a cluster: new or empty before, and as before when the restore fails. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError, isBackupError } from '../../../../base/errors';

/** PostgreSQL refuses to start in a folder that others may write to, or read. */
const FOLDER_MODE = 0o700;

export class Destination {
	/** Absolute, without links. */
	readonly folder: string;
	/** Its permissions before; null where it is new. */
	readonly #mode: number | null;

	private constructor(folder: string, mode: number | null) {
		this.folder = folder;
		this.#mode = mode;
	}

	/**
	 * Makes the folder, or takes an empty one.
	 * @param folder absolute
	 * @throws BackupError 'invalid-input', 'already-exists' where something is in it, 'not-found' without the folder above it
	 */
	static async take(folder: string): Promise<Destination> {
		if (!path.isAbsolute(folder)) {
			throw new BackupError('invalid-input', `${folder} is no absolute path`, {
				hint: 'Give the whole path: /srv/pg/data.',
			});
		}
		try {
			await fs.mkdir(folder, { mode: FOLDER_MODE });
			return new Destination(await fs.realpath(folder), null);
		} catch (error) {
			const { code, message } = error as NodeJS.ErrnoException;
			if (code !== 'EEXIST') {
				throw new BackupError(code === 'ENOENT' ? 'not-found' : 'access-denied', `cannot make ${folder}: ${message}`, {
					hint: 'Make the folder above it first, where this user may write.',
					cause: error,
				});
			}
		}
		await assertEmpty(folder);
		const real = await fs.realpath(folder);
		const mode = (await fs.stat(real)).mode & 0o7777;
		try {
			await fs.chmod(real, FOLDER_MODE);
		} catch (error) {
			throw new BackupError('access-denied', `${folder} belongs to somebody else`, {
				hint: 'PostgreSQL starts only in a folder of its own user: restore as that user or as root, or give a new folder.',
				cause: error,
			});
		}
		return new Destination(real, mode);
	}

	/** Leaves it as it was found. */
	async giveUp(): Promise<void> {
		for (const name of await fs.readdir(this.folder)) {
			await fs.rm(path.join(this.folder, name), { recursive: true, force: true, maxRetries: 3 });
		}
		if (this.#mode === null) await fs.rmdir(this.folder);
		else await fs.chmod(this.folder, this.#mode);
	}
}

async function assertEmpty(folder: string): Promise<void> {
	let names: string[];
	try {
		names = await fs.readdir(folder);
	} catch (error) {
		throw new BackupError('invalid-input', `${folder} is no folder that can be read`, {
			hint: 'Give a new or an empty folder.',
			cause: error,
		});
	}
	if (names.length === 0) return;
	throw new BackupError('already-exists', `${folder} is not empty: it has ${names.sort().slice(0, 3).join(', ')}`, {
		hint: 'A cluster is restored into a new or an empty folder only. Choose another one, or move away what is there.',
	});
}

/**
 * Leaves folders as they were found, after a restore that failed.
 * @param destinations some of what the restore took; none is passed over
 * @returns the error that is to be told, which says so where something stays behind
 */
export async function withoutDestinations(destinations: readonly Destination[], error: unknown): Promise<unknown> {
	const told = toRestoreError(error);
	const left: Destination[] = [];
	for (const each of destinations) {
		// Whatever keeps it from being removed, the first error is the one that counts.
		await each.giveUp().catch(() => left.push(each));
	}
	if (left.length === 0 || !isBackupError(told)) return told;
	return told.withHint(`Remove what was written by hand: ${left.map(({ folder }) => folder).join(', ')}.`);
}

/** An error of the file system as one of ours. */
export function toRestoreError(error: unknown): unknown {
	if (isBackupError(error)) return error;
	const { code, message } = error as NodeJS.ErrnoException;
	if (code === 'ENOSPC' || code === 'EDQUOT') {
		return new BackupError('storage-full', `no space is left for the cluster: ${message}`, {
			hint: 'Make room, or restore to a larger disk.',
			cause: error,
		});
	}
	if (typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) return error;
	return new BackupError('storage-failed', `the cluster cannot be written: ${message}`, {
		hint: 'Look at the disk and at the rights of the folder.',
		cause: error,
	});
}
