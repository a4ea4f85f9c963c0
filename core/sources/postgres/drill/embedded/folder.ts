/** Folders for embedded databases: temporary, for nobody else to read, and never left behind for good. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { BackupError } from '../../../../base/errors';

const PREFIX = 'n8n-backup-scratch-';
const NAME = /^n8n-backup-scratch-(\d+)-[A-Za-z0-9]{6}$/;
/**
 * Another container may share the folder but not the process numbers; its process looks gone from here. No drill within
 * the size limit takes as long.
 */
const LEFT_BEHIND_AFTER_MS = 60 * 60_000;

/**
 * Makes a folder with this process's number in its name, after removing those of processes that were killed.
 * @returns its real path
 */
export async function createScratchFolder(): Promise<string> {
	await removeLeftovers();
	return await fs.mkdtemp(path.join(await fs.realpath(os.tmpdir()), `${PREFIX}${process.pid}-`));
}

/** Whoever is ended while it writes may have written a file just now: then once more. */
export async function removeScratchFolder(folder: string): Promise<void> {
	await fs.rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

export function noSpaceLeft(cause: unknown): BackupError {
	return new BackupError('storage-full', 'the embedded database has no space left in the temporary folder', {
		hint: 'Free some space there, name another folder in TMPDIR, or use a scratch database on a server.',
		cause,
	});
}

async function removeLeftovers(): Promise<void> {
	for (const name of await fs.readdir(os.tmpdir())) {
		const pid = NAME.exec(name)?.[1];
		if (pid === undefined || isRunning(Number(pid))) continue;
		const folder = path.join(os.tmpdir(), name);
		if (await isOurs(folder)) await removeScratchFolder(folder);
	}
}

async function isOurs(folder: string): Promise<boolean> {
	try {
		const stats = await fs.lstat(folder);
		const isOld = Date.now() - stats.mtimeMs > LEFT_BEHIND_AFTER_MS;
		return isOld && stats.isDirectory() && stats.uid === process.getuid?.();
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false; // somebody else removed it
		throw error;
	}
}

function isRunning(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		// EPERM: running, as somebody else.
		return (error as NodeJS.ErrnoException).code !== 'ESRCH';
	}
}
