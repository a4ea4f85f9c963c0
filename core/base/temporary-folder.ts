/** Temporary folders: for nobody else to read, and never left behind for good, however their process ended. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** What it is for: a database of a drill; the home of a pg_dump or pg_restore, which holds a password; indexes of an archive. */
export type Purpose = 'scratch' | 'program' | 'archive';

const NAME = /^n8n-backup-(scratch|program|archive)-(\d+)-[A-Za-z0-9]{6}$/;
const HOUR_MS = 3_600_000;
/**
 * Another container may share the folder but not the process numbers; its process looks gone from here. A drill in the embedded
 * database takes no hour, and a program has read its password by then; what it needs of its folder later is nothing. An archive of
 * much may take days.
 */
const LEFT_BEHIND_AFTER_MS: Record<Purpose, number> = { scratch: HOUR_MS, program: HOUR_MS, archive: 72 * HOUR_MS };

/**
 * Makes a folder with this process's number in its name, after removing those of processes that were killed.
 * @returns its real path
 */
export async function createTemporaryFolder(purpose: Purpose): Promise<string> {
	await removeLeftovers();
	return await fs.mkdtemp(path.join(await fs.realpath(os.tmpdir()), `n8n-backup-${purpose}-${process.pid}-`));
}

/** Whoever is ended while it writes may have written a file just now: then once more. */
export async function removeTemporaryFolder(folder: string): Promise<void> {
	const remove = async () => await fs.rm(folder, { recursive: true, force: true, maxRetries: 3 });
	try {
		await remove();
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code !== 'EACCES' && code !== 'EPERM') throw error;
		await openUp(folder);
		await remove();
	}
}

/** What was restored may have folders in which even their owner may change nothing. */
async function openUp(folder: string): Promise<void> {
	await fs.chmod(folder, 0o700);
	for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
		if (entry.isDirectory()) await openUp(path.join(folder, entry.name));
	}
}

async function removeLeftovers(): Promise<void> {
	for (const name of await fs.readdir(os.tmpdir())) {
		const [, purpose, pid] = NAME.exec(name) ?? [];
		if (pid === undefined || isRunning(Number(pid))) continue;
		const folder = path.join(os.tmpdir(), name);
		if (await isOurs(folder, LEFT_BEHIND_AFTER_MS[purpose as Purpose])) await removeTemporaryFolder(folder);
	}
}

async function isOurs(folder: string, leftBehindAfterMs: number): Promise<boolean> {
	try {
		const stats = await fs.lstat(folder);
		const isOld = Date.now() - stats.mtimeMs > leftBehindAfterMs;
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
