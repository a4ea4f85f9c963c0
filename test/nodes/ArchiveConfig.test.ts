/** Archive Config: real folders, real archives; n8n itself is in test/e2e. */
import fs from 'node:fs';
import path from 'node:path';
import type { IDataObject } from 'n8n-workflow';
import { generateIdentity, type KeyPair } from '../../core/codecs/age/keys';
import { ArchiveConfig } from '../../nodes/ArchiveConfig/ArchiveConfig.node';
import { nextSecond, stopClock } from '../support/clock';
import { type FakeNode, fakeContext } from '../support/fake-node';
import { createFolder, removeFolder } from '../support/folders';
import { from, type Json, reportOn } from '../support/report-items';
import { filesBelow } from '../support/stored-files';

const SECRET = 'h0rse-battery-5taple';
const node = new ArchiveConfig();
let top: string;
let key: KeyPair;
let credentials: FakeNode['credentials'];

stopClock();
beforeAll(async () => {
	key = await generateIdentity();
});
beforeEach(() => {
	top = createFolder('archive-config');
	fs.mkdirSync(path.join(top, 'backups'));
	write('srv/shop/compose.yml', 'services: {web: {image: nginx, env_file: [.env, gone.env]}}\n');
	write('srv/shop/.env', `DB_PASSWORD=${SECRET}\n`);
	write('srv/blog/.env', 'DEBUG=false\n');
	credentials = {
		backupStorageApi: { type: 'folder', path: path.join(top, 'backups') },
		backupEncryptionApi: { method: 'recipients', recipients: key.recipient, identity: key.identity },
	};
});
afterEach(() => removeFolder(top));

function write(name: string, text: string): void {
	fs.mkdirSync(path.dirname(path.join(top, name)), { recursive: true });
	fs.writeFileSync(path.join(top, name), text);
}

const DEFAULTS = {
	...{ operation: 'archive', take: 'all', paths: '', group: 'config/server', secrets: 'kept', encryption: 'age' },
	...{ verifyAfterwards: 'deepest', options: {}, discoverOptions: {} },
};

async function run(parameters: Record<string, unknown> = {}, more: Partial<FakeNode> = {}) {
	nextSecond();
	const own = { ...DEFAULTS, search: path.join(top, 'srv'), ...parameters };
	const fake = fakeContext({ parameters: own, credentials, ...more });
	const [items] = await node.execute.call(fake.context);
	const json = items!.map((item) => item.json as Json);
	expect(JSON.stringify([json, fake.hints])).not.toMatch(new RegExp(`${SECRET}|AGE-SECRET`));
	return { items: json, hints: fake.hints };
}

const below = (paths: unknown) => (paths as Array<{ path: string }>).map((each) => path.relative(top, each.path));

it('Discover lists each file, with the names of its secrets and of what is not there', async () => {
	const { items } = await run({ operation: 'discover' });
	expect(below(items)).toEqual(['srv/blog/.env', 'srv/shop/.env', 'srv/shop/compose.yml']);
	expect(items[1]).toMatchObject({
		summary: expect.stringMatching(/\.env: env, \d+ B, 1 secret$/),
		...{ kind: 'env', hasSecrets: true, secrets: ['DB_PASSWORD'], problem: null },
	});
	expect(items[2]).toMatchObject({ missing: [path.join(top, 'srv/shop/gone.env')] });
	expect(filesBelow(path.join(top, 'backups'))).toEqual([]);
});

it('Archive stores all of it, restored and compared right away, with a report per file', async () => {
	const { items } = await run();
	expect(items).toMatchObject([
		{
			summary: expect.stringMatching(/^config\/server: 3 files of configuration; .* stored, restored and compared: /),
			...{ ok: true, status: 'stored', group: 'config/server', type: 'full', secrets: 'kept', complete: true },
			...{ files: 3, sanitisedFiles: 0, changes: null, encrypted: true, expiringCertificates: [] },
			missing: [{ file: path.join(top, 'srv/shop/gone.env') }],
			versions: { images: [{ service: 'web', image: 'nginx' }], programs: { 'n8n-nodes-backup': expect.any(String) } },
			verification: { depth: 'restored', ok: true },
		},
	]);
	const report = reportOn(from('dump', ...items));
	expect(report.text).toContain('config/server');
	expect(report.text).toContain('gone.env, which is not there');
	write('srv/shop/.env', `DB_PASSWORD=${SECRET}1\n`);
	expect((await run()).items[0]).toMatchObject({ changes: [{ change: 'changed', keys: ['DB_PASSWORD'] }] });
});

it('Archive takes what the input names, as one backup, and nothing outside of the folders', async () => {
	const { items: found } = await run({ operation: 'discover' });
	write('elsewhere/.env', 'A=1\n');
	const chosen = [...found.filter(({ kind }) => kind === 'env'), { path: path.join(top, 'elsewhere/.env') }];
	const { items } = await run({ take: 'items' }, { input: [chosen as IDataObject[]] });
	expect(items).toHaveLength(1);
	expect(below(items[0]!.report)).toEqual(['srv/blog/.env', 'srv/shop/.env']);
	expect(items[0]).toMatchObject({
		skipped: [{ path: path.join(top, 'elsewhere/.env'), why: 'is not found any more' }],
	});
	await expect(run({ take: 'items' }, { input: [[{}]] })).rejects.toThrow('no input item names a file');
});

it('without secrets, the backup may be in the clear; with them it must not', async () => {
	await expect(run({ encryption: 'none' })).rejects.toThrow('may not be stored without encryption');
	expect(filesBelow(path.join(top, 'backups'))).toEqual([]);
	const { items } = await run({ encryption: 'none', secrets: 'removed' });
	expect(items[0]).toMatchObject({
		summary: expect.stringContaining('secrets removed from 1 file'),
		...{ secrets: 'removed', sanitisedFiles: 1, encrypted: false },
	});
});

it('reads only what n8n allows', async () => {
	await expect(run({}, { allowedFolder: path.join(top, 'other') })).rejects.toThrow('n8n may not use the folder');
	await expect(run({ search: 'srv' })).rejects.toThrow('"srv" is not an absolute path');
	await expect(run({ search: '' })).rejects.toThrow('no folder given');
	fs.symlinkSync('/etc/hostname', path.join(top, 'srv/linked.env'));
	const { items } = await run({ operation: 'discover' }, { allowedFolder: top });
	expect(below(items)).not.toContain('srv/linked.env');
});

it('a group and its storage: a folder that is taken whole must not hold it', async () => {
	await expect(run({ paths: top })).rejects.toThrow(`lies in ${top}`);
});

describe('Write Workflows', () => {
	const workflow = {
		...{ id: '17', name: 'Shop' },
		connections: {},
		nodes: [{ id: 'a', parameters: { password: SECRET } }],
	};
	const parameters = () => ({ operation: 'writeWorkflows', workflowFolder: top, allWorkflows: true });

	it('writes what comes in together, and tells what it left out', async () => {
		const input = [[workflow, { ...workflow, id: '18', name: 'Blog' }]];
		const { items } = await run(parameters(), { input, items: 2 });
		expect(items).toMatchObject([
			{
				...{ ok: true, workflows: 2, written: ['shop-17.json', 'blog-18.json'], unchanged: 0, removed: [] },
				secrets: ['Shop: a node: password', 'Blog: a node: password'],
				summary: `2 workflows in ${top}: 2 written, 0 unchanged, 0 removed; 2 secrets left out`,
			},
		]);
		expect(fs.readFileSync(path.join(top, 'shop-17.json'), 'utf8')).not.toContain(SECRET);
		expect((await run(parameters(), { input: [[workflow]] })).items).toMatchObject([{ removed: ['blog-18.json'] }]);
	});

	it('writes only where n8n allows it, and nothing that is no workflow', async () => {
		const input = [[workflow]];
		await expect(run(parameters(), { input, allowedFolder: '/other' })).rejects.toThrow('n8n may not use the folder');
		await expect(run({ ...parameters(), workflowFolder: '' }, { input })).rejects.toThrow('"Folder" is empty');
		await expect(run(parameters(), { input: [[{ x: 1 }]] })).rejects.toThrow(
			'this is no workflow of n8n: it has no nodes',
		);
		expect(filesBelow(top).filter((name) => name.endsWith('.json'))).toEqual([]);
	});
});
