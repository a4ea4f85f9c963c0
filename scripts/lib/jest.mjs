/** Runs jest, and says in one line what came of it: for whoever reads only the last line, people and programs alike. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onCleanup } from './cleanup.mjs';
import { ROOT } from './paths.mjs';
import { exitCode } from './run.mjs';

export const JEST = path.join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');

/**
 * Runs tests with jest's own output, then prints `<N> passed, <N> failed` as a last line of its own. There is no such line
 * when jest ended without results: because it crashed, or was asked for something else than to run tests.
 * @param {string[]} options of jest
 * @returns {Promise<number>} jest's exit code; never 0 when the line tells of a failure
 */
export async function runJest(options) {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'n8n-backup-jest-'));
	const remove = () => fs.rmSync(folder, { recursive: true, force: true });
	const forget = onCleanup(remove);
	try {
		const file = path.join(folder, 'results.json');
		const code = await exitCode(process.execPath, [JEST, '--ci', ...options, '--json', `--outputFile=${file}`], {
			cwd: ROOT,
		});
		if (!fs.existsSync(file)) return code;
		const { passed, failed } = countsOf(JSON.parse(fs.readFileSync(file, 'utf8')), code);
		process.stdout.write(`${passed} passed, ${failed} failed\n`);
		return failed === 0 ? code : code || 1;
	} finally {
		remove();
		forget();
	}
}

/**
 * A file that could not be run counts as one failure, since nobody knows how many tests are in it. So does whatever else
 * failed the run, like a test that was skipped without a reason: "0 failed" means that the run was a success.
 * @param {{ numPassedTests: number, numFailedTests: number, numRuntimeErrorTestSuites: number }} results as jest writes them
 * @param {number} code with which jest ended
 */
export function countsOf({ numPassedTests, numFailedTests, numRuntimeErrorTestSuites }, code) {
	const failed = numFailedTests + numRuntimeErrorTestSuites;
	return { passed: numPassedTests, failed: code === 0 ? failed : Math.max(failed, 1) };
}
