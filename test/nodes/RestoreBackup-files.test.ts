import fs from 'node:fs';
import path from 'node:path';
import { generateIdentity } from '../../core/codecs/age/keys';
import { filesSource } from '../../core/sources/files/source';
import { FolderStorage } from '../../core/storage/folder/folder';
import { backUp } from '../../core/verbs/backup/backup';
import { RestoreBackup } from '../../nodes/RestoreBackup/RestoreBackup.node';
import { fakeContext, type FakeNode } from '../support/fake-node';
import { createFolder, removeFolder } from '../support/folders';

const GROUP = 'files/acme';
const node = new RestoreBackup();
let folder: string;
let tree: string;
let label: string;
let credentials: FakeNode['credentials'];

beforeAll(async () => {
	folder = createFolder('restore-node');
	tree = path.join(folder, 'www');
	fs.mkdirSync(path.join(tree, 'css'), { recursive: true });
	fs.writeFileSync(path.join(tree, 'index.html'), '<p>SECRET-ROW</p>');
	fs.writeFileSync(path.join(tree, 'css/a.css'), 'p {}');
	fs.mkdirSync(path.join(folder, 'storage'));
	const storage = new FolderStorage({ path: path.join(folder, 'storage') });
	const { identity, recipient } = await generateIdentity();
	const { signal } = new AbortController();
	const source = filesSource({ paths: [tree] });
	const { manifest } = await backUp({ storage, group: GROUP, source, encryption: { recipients: [recipient] }, signal });
	label = manifest.label;
	credentials = {
		backupStorageApi: { type: 'folder', path: path.join(folder, 'storage') },
		backupEncryptionApi: { method: 'recipients', recipients: recipient, identity },
	};
});
afterAll(() => removeFolder(folder));

async function run(parameters: Record<string, unknown>, more: Partial<FakeNode> = {}) {
	const defaults = { operation: 'restoreFiles', group: GROUP, backup: 'newest', encryption: 'age', options: {} };
	const fake = fakeContext({
		parameters: { ...defaults, intoFolder: 'empty', include: '', ...parameters },
		credentials,
		...more,
	});
	const [items] = await node.execute.call(fake.context);
	return { items: items!, ...fake };
}

describe('Restore Files', () => {
	it('restores all of a backup, says so first, and asks for no database', async () => {
		const to = path.join(folder, 'all');
		const { items, hints } = await run({ folder: to });
		expect(items).toHaveLength(1);
		expect(Object.entries(items[0]!.json)[0]).toEqual(['summary', `${to}: 2 files of 21 B in 2 folders as they were`]);
		expect(items[0]!.json).toMatchObject({ ok: true, group: GROUP, label, files: 2, restoredTo: to, differences: [] });
		expect(fs.readFileSync(path.join(to, tree, 'css/a.css'), 'utf8')).toBe('p {}');
		expect(hints).toEqual([]);
		expect(JSON.stringify(items)).not.toContain('SECRET-ROW');
	});

	it('restores what patterns name, one per line', async () => {
		const to = path.join(folder, 'some');
		await run({ folder: to, include: `*.html\n\n${tree}/nothing` });
		expect(fs.readdirSync(path.join(to, tree))).toEqual(['index.html']);
	});

	it('writes nothing in a dry run, and lists what it would restore', async () => {
		const to = path.join(folder, 'dry');
		const { items } = await run({ folder: to, include: '*.css', options: { dryRun: true } });
		expect(items[0]!.json).toMatchObject({ dryRun: true, files: 1, listed: [`${tree.slice(1)}/css/a.css`] });
		expect(fs.existsSync(to)).toBe(false);
	});

	it('replaces files only when the folder was typed twice', async () => {
		const to = path.join(folder, 'twice');
		fs.mkdirSync(path.join(to, tree), { recursive: true });
		const file = path.join(to, tree, 'index.html');
		fs.writeFileSync(file, 'old');
		await expect(run({ folder: to })).rejects.toThrow('is not empty');
		const replace = { folder: to, intoFolder: 'replace' };
		await expect(run({ ...replace, folderConfirmation: '' })).rejects.toThrow('typed again');
		await expect(run({ ...replace, folderConfirmation: '/srv' })).rejects.toThrow('typed again');
		expect(fs.readFileSync(file, 'utf8')).toBe('old');
		await run({ ...replace, folderConfirmation: to });
		expect(fs.readFileSync(file, 'utf8')).toContain('SECRET-ROW');
	});

	it('refuses a folder that n8n may not use, also behind a link', async () => {
		const link = path.join(folder, 'link');
		const outside = createFolder('outside');
		fs.symlinkSync(outside, link);
		await expect(run({ folder: path.join(link, 'new') }, { allowedFolder: folder })).rejects.toThrow('may not use');
		expect(fs.readdirSync(outside)).toEqual([]);
		removeFolder(outside);
	});

	it('says that a backup of files is no database', async () => {
		const postgres = { host: '127.0.0.1', port: 1, user: 'nobody', database: 'x', password: 'none', ssl: 'disable' };
		const database = { operation: 'restoreDatabase', into: 'new', database: 'y' };
		await expect(run(database, { credentials: { ...credentials, postgres } })).rejects.toThrow('is a backup of files');
	});
});

describe('List Contents', () => {
	it('gives one item per entry, of a folder where one is named, and says when there are more', async () => {
		const list = { operation: 'listContents', path: '', limit: 100 };
		const names = ({ items }: { items: Array<{ json: object }> }) =>
			items.map(({ json }) => (json as { path: string }).path);
		const root = tree.slice(1);
		expect(names(await run(list))).toEqual([root, `${root}/index.html`, `${root}/css`, `${root}/css/a.css`]);
		const some = await run({ ...list, path: `${tree}/css` });
		expect(some.items[1]!.json).toMatchObject({
			path: `${root}/css/a.css`,
			type: 'file',
			size: 4,
			group: GROUP,
			label,
		});
		const limited = await run({ ...list, limit: 1 });
		expect(limited.items).toHaveLength(1);
		expect(JSON.stringify(limited.hints)).toContain('there is more');
		await expect(run({ ...list, path: 'nothing' })).rejects.toThrow('has nothing called');
	});
});
