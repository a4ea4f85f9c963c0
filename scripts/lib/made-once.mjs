/** Folders that are either whole or not there, also when two processes want the same one at the same time. */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onCleanup } from './cleanup.mjs';

/**
 * Makes a folder unless it exists. The work happens under another name next to it, which is removed when the work
 * fails or is interrupted. A second process that wants the same folder waits for the first.
 * @param {string} folder
 * @param {(half: string) => Promise<void>} make fills the new, empty folder it is given
 */
export async function madeOnce(folder, make) {
	if (fs.existsSync(folder)) return;
	fs.mkdirSync(path.dirname(folder), { recursive: true });
	const release = await takeLock(`${folder}.lock`);
	try {
		if (fs.existsSync(folder)) return;
		const half = `${folder}.half`;
		// From a process that was killed: the lock is ours now.
		fs.rmSync(half, { recursive: true, force: true });
		fs.mkdirSync(half);
		const remove = () => fs.rmSync(half, { recursive: true, force: true, maxRetries: 5 });
		const forget = onCleanup(remove);
		try {
			await make(half);
			fs.renameSync(half, folder);
		} catch (error) {
			remove();
			throw error;
		} finally {
			forget();
		}
	} finally {
		release();
	}
}

/**
 * @param {string} file holds the process id of the owner
 * @returns {Promise<() => void>} gives the lock back
 */
async function takeLock(file) {
	for (;;) {
		try {
			// A link appears with its content at once; a file created and then written would be seen empty by others.
			fs.symlinkSync(String(process.pid), file);
			break;
		} catch (error) {
			if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
		}
		if (isStale(file)) fs.rmSync(file, { force: true });
		else await delay(250);
	}
	const release = () => fs.rmSync(file, { force: true });
	const forget = onCleanup(release);
	return () => (release(), forget());
}

/** @param {string} file @returns {boolean} whether the lock's owner is gone */
function isStale(file) {
	try {
		process.kill(Number(fs.readlinkSync(file)), 0);
		return false;
	} catch (error) {
		const { code } = /** @type {NodeJS.ErrnoException} */ (error);
		if (code === 'ESRCH') return true;
		// Given back in the meantime (ENOENT), or a living process of another user (EPERM).
		if (code === 'ENOENT' || code === 'EPERM') return false;
		throw error;
	}
}
