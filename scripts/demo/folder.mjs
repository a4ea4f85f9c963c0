/** `.demo` in the checkout: what the demo leaves to look at. Each demo starts with an empty one; only one runs at a time. */
import fs from 'node:fs';
import path from 'node:path';
import { onCleanup } from '../lib/cleanup.mjs';
import { ROOT } from '../lib/paths.mjs';

/**
 * Takes the folder over from an earlier demo, whose backups are removed.
 * @returns {string}
 * @throws Error when a demo is running
 */
export function newDemoFolder() {
	const folder = path.join(fs.realpathSync(ROOT), '.demo');
	const owner = path.join(folder, 'running');
	const pid = linkTarget(owner);
	if (pid !== null && fs.existsSync(`/proc/${pid}`)) {
		throw new Error(`a demo is running as process ${pid}: stop it first. (If it is not: delete ${owner})`);
	}
	fs.rmSync(folder, { recursive: true, force: true });
	fs.mkdirSync(folder, { mode: 0o700 });
	fs.symlinkSync(String(process.pid), owner);
	onCleanup(() => fs.rmSync(owner, { force: true }));
	return folder;
}

/**
 * @param {string} folder
 * @returns {{ name: string, size: number }[]} every file below it
 */
export function filesBelow(folder) {
	return fs
		.readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => path.join(entry.parentPath, entry.name))
		.map((file) => ({ name: path.relative(folder, file), size: fs.statSync(file).size }))
		.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @param {string} link @returns {string | null} */
function linkTarget(link) {
	return fs.lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() ? fs.readlinkSync(link) : null;
}
