/** docs/restore-files-by-hand.md: each of its commands, on real archives, with age, zstd and tar alone. */
import fs from 'node:fs';
import path from 'node:path';
import { generateIdentity } from '../../core/codecs/age/keys';
import type { Encryption } from '../../core/codecs/age/age';
import { FolderStorage } from '../../core/storage/folder/folder';
import { ArchiveGroup, type Archived, GROUP } from '../support/archives';
import { Document, sh } from '../support/document';
import { createFolder, removeFolder } from '../support/folders';
import { treeOf } from '../support/trees';

const document = new Document('docs/restore-files-by-hand.md');
const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' };

let folder: string;
let tree: string;
let full: Archived;
let last: Archived;
let before: string[];
let after: string[];

beforeAll(async () => {
	folder = createFolder('files-by-hand');
	tree = path.join(folder, 'www');
	fs.mkdirSync(path.join(tree, 'css'), { recursive: true });
	fs.writeFileSync(path.join(tree, 'index.html'), '<p>first</p>');
	fs.writeFileSync(path.join(tree, 'css/ä ö.css'), 'p {}');
	fs.writeFileSync(path.join(tree, 'gone.html'), 'gone soon');
	fs.mkdirSync(path.join(folder, 'storage'));
	const { identity, recipient } = await generateIdentity();
	const encryption: Encryption = { recipients: [recipient] };
	const group = new ArchiveGroup(tree, new FolderStorage({ path: path.join(folder, 'storage') }));
	const request = { encryption, proveWith: { identities: [identity] } };
	full = await group.back({ request });
	before = treeOf(tree);
	fs.renameSync(path.join(tree, 'css'), path.join(tree, 'styles'));
	fs.rmSync(path.join(tree, 'gone.html'));
	await group.back({ type: 'incremental', request });
	fs.writeFileSync(path.join(tree, 'index.html'), '<p>last</p>');
	last = await group.back({ type: 'incremental', request });
	after = treeOf(tree);
	fs.writeFileSync(path.join(folder, 'key.txt'), `${identity}\n`);
	for (const at of ['', full.label]) fs.copyFileSync(path.join(folder, 'key.txt'), path.join(placeOf(at), 'key.txt'));
});
afterAll(() => removeFolder(folder));

function placeOf(label: string): string {
	return path.join(folder, 'storage', GROUP, label);
}

it('a full backup comes back, with GNU tar and with that of BSD, and its digests are right', async () => {
	const cwd = placeOf(full.label);
	await sh(document.block('tar -x -p -C restored'), { cwd, env });
	expect(treeOf(path.join(cwd, 'restored', tree))).toEqual(before);
	await sh(document.block('bsdtar'), { cwd, env });
	expect(treeOf(path.join(cwd, 'restored-bsd', tree))).toEqual(before);
	const check = document.block('sha256sum --quiet');
	expect((await sh(check, { cwd, env })).trim()).toBe('3');
	fs.appendFileSync(path.join(cwd, 'restored', tree, 'index.html'), 'x');
	await expect(sh(check, { cwd, env })).rejects.toThrow('FAILED');
});

it('a chain comes back as it was at its end, without what was gone by then', async () => {
	const cwd = placeOf('');
	await sh(document.block('tar -x -p -G', { '20261127T020000Z-incremental-k3f9': last.label }), { cwd, env });
	expect(last.chain).toHaveLength(3);
	expect(treeOf(path.join(cwd, 'restored', tree))).toEqual(after);
});

it('one file is taken out of a backup', async () => {
	const cwd = placeOf(full.label);
	const name = `${tree.slice(1)}/index.html`;
	const listed = await sh(document.block('tar -t', { 'srv/www/index.html': name }), { cwd, env });
	expect(listed).toContain(name);
	expect(fs.readFileSync(path.join(cwd, 'index.html'), 'utf8')).toBe('<p>first</p>');
});

it('has no other commands, and no dead links', () => {
	expect(document.unused()).toEqual([]);
	expect(document.brokenLinks()).toEqual([]);
});
