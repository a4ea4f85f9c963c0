/** The checkout's own dependencies. */
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from './paths.mjs';
import { step } from './progress.mjs';
import { run } from './run.mjs';

/** Installs what package-lock.json says, unless exactly that is installed. */
export async function installProject() {
	if (isInstalled()) return;
	const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
	await step("install the project's dependencies", () => run('npm', args, { cwd: ROOT, quiet: true }));
}

/**
 * Compares with npm's own record of what it installed, written last: it is missing or old after an interrupted or
 * outdated installation. Packages for other platforms are not installed, so optional ones may be missing.
 */
function isInstalled() {
	const record = path.join(ROOT, 'node_modules', '.package-lock.json');
	if (!fs.existsSync(record)) return false;
	const wanted = JSON.parse(fs.readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')).packages;
	const installed = JSON.parse(fs.readFileSync(record, 'utf8')).packages;
	return Object.entries(wanted).every(([folder, { version, optional, devOptional }]) => {
		if (folder === '') return true;
		return installed[folder] ? installed[folder].version === version : Boolean(optional || devOptional);
	});
}
