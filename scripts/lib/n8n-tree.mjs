/** A real n8n, as the lockfile in test/e2e/n8n says: 2,100 packages, which is why it is kept outside the checkout. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { madeOnce } from './made-once.mjs';
import { CACHE, ROOT } from './paths.mjs';
import { step } from './progress.mjs';
import { run } from './run.mjs';

const PROJECT = path.join(ROOT, 'test', 'e2e', 'n8n');

/** Where this lockfile's n8n is, or will be, installed. One folder per lockfile. */
export function n8nFolder() {
	const lock = fs.readFileSync(path.join(PROJECT, 'package-lock.json'));
	return path.join(CACHE, `n8n-${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`);
}

/**
 * Installs n8n unless it is there. Install scripts do not run: n8n then has no sqlite3, and its database has to be
 * PostgreSQL.
 * @returns {Promise<string>} the program to run with Node
 */
export async function installN8n() {
	const folder = n8nFolder();
	if (!fs.existsSync(folder)) {
		await step('install n8n (2.7 GB; about three minutes, once)', () =>
			madeOnce(folder, async (half) => {
				for (const file of ['package.json', 'package-lock.json']) {
					fs.copyFileSync(path.join(PROJECT, file), path.join(half, file));
				}
				await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: half, quiet: true });
			}),
		);
	}
	return path.join(folder, 'node_modules', 'n8n', 'bin', 'n8n');
}
