/** n8n-backup archive, ls, diff, verify and restore --to a folder, as processes of their own: one file's way there and back. */
import fs from 'node:fs';
import path from 'node:path';
import { generateIdentity } from '../../core/codecs/age/keys';
import { run } from '../support/command-line';
import { createFolder, removeFolder } from '../support/folders';

let top: string;
let tree: string;
beforeEach(() => {
	top = createFolder('files-command');
	tree = path.join(top, 'www');
	fs.mkdirSync(path.join(tree, 'css'), { recursive: true });
	fs.mkdirSync(path.join(top, 'backups'));
	fs.writeFileSync(path.join(tree, 'index.html'), 'first');
	fs.writeFileSync(path.join(tree, 'css/a.css'), 'p {}');
});
afterEach(() => removeFolder(top));

async function command(...args: string[]) {
	return await run([...args, '--storage', `file://${top}/backups`]);
}

it('archives, lists, compares, verifies and restores', async () => {
	const pair = await generateIdentity();
	const host = await generateIdentity();
	for (const [name, text] of [
		['key.txt', pair.identity],
		['host.txt', host.identity],
	] as const) {
		fs.writeFileSync(path.join(top, name), `${text}\n`, { mode: 0o600 });
	}
	const identity = ['--identity', path.join(top, 'key.txt')];
	const hostKey = ['--host-key', path.join(top, 'host.txt')];
	const labels: string[] = [];
	for (const contents of ['first', 'second, and longer']) {
		fs.writeFileSync(path.join(tree, 'index.html'), contents);
		const options = ['--group', 'files/www', '--path', tree, '--recipient', pair.recipient, ...hostKey, '--json'];
		const { code, stdout, stderr } = await command('archive', ...options);
		expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
		labels.push((JSON.parse(stdout) as { label: string }).label);
	}
	expect(labels.map((label) => label.split('-')[1])).toEqual(['full', 'incremental']);

	const root = tree.slice(1);
	const listed = await command('ls', 'files/www', ...hostKey, '--json');
	const entries = JSON.parse(listed.stdout) as Array<{ path: string; backup: string }>;
	expect(entries.map((each) => [each.path, each.backup])).toEqual([
		[root, labels[1]],
		[`${root}/index.html`, labels[1]],
		[`${root}/css`, labels[0]],
		[`${root}/css/a.css`, labels[0]],
	]);
	const some = await command('ls', 'files/www', ...hostKey, '--limit', '2');
	expect(some.stdout.split('\n').map((line) => line.split('  ').at(-1))).toEqual([root, `${root}/index.html`, '']);
	expect(some.stderr).toBe('warning: there are more: these are the first 2, as --limit says\n');
	const exactly = await command('ls', 'files/www', ...hostKey, '--limit', '4', '--json');
	expect(exactly).toMatchObject({ code: 0, stderr: '' });
	expect(JSON.parse(exactly.stdout)).toEqual(entries);
	expect(await command('ls', 'files/www', 'nothing', ...hostKey)).toMatchObject({ code: 1, stdout: '' });
	const changes = await command('diff', 'files/www', labels[0]!, labels[1]!, ...hostKey);
	expect(changes.stdout).toBe(`M  ${root}/index.html  (contents, time)\n`);

	const verified = await command('verify', 'files/www', '--depth', 'restored', ...identity);
	expect(verified).toMatchObject({
		code: 0,
		stdout: expect.stringContaining('2 files of 22 B in 2 folders') as string,
	});

	const dry = await command('restore', 'files/www', '--to', path.join(top, 'dry'), '--dry-run', ...identity);
	expect(dry.stdout).toContain('2 files of 22 B in 2 folders would be restored');
	expect(fs.existsSync(path.join(top, 'dry'))).toBe(false);
	const before = `files/www/${labels[0]}`;
	const restored = await command('restore', before, '--to', path.join(top, 'new'), '--include', '*.html', ...identity);
	expect(restored.code).toBe(0);
	expect(fs.readdirSync(path.join(top, 'new', tree))).toEqual(['index.html']);
	expect(fs.readFileSync(path.join(top, 'new', tree, 'index.html'), 'utf8')).toBe('first');
	const again = await command('restore', 'files/www', '--to', path.join(top, 'new'), ...identity);
	expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('is not empty') as string });
}, 180_000);

it('stores n8n’s key only encrypted', async () => {
	fs.writeFileSync(path.join(tree, 'config'), '{"encryptionKey": "n8n-KEY"}');
	const options = ['--group', 'files/n8n', '--path', tree];
	expect(await command('archive', ...options, '--no-encryption')).toMatchObject({
		code: 2,
		stderr: expect.stringMatching(/may not be stored without encryption\n.*n8n’s key is in it/s),
	});
	const { recipient } = await generateIdentity();
	expect(await command('archive', ...options, '--recipient', recipient)).toMatchObject({ code: 0 });
});
