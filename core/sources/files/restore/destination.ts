/** The folder that is restored into, before and after the restore: made where it is missing, empty unless somebody says otherwise. */
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../../base/errors';
import { hasEnded, thisHost } from '../../../base/process-identity';
import { toError } from '../faults';
import { faultOf } from '../thread-faults';

/** What files that have no name of their own yet lie in: which host and process of it made it. */
const TEMPORARY = /^\.n8n-backup-restore-([0-9a-f]{12})-(\d+)-[0-9a-f]{12}$/;

/** A name for the folder in which files are written before they get their own. */
export function temporaryName(): string {
	return `.n8n-backup-restore-${hostMark()}-${process.pid}-${randomBytes(6).toString('hex')}`;
}

/** Tells hosts apart, and says nothing of them. */
function hostMark(): string {
	return createHash('sha256').update(thisHost()).digest('hex').slice(0, 12);
}

/** Removes the folder of a restore that has ended. @param temporary its name */
export async function removeTemporary(to: string, temporary: string): Promise<void> {
	await fs.rm(path.join(to, temporary), { recursive: true, force: true });
}

/**
 * Makes the folder to restore into, or looks whether it can be used. What a restore that was killed left in it is removed where that
 * is known, else told of.
 * @returns it with its links resolved, and whether it was made
 * @throws BackupError 'invalid-input', 'already-exists', 'access-denied', …
 */
export async function prepareDestination(
	{ to, overwrite = false }: { to: string; overwrite?: boolean },
	warn: (text: string) => void,
): Promise<{ to: string; wasMade: boolean }> {
	if (!path.isAbsolute(to)) {
		throw new BackupError('invalid-input', `"${to}" is not an absolute path`, {
			hint: 'Write the folder from the root on, e.g. /tmp/restored.',
		});
	}
	try {
		const wasMade = await makeFolder(to);
		const names = await fs.readdir(to);
		if (names.length > 0 && !overwrite) throw notEmpty(to, names);
		const real = await fs.realpath(to);
		await removeLeftovers(real, names, warn);
		return { to: real, wasMade };
	} catch (error) {
		if (error instanceof BackupError) throw error;
		const { code } = error as NodeJS.ErrnoException;
		if (code === 'EEXIST' || code === 'ENOTDIR') {
			throw new BackupError('already-exists', `${to} is not a folder`, {
				hint: 'Choose another one to restore into.',
				cause: error,
			});
		}
		const why = toError(faultOf(error, 'restored', to));
		throw new BackupError(why.code, `cannot make or read ${to}: ${code}`, {
			hint: 'Choose a folder on a disk that is mounted and has space, and that the user who runs this may write to.',
			cause: error,
		});
	}
}

/** What is left of a restore that failed before its first entry. */
export async function removeIfEmpty(folder: string): Promise<void> {
	try {
		await fs.rmdir(folder);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
	}
}

/**
 * Makes a folder and those above it. Step by step: in /proc, Node's own way never ends.
 * @returns whether it was made
 */
async function makeFolder(folder: string): Promise<boolean> {
	try {
		await fs.mkdir(folder, { mode: 0o700 });
		return true;
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === 'EEXIST') return false;
		if (code !== 'ENOENT' || (await isThere(path.dirname(folder)))) throw error;
	}
	await makeFolder(path.dirname(folder));
	await fs.mkdir(folder, { mode: 0o700 });
	return true;
}

async function isThere(folder: string): Promise<boolean> {
	return await fs.access(folder).then(
		() => true,
		() => false,
	);
}

function notEmpty(to: string, names: readonly string[]): BackupError {
	const isLeft = names.some((name) => TEMPORARY.test(name));
	return new BackupError(
		'already-exists',
		`${to} is not empty${isLeft ? ': a restore into it was ended before its end' : ''}`,
		{
			hint: 'Choose an empty folder, or one that does not exist. To replace what is there, allow it.',
		},
	);
}

/** Of a process of another host or container, nobody here knows whether it still runs. */
async function removeLeftovers(to: string, names: readonly string[], warn: (text: string) => void): Promise<void> {
	for (const name of names) {
		const [, host, pid] = TEMPORARY.exec(name) ?? [];
		if (host === undefined) continue;
		if (host === hostMark() && hasEnded(thisHost(), Number(pid))) await removeTemporary(to, name);
		else warn(`${path.join(to, name)} is of another restore: unless that still runs, remove it by hand`);
	}
}
