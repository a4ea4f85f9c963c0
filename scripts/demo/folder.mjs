/** What the demo leaves to look at, by default `.demo` in the checkout. Each demo starts with an empty one. */
import fs from 'node:fs';
import path from 'node:path';
import { onCleanup } from '../lib/cleanup.mjs';
import { ROOT } from '../lib/paths.mjs';

const MARK = 'README';

/**
 * Takes the folder over from an earlier demo, whose backups are removed.
 * @param {string} [wanted]
 * @returns {string} without symbolic links, as n8n compares paths
 * @throws Error when a demo is running there
 */
export function newDemoFolder(wanted = path.join(ROOT, '.demo')) {
	const folder = path.join(fs.realpathSync(path.dirname(path.resolve(wanted))), path.basename(wanted));
	const owner = path.join(folder, 'running');
	const pid = linkTarget(owner);
	if (pid !== null && fs.existsSync(`/proc/${pid}`)) {
		throw new Error(`a demo is running as process ${pid}: stop it first. (If it is not: delete ${owner})`);
	}
	// Only what a demo made may be removed: the folder may have been named by mistake.
	if (pid === null && fs.existsSync(folder) && !fs.existsSync(path.join(folder, MARK))) {
		throw new Error(`${folder} exists, and no demo made it`);
	}
	fs.rmSync(folder, { recursive: true, force: true });
	fs.mkdirSync(folder, { mode: 0o700 });
	fs.writeFileSync(path.join(folder, MARK), 'Made by "npm run demo", removed by the next one.\n');
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
