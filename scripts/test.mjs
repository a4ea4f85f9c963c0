/**
 * npm test: sets up everything the tests need, then runs everything, in a fresh clone on a bare machine as well.
 *
 *   npm test                          programs, n8n, lint, build, every test
 *   npm test -- test/codecs          these tests only, with no more set-up than they need
 *   npm test -- -t 'leaves nothing'   any option of jest
 *
 * The last line is "<N> passed, <N> failed", after jest's summary. Exit code 0 means that everything ran and passed.
 */
import fs from 'node:fs';
import path from 'node:path';
import { cleanUpOnSignals, report } from './lib/cleanup.mjs';
import { installPrograms, missingPackages } from './lib/debian.mjs';
import { JEST, runJest } from './lib/jest.mjs';
import { installedPackage } from './lib/n8n-package.mjs';
import { installN8n } from './lib/n8n.mjs';
import { underNode24 } from './lib/node24.mjs';
import { ROOT } from './lib/paths.mjs';
import { say, step } from './lib/progress.mjs';
import { installProject } from './lib/project.mjs';
import { run } from './lib/run.mjs';

const options = process.argv.slice(2);

cleanUpOnSignals();
try {
	process.exitCode = await test();
} catch (error) {
	report(error);
}

async function test() {
	await underNode24();
	await installProject();
	if (options.length === 0) {
		await installPrograms();
		await installN8n();
		await step('check style and types', () => run('npm', ['run', '--silent', 'lint'], { cwd: ROOT }));
		await step('build', () => run('npm', ['run', '--silent', 'build'], { cwd: ROOT, quiet: true }));
		await installedPackage({ built: true });
	} else {
		const missing = missingPackages();
		if (missing.length > 0) say(`some tests may fail, these Debian packages are missing: ${missing.join(' ')}`);
		if (await includesEndToEnd()) await installN8n();
	}
	say('run the tests');
	return await runJest(options);
}

/** Whether jest, given our options, would run a test that needs n8n. */
async function includesEndToEnd() {
	const list = await run(process.execPath, [JEST, '--listTests', '--json', ...options], { cwd: ROOT, quiet: true });
	return JSON.parse(list).some((/** @type {string} */ file) =>
		file.startsWith(path.join(fs.realpathSync(ROOT), 'test/e2e/')),
	);
}
