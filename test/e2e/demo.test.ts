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
	'brings the shop back, leaves a backup that opens with the commands it prints, and nothing running after Ctrl-C',
	async () => {
		await using demo = startDemo();
		await demo.says('Press Ctrl-C');

		expect(demo.output()).toMatch(/verified: restored in \d+\.\d s, 4 tables and \d+ rows as they were/);
		expect(demo.output()).toMatch(/all 4 tables and all [\d,]+ rows are back, in \d+\.\d s/);
		expect(demo.output()).toMatch(/verified-\w+-restored-ok\.json/);

		for (const what of ['a key pair', 'back up and verify', 'weekly drill', 'what expires', 'restore']) {
			expect(demo.output()).toMatch(new RegExp(`^ {2}${what} +http://\\S+/workflow/\\w+$`, 'm'));
		}
		expect(demo.output()).toContain('elsewhere: npm install --omit=peer n8n-nodes-backup, then npx n8n-backup');

		const lines =
			demo.output().match(/^ {2}(?:cd|export|dump=|guarded|\.\/n8n-backup|sha256sum|age|createdb|psql).*$/gm) ?? [];
		const isSetting = (line: string) => /^ {2}(?:cd|export|dump=|guarded)/.test(line);
		const settings = lines.filter(isSetting).join('\n');
		const answers: string[] = [];
		for (const line of lines.filter((each) => !isSetting(each))) {
			answers.push(await shell(`${settings}\n${line.replace('| less', '| cat')}`));
		}
		expect(answers).toHaveLength(7);
		const [verified, restored, digest, text, , , count] = answers;
		expect(verified).toMatch(/restored/);
		expect(restored).toMatch(/is restored as .*shop_restored/);
		expect(digest).toContain(/# ([0-9a-f]{16})…/.exec(demo.output())?.[1]);
		expect(text).toContain('COPY shop.customers');
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
		expect([await demo.ended, demo.output()]).toEqual([0, expect.stringContaining('rows are back')]);
		// Its servers have ended with it.
		expect(demo.output()).not.toContain('http://');
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
