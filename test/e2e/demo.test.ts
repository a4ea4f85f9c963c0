/** `npm run demo`, as a new user runs it, and the commands it prints, as they are printed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from '../../scripts/lib/run.mjs';
import { childrenOf } from '../support/processes';
import { rounds } from '../support/soak';

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

		expect(demo.output()).toMatch(/verified: restored in \d+\.\d s, 4 tables and [\d,]+ rows as they were/);
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

		await showsTheTruth(demo.output(), settings);

		const pids = demo.processes();
		expect(pids.length).toBeGreaterThan(3);
		demo.pressCtrlC();
		expect(await demo.ended).toBe(130);
		expect(pids.filter(isAlive)).toEqual([]);
	},
	8 * MINUTE_MS,
);

it('starts with an empty folder, also where an earlier demo was; never in one that is not a demo’s', async () => {
	const take = async (place: string) => {
		const program = "import { newDemoFolder } from './scripts/demo/folder.mjs'; newDemoFolder(process.argv[1]);";
		await run(process.execPath, ['--input-type=module', '-e', program, place], { cwd: ROOT, quiet: true });
	};
	const place = path.join(folder, 'again');
	await take(place);
	fs.writeFileSync(path.join(place, 'backup'), 'of the first');
	await take(place);
	expect(fs.readdirSync(place)).not.toContain('backup');
	const other = path.join(folder, 'other');
	fs.mkdirSync(other);
	fs.writeFileSync(path.join(other, 'precious'), 'kept');
	await expect(take(other)).rejects.toThrow(/no demo made it/);
	expect(fs.readdirSync(other)).toEqual(['precious']);
});

// A whole demo more, of which all but the end is like the first.
for (const option of rounds<string[]>([], ['--once'])) {
	it(
		`with ${option}, ends after the restore, and its servers with it`,
		async () => {
			await using demo = startDemo(option);
			expect([await demo.ended, demo.output()]).toEqual([0, expect.stringContaining('rows are back')]);
			expect(demo.output()).not.toContain('http://');
		},
		8 * MINUTE_MS,
	);
}

/** The page at the address with which the demo ends: of three sources, also when the server of one was stopped. */
async function showsTheTruth(output: string, settings: string): Promise<void> {
	const said = /says: (.*)$/m.exec(output)![1]!;
	expect(said).toMatch(
		/^2 of 3 sources can be restored\. postgres\/newsletter cannot: last proved backup [34] days ago/,
	);
	expect(output).toContain('make a history for the demo');
	const [, form, login, password] = /restore form +(\S+) as (\w+), password (\w+)$/m.exec(output)!;
	const address = output.slice(output.indexOf('Can each source')).match(/^ {2}(http\S+)$/m)![1]!;
	expect(new URL(address).host).toBe(new URL(form!).host);
	expect((await fetch(address)).status).toBe(401);
	const authorization = `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`;
	const card = async (group: string) => {
		const page = await (await fetch(address, { headers: { authorization } })).text();
		expect(page.replace(/\s+/g, ' ')).toContain(`<h1>${said}`);
		return page.split('<section class="card ').find((each) => each.includes(`>${group}</a>`))!;
	};
	expect(await card('postgres/newsletter')).toMatch(/^critical.*the last 3 runs, .* failed \(wrong-credentials\)/is);
	expect(await card('files/invoices')).toMatch(/^ok/);
	const shop = await card('postgres/shop');
	expect(shop).toMatch(/^ok/);
	expect(shop).toContain('17 backups');

	const keeper = path.join(folder, 'demo', 'postgres', 'shop', 'state.json');
	process.kill((JSON.parse(fs.readFileSync(keeper, 'utf8')) as { keeper: number }).keeper, 'SIGTERM');
	while (fs.existsSync(keeper)) await delay(50);
	const place = `--storage "file://$PWD/backups" --group postgres/shop`;
	const backup = `./n8n-backup dump ${place} --database "postgres://$PGUSER@$PGHOST:$PGPORT/shop" --no-encryption`;
	await expect(shell(`${settings}\n${backup}`)).rejects.toThrow(/connect/);
	// What was backed up can be restored as before, and that the newest run has failed is said.
	expect(await card('postgres/shop')).toMatch(/^warning.*the last run, .* failed \(unreachable\)/is);
}

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
