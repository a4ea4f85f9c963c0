import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../support/command-line';

let top: string;
beforeEach(() => (top = fs.mkdtempSync(path.join(os.tmpdir(), 'workflows-'))));
afterEach(() => fs.rmSync(top, { recursive: true, force: true }));

const workflow = {
	id: '17',
	name: 'Shop',
	connections: {},
	nodes: [{ name: 'Set', parameters: { password: 'hunter2hunter2' } }],
};

async function write(text: string, ...more: string[]) {
	fs.writeFileSync(path.join(top, 'all.txt'), text);
	return await run(['workflows', '--from', path.join(top, 'all.txt'), '--to', top, ...more]);
}

it('writes what n8n has exported, and removes files of other workflows only when told that these are all', async () => {
	const first = await write(JSON.stringify([workflow, { ...workflow, id: '18', name: 'Blog' }]));
	expect(first).toMatchObject({ code: 0, stderr: '' });
	expect(first.stdout).toContain('written  shop-17.json\n');
	expect(first.stdout).toContain('left out a secret of Shop: Set: password\n');
	expect(first.stdout).toContain(`2 workflows in ${top}, 0 of them unchanged\n`);
	expect((await write(JSON.stringify(workflow))).stdout).not.toContain('removed');
	const all = await write(JSON.stringify([workflow]), '--all', '--json');
	expect(JSON.parse(all.stdout)).toMatchObject({ written: [], unchanged: 1, removed: ['blog-18.json'] });
	expect(fs.readdirSync(top).sort()).toEqual(['all.txt', 'shop-17.json']);
});

it.each([
	['no JSON', '{"password": "hunter2hunter2"', 'it is no JSON'],
	['no workflow', '[{"password": "hunter2hunter2"}]', 'is no workflow'],
])('ends with 2 for %s, and quotes nothing of it', async (_, text, why) => {
	const { code, stdout, stderr } = await write(text);
	expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(why) });
	expect(stdout + stderr).not.toContain('hunter2');
});

it('ends with 2 where there is no export', async () => {
	const { code, stderr } = await run(['workflows', '--from', path.join(top, 'none'), '--to', top]);
	expect({ code, stderr }).toEqual({
		code: 2,
		stderr: expect.stringMatching(/none cannot be read.*\n.*n8n export:workflow/),
	});
});
