/**
 * npm run soak: the tests that try something at random moments or with random inputs, many times instead of a few, in a fresh
 * clone on a bare machine as well. Takes hours, and 40 GB of disk; docs/soak.md says what each file does, and how it went.
 *
 *   npm run soak                        all of them
 *   npm run soak -- test/verbs/copy    these files only
 *
 * The last lines are one per file. Exit code 0 means that everything ran and passed.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cleanUpOnSignals, onCleanup, report } from './lib/cleanup.mjs';
import { installPrograms } from './lib/debian.mjs';
import { countsOf, JEST } from './lib/jest.mjs';
import { underNode24 } from './lib/node24.mjs';
import { ROOT } from './lib/paths.mjs';
import { say } from './lib/progress.mjs';
import { installProject } from './lib/project.mjs';
import { exitCode, run } from './lib/run.mjs';

const options = process.argv.slice(2);

cleanUpOnSignals();
try {
	process.exitCode = await soak();
} catch (error) {
	report(error);
}

async function soak() {
	await underNode24();
	await installProject();
	await installPrograms();
	const files = await filesThatSoak();
	say(`${files.length} files, one after the other`);
	const lines = [];
	let failures = 0;
	for (const file of files) {
		const { line, failed } = await runFile(file);
		say(line);
		lines.push(line);
		failures += failed;
	}
	process.stdout.write(`\n${lines.join('\n')}\n`);
	return failures === 0 && files.length > 0 ? 0 : 1;
}

/** Those that ask test/support/soak.ts how often to try. */
async function filesThatSoak() {
	const list = await run(process.execPath, [JEST, '--listTests', '--json', ...options], { cwd: ROOT, quiet: true });
	/** @type {string[]} */
	const files = JSON.parse(list);
	return files
		.filter((file) => /from '(\.\.\/)+support\/soak'/.test(fs.readFileSync(file, 'utf8')))
		.map((file) => path.relative(fs.realpathSync(ROOT), file))
		.sort();
}

/**
 * Runs one file by itself, so that nothing disturbs what it measures and kills.
 * @param {string} file
 * @returns {Promise<{ line: string, failed: number }>} what came of it, for people; it never passes with 0 tests
 */
async function runFile(file) {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'n8n-backup-soak-'));
	const remove = () => fs.rmSync(folder, { recursive: true, force: true });
	const forget = onCleanup(remove);
	try {
		const results = path.join(folder, 'results.json');
		const told = path.join(folder, 'told');
		const began = Date.now();
		const code = await exitCode(
			process.execPath,
			[JEST, '--ci', '--testTimeout=7200000', '--runTestsByPath', file, '--json', `--outputFile=${results}`],
			{ cwd: ROOT, env: { ...process.env, N8N_BACKUP_SOAK: told } },
		);
		const counts = fs.existsSync(results)
			? countsOf(JSON.parse(fs.readFileSync(results, 'utf8')), code)
			: { passed: 0, failed: 1 };
		const failed = counts.failed || Number(counts.passed === 0);
		const what = fs.existsSync(told) ? fs.readFileSync(told, 'utf8').trim().split('\n').join('; ') : '';
		const seconds = Math.round((Date.now() - began) / 1000);
		const line = `${failed ? `${failed} FAILED` : 'ok'}  ${file}: ${counts.passed} tests passed in ${seconds} s${what && `; ${what}`}`;
		return { line, failed };
	} finally {
		remove();
		forget();
	}
}
