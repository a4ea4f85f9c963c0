/** Our package, packed and installed the way n8n installs a community package. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { madeOnce } from './made-once.mjs';
import { ROOT } from './paths.mjs';
import { step } from './progress.mjs';
import { run } from './run.mjs';

/** What the packed package is made of. */
const SOURCES = [
	...['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'gulpfile.js', 'gulp'],
	...['README.md', 'CHANGELOG.md', 'LICENSE', 'core', 'nodes', 'credentials', 'bin', 'workflows', 'docs'],
];
const CACHE = path.join(ROOT, 'node_modules', '.cache', 'n8n-nodes-backup');
const OLD_MS = 24 * 3600_000;
/** The options with which n8n itself calls npm (its community-packages service). */
// prettier-ignore
const N8N_NPM_OPTIONS = ['--audit=false', '--fund=false', '--bin-links=false', '--install-strategy=shallow', '--ignore-scripts=true', '--package-lock=false'];

/**
 * @param {{ built?: boolean }} [options]
 * @returns {Promise<string>} a folder to be copied to `$N8N_USER_FOLDER/.n8n/nodes`
 */
export async function installedPackage({ built = false } = {}) {
	const folder = path.join(CACHE, fingerprint());
	if (!fs.existsSync(folder)) {
		removeOld();
		const title = built
			? 'pack the package and install it as n8n does'
			: 'build the package and install it as n8n does';
		await step(title, () => madeOnce(folder, (half) => install(half, built)));
	}
	return path.join(folder, 'nodes');
}

/**
 * @param {string} folder
 * @param {boolean} built
 */
async function install(folder, built) {
	if (!built) await run('npm', ['run', 'build'], { cwd: ROOT, quiet: true });
	const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
	const [{ filename }] = JSON.parse(await run('npm', args, { cwd: ROOT, quiet: true }));
	const { name, version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
	const nodes = path.join(folder, 'nodes');
	const target = path.join(nodes, 'node_modules', name);
	fs.mkdirSync(target, { recursive: true });
	await run('tar', ['-xzf', path.join(folder, filename), '-C', target, '--strip-components=1']);
	const manifest = path.join(target, 'package.json');
	const { devDependencies, peerDependencies, optionalDependencies, ...kept } = JSON.parse(
		fs.readFileSync(manifest, 'utf8'),
	);
	fs.writeFileSync(manifest, JSON.stringify(kept, null, 2));
	await run('npm', ['install', ...N8N_NPM_OPTIONS], { cwd: target, quiet: true });
	const ledger = { name: 'installed-nodes', private: true, dependencies: { [name]: version } };
	fs.writeFileSync(path.join(nodes, 'package.json'), JSON.stringify(ledger, null, 2));
}

/** @returns {string} the same for the same sources, as names and contents */
function fingerprint() {
	const hash = createHash('sha256');
	const add = (/** @type {string} */ entry) => {
		const full = path.join(ROOT, entry);
		if (!fs.existsSync(full)) return;
		if (fs.statSync(full).isDirectory()) {
			for (const name of fs.readdirSync(full).sort()) add(path.join(entry, name));
		} else {
			const content = fs.readFileSync(full);
			hash.update(`${entry}\0${content.length}\0`).update(content);
		}
	};
	SOURCES.forEach(add);
	return hash.digest('hex').slice(0, 16);
}

/** Every change of the sources leaves one behind. Those of today may be in use. */
function removeOld() {
	for (const name of fs.existsSync(CACHE) ? fs.readdirSync(CACHE) : []) {
		const folder = path.join(CACHE, name);
		if (fs.lstatSync(folder).isDirectory() && Date.now() - fs.statSync(folder).mtimeMs > OLD_MS) {
			fs.rmSync(folder, { recursive: true, force: true });
		}
	}
}
