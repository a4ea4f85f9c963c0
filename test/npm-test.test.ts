/** The last line of `npm test`, which other programs read. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const JEST = pathToFileURL(path.resolve(__dirname, '../scripts/lib/jest.mjs')).href;

/** Runs a folder of tests as scripts/test.mjs does. */
function runTests(files: Record<string, string>, ...options: string[]) {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'npm-test-'));
	try {
		for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text);
		const config = JSON.stringify({ rootDir: fs.realpathSync(folder), transform: {} });
		const program = `import { runJest } from '${JEST}'; process.exitCode = await runJest(process.argv.slice(1));`;
		const args = ['--input-type=module', '-e', program, '--', '-c', config, ...options];
		const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
		return { status, lastLine: stdout.trimEnd().split('\n').at(-1) };
	} finally {
		fs.rmSync(folder, { recursive: true, force: true });
	}
}

const GOOD = `test('a', () => {}); test('b', () => {});`;
const FAILING = `test('c', () => {}); test('d', () => { throw new Error('no'); });`;

describe('the last line of npm test', () => {
	it('counts what passed and what failed', () => {
		expect(runTests({ 'a.test.js': GOOD })).toEqual({ status: 0, lastLine: '2 passed, 0 failed' });
		const both = { 'a.test.js': GOOD, 'b.test.js': FAILING };
		expect(runTests(both)).toEqual({ status: 1, lastLine: '3 passed, 1 failed' });
	});

	it('counts a file that could not be run as a failure', () => {
		const files = { 'a.test.js': GOOD, 'b.test.js': `require('./nowhere');` };
		expect(runTests(files)).toEqual({ status: 1, lastLine: '2 passed, 1 failed' });
	});

	it('never tells of no failure when the run failed for another reason', () => {
		const limit = ['--coverage', '--coverageReporters=none', '--coverageThreshold={"global":{"lines":101}}'];
		const files = { 'a.test.js': `require('./code'); ${GOOD}`, 'code.js': 'module.exports = 1;' };
		expect(runTests(files, ...limit)).toEqual({ status: 1, lastLine: '2 passed, 1 failed' });
	});

	it('is missing when jest crashed', () => {
		const crash = 'module.exports = class { onRunStart() { process.kill(process.pid, "SIGKILL"); } };';
		const { status, lastLine } = runTests({ 'a.test.js': GOOD, 'crash.js': crash }, '--reporters=<rootDir>/crash.js');
		expect({ status, lastLine }).toEqual({ status: 1, lastLine: expect.not.stringMatching(/passed|failed/) });
	});
});
