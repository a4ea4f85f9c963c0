/** The folder that becomes a cluster: new or empty before, and as before when the restore fails. */
import fs from 'node:fs';
import path from 'node:path';
import { BackupError } from '../../../../base/errors';

/** PostgreSQL refuses to start in a folder that others may write to, or read. */
const FOLDER_MODE = 0o700;

export class Destination {
	/** Absolute, without links. */
	readonly folder: string;
	readonly #isNew: boolean;

	private constructor(folder: string, isNew: boolean) {
		this.folder = folder;
		this.#isNew = isNew;
	}

	/**
	 * Makes the folder, or takes an empty one.
	 * @param folder absolute
	 * @throws BackupError 'invalid-input', 'already-exists' where something is in it, 'not-found' without the folder above it
	 */
	static take(folder: string): Destination {
		if (!path.isAbsolute(folder)) {
			throw new BackupError('invalid-input', `${folder} is no absolute path`, {
				hint: 'Give the whole path: /srv/pg/data.',
			});
		}
		try {
			fs.mkdirSync(folder, { mode: FOLDER_MODE });
			return new Destination(fs.realpathSync(folder), true);
		} catch (error) {
			const { code, message } = error as NodeJS.ErrnoException;
			if (code !== 'EEXIST') {
				throw new BackupError(code === 'ENOENT' ? 'not-found' : 'access-denied', `cannot make ${folder}: ${message}`, {
					hint: 'Make the folder above it first, where this user may write.',
					cause: error,
				});
			}
		}
		assertEmpty(folder);
		const taken = new Destination(fs.realpathSync(folder), false);
		fs.chmodSync(taken.folder, FOLDER_MODE);
		return taken;
	}

	/** Leaves it as it was found. */
	giveUp(): void {
		for (const name of fs.readdirSync(this.folder)) {
			fs.rmSync(path.join(this.folder, name), { recursive: true, force: true, maxRetries: 3 });
		}
		if (this.#isNew) fs.rmdirSync(this.folder);
	}
}

function assertEmpty(folder: string): void {
	let names: string[];
	try {
		names = fs.readdirSync(folder);
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
