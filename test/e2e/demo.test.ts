/** `npm run demo`, as a new user runs it, and the commands it prints, as they are printed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../../scripts/lib/run.mjs';
import { childrenOf } from '../support/processes';

const ROOT = path.resolve(__dirname, '../..');
const MINUTE_MS = 60_000;

let folder: string;

beforeAll(() => {
	folder = fs.mkdtempSync(path.join(os.tmpdir(), 'demo-test-'));
});

afterAll(() => {
	fs.rmSync(folder, { recursive: true, force: true });
});

it(
	'leaves a backup that opens with the commands it prints, and nothing running after Ctrl-C',
	async () => {
		await using demo = startDemo();
		await demo.says('Press Ctrl-C');

		const commands = demo.output().match(/^ {2}(?:sha256sum|age|PGPASSFILE=).*$/gm) ?? [];
		expect(commands).toHaveLength(5);
		const answers: string[] = [];
		for (const command of commands) answers.push(await shell(command.replace('| less', '| cat')));
		const [digest, text, , restored, count] = answers;
		expect(digest).toContain(/prints ([0-9a-f]{16})/.exec(demo.output())?.[1]);
		expect(text).toContain('COPY shop.customers');
		expect(restored).not.toMatch(/ERROR/);
		expect(count).toMatch(/^\s*8000$/m);

		const pids = demo.processes();
		expect(pids.length).toBeGreaterThan(3);
		demo.pressCtrlC();
		expect(await demo.ended).toBe(130);
		expect(pids.filter(isAlive)).toEqual([]);
	},
	8 * MINUTE_MS,
);

it(
	'runs a second time in the same folder',
	async () => {
		await using demo = startDemo('--once');
		expect([await demo.ended, demo.output()]).toEqual([0, expect.stringContaining('manifest.json')]);
	},
	8 * MINUTE_MS,
);

function startDemo(...options: string[]) {
	const args = ['run', 'demo', '--', '--folder', path.join(folder, 'demo'), ...options];
	// A group of its own, like the foreground job of a terminal.
	const child = spawn('npm', args, { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
	let text = '';
	child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
	child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
	const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
	const group = -(child.pid ?? 0);
	return {
		ended,
		output: () => text,
		async says(line: string): Promise<void> {
			while (!text.includes(line)) {
				const more = await Promise.race([once(child.stdout, 'data'), ended.then(() => null)]);
				if (more === null) throw new Error(`the demo ended before it said "${line}":\n${text}`);
			}
		},
		pressCtrlC: () => process.kill(group, 'SIGINT'),
		processes: () => descendants(child.pid ?? 0),
		async [Symbol.asyncDispose]() {
			if (child.exitCode === null && child.signalCode === null) process.kill(group, 'SIGTERM');
			await ended;
		},
	};
}

async function shell(command: string): Promise<string> {
	return await run('bash', ['-o', 'pipefail', '-c', command], { quiet: true });
}

/** The process and everything below it, by the kernel's word. */
function descendants(root: number): number[] {
	const found = [root];
	for (const pid of found) found.push(...childrenOf(pid));
	return found;
}

function isAlive(pid: number): boolean {
	return fs.existsSync(`/proc/${pid}`);
}
