import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { workflowFile } from '../../../core/sources/n8n/workflow-file';
import { writeWorkflows } from '../../../core/sources/n8n/write-workflows';

const SECRETS = [
	'geheim77geheim',
	'hunter2hunter2',
	'abcdef1234567890abcdef12345678',
	'correct horse battery',
	'from a pin',
];

function workflow(more: object = {}) {
	return {
		...{ updatedAt: '2026-11-28T00:00:00Z', versionId: 'v7', triggerCount: 3, staticData: { last: 'from a pin' } },
		...{ name: 'Täglicher Export: Kunden & Rechnungen', id: 'kE3kCJpJBX0rVDqS', active: true },
		...{
			pinData: { Fetch: [{ json: { secret: 'from a pin' } }] },
			shared: [{ role: 'workflow:owner', email: 'a@b.org' }],
		},
		nodes: [
			{
				...{
					id: 'b',
					name: 'Open the Credentials',
					type: 'n8n-nodes-base.httpRequest',
					typeVersion: 4,
					position: [0, 0],
				},
				credentials: { postgres: { name: 'Shop', id: '3kZ8d' } },
				parameters: {
					url: 'https://me:geheim77geheim@example.org/x',
					password: '={{ $json.password }}',
					mixed: { password: '={{ "hunter2hunter2" + $json.id }}' },
					headers: [{ name: 'Authorization', value: 'Bearer abcdef1234567890abcdef12345678' }],
					jsCode: "const password = 'hunter2hunter2';\nreturn [];",
				},
			},
			{ id: 'a', name: 'Set', parameters: { rules: [{ outputKey: 'all well', secretKey: 'correct horse battery' }] } },
		],
		connections: { 'Open the Credentials': { main: [[{ type: 'main', node: 'Set', index: 0 }]] } },
		settings: { executionOrder: 'v1' },
		tags: [
			{ id: '2', name: 'shop', createdAt: 'x' },
			{ id: '1', name: 'export' },
		],
		...more,
	};
}

/** The same, with all keys in the opposite order. */
function backwards(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(backwards);
	if (typeof value !== 'object' || value === null) return value;
	const entries = Object.entries(value).map(([key, each]) => [key, backwards(each)] as const);
	return Object.fromEntries(entries.reverse());
}

describe('a workflow as a file', () => {
	it('has no secret, and all that makes the workflow work', () => {
		const { name, text, removed } = workflowFile(workflow());
		for (const secret of SECRETS) expect(text).not.toContain(secret);
		expect(text).not.toContain('a@b.org');
		expect(name).toBe('taglicher-export-kunden-rechnungen-kE3kCJpJBX0rVDqS.json');
		const { nodes, connections, tags } = JSON.parse(text) as ReturnType<typeof workflow>;
		expect({ connections, tags }).toEqual({ connections: workflow().connections, tags: ['export', 'shop'] });
		expect(nodes[1]).toMatchObject({
			credentials: { postgres: { name: 'Shop', id: '3kZ8d' } },
			parameters: { url: expect.stringMatching(/^https:.*example\.org\/x$/), password: '={{ $json.password }}' },
		});
		expect(nodes[0]).toMatchObject({ parameters: { rules: [{ outputKey: 'all well' }] } });
		expect(removed).toEqual([
			'Open the Credentials: url',
			'Open the Credentials: mixed.password',
			'Open the Credentials: headers.0.value',
			'Open the Credentials: jsCode',
			'Set: rules.0.secretKey',
		]);
	});

	it('is the same text in whatever order n8n gives it, and whenever it was saved', () => {
		const { text } = workflowFile(workflow());
		const other = backwards(workflow({ updatedAt: 'later', versionId: 'v8', nodes: workflow().nodes.reverse() }));
		expect(workflowFile(other).text).toBe(text);
		expect(text.endsWith('}\n')).toBe(true);
		expect(text.split('\n')[1]).toBe('  "active": true,');
	});

	it('leaves out parameters that nobody can look through, and says so', () => {
		const code = `const password = 'hunter2hunter2';${'x'.repeat(600_000)}`;
		const nodes = [{ id: 'a', name: 'Code', parameters: { jsCode: code } }];
		const { text, removed } = workflowFile(workflow({ nodes }));
		expect(text).not.toContain('hunter2');
		expect(removed).toEqual(['Code: all parameters, because what they hold is larger than 512 KiB']);
	});

	it.each([
		['nothing', null],
		['a list', []],
		['an item of another kind', { id: 'x', name: 'y' }],
		['a workflow that n8n never stored', workflow({ id: undefined })],
		['an id that would lead out of the folder', workflow({ id: '../../x' })],
		['a workflow without a name', workflow({ name: '' })],
	])('refuses %s', (_, value) => {
		expect(() => workflowFile(value)).toThrow(/is no workflow/);
	});
});

describe('workflows in a folder', () => {
	let folder: string;
	beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'workflows-'))));
	afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

	const other = workflow({ id: '17', name: 'Other' });

	it('are written once, and again only where something has changed', async () => {
		const [first, second] = ['taglicher-export-kunden-rechnungen-kE3kCJpJBX0rVDqS.json', 'other-17.json'];
		expect(await writeWorkflows([workflow(), other], { folder })).toMatchObject({
			...{ written: [first, second], unchanged: 0, removed: [] },
			secrets: expect.arrayContaining([expect.stringMatching(/^Other: Set: rules/)]),
		});
		const before = fs.statSync(path.join(folder, first)).mtimeMs;
		expect(await writeWorkflows([workflow(), { ...other, active: false }], { folder })).toMatchObject({
			...{ written: [second], unchanged: 1, removed: [] },
		});
		expect(fs.statSync(path.join(folder, first)).mtimeMs).toBe(before);
		expect(fs.readdirSync(folder).sort()).toEqual([second, first]);
	});

	it('leave no file under an old name, and none of a workflow that is gone where all were given', async () => {
		await writeWorkflows([workflow(), other], { folder });
		const foreign = ['notes.json', 'README.md', 'made-by-hand-17.json', 'broken-99.json'];
		for (const name of foreign) fs.writeFileSync(path.join(folder, name), '{}');
		fs.mkdirSync(path.join(folder, 'folder-17.json'));
		const renamed = { ...other, name: 'New Name' };
		expect(await writeWorkflows([renamed], { folder })).toMatchObject({
			...{ written: ['new-name-17.json'], removed: ['other-17.json'] },
		});
		expect(await writeWorkflows([renamed], { folder, complete: true })).toMatchObject({
			removed: ['taglicher-export-kunden-rechnungen-kE3kCJpJBX0rVDqS.json'],
		});
		expect(fs.readdirSync(folder).sort()).toEqual([...foreign, 'folder-17.json', 'new-name-17.json'].sort());
	});

	it('are not touched when one of them is none, when one comes twice, or when there are none', async () => {
		await writeWorkflows([other], { folder });
		for (const wrong of [[workflow(), {}], [workflow(), workflow()], []]) {
			await expect(writeWorkflows(wrong, { folder, complete: true })).rejects.toMatchObject({ code: 'invalid-input' });
		}
		expect(fs.readdirSync(folder)).toEqual(['other-17.json']);
	});

	it('replace a link, and never write through it', async () => {
		fs.writeFileSync(path.join(folder, 'outside'), 'mine');
		fs.symlinkSync(path.join(folder, 'outside'), path.join(folder, 'other-17.json'));
		await writeWorkflows([other], { folder });
		expect(fs.readFileSync(path.join(folder, 'outside'), 'utf8')).toBe('mine');
		expect(fs.lstatSync(path.join(folder, 'other-17.json')).isFile()).toBe(true);
	});

	it('need a folder that is there', async () => {
		await expect(writeWorkflows([other], { folder: path.join(folder, 'none') })).rejects.toMatchObject({
			...{ code: 'storage-failed', message: expect.stringContaining('/none'), hint: expect.stringContaining('exists') },
		});
	});
});
