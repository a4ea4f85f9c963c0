/** n8n-backup config, as a process of its own. */
import fs from 'node:fs';
import path from 'node:path';
import { generateIdentity } from '../../core/codecs/age/keys';
import { run } from '../support/command-line';
import { createFolder, removeFolder } from '../support/folders';
import { filesBelow, manifestsBelow } from '../support/stored-files';

const SECRET = 'h0rse-battery-5taple';

let top: string;
beforeEach(() => {
	top = createFolder('config');
	for (const name of ['backups', 'srv']) fs.mkdirSync(path.join(top, name));
	fs.writeFileSync(path.join(top, 'srv/compose.yml'), 'services: {web: {image: nginx, env_file: [.env, gone.env]}}\n');
	fs.writeFileSync(path.join(top, 'srv/.env'), `DB_PASSWORD=${SECRET}\nDEBUG=false\n`);
});
afterEach(() => removeFolder(top));

const archive = async (...more: string[]) =>
	await run([
		'config',
		'archive',
		'--storage',
		`file://${top}/backups`,
		'--group',
		'config/host',
		'--search',
		`${top}/srv`,
		...more,
	]);

it('lists what it finds, with the names of secrets and files that are not there', async () => {
	const { code, stdout } = await run(['config', 'discover', '--search', `${top}/srv`]);
	expect(code).toBe(0);
	const lines = stdout
		.trimEnd()
		.split('\n')
		.map((line) => line.trim().replaceAll(`${top}/`, ''));
	expect(lines).toEqual([
		expect.stringMatching(/^env +srv\/\.env +\d+ B$/),
		'secrets: DB_PASSWORD',
		expect.stringMatching(/^compose +srv\/compose\.yml/),
		'not there: srv/gone.env',
	]);
	const { stdout: json } = await run(['config', 'discover', '--search', `${top}/srv`, '--json']);
	expect(JSON.parse(json)).toHaveLength(2);
	expect(stdout + json).not.toContain(SECRET);
});

it('archives it without secrets, says what changed, and restores it', async () => {
	const first = await archive('--no-encryption');
	expect(first).toMatchObject({
		code: 0,
		stdout: expect.stringContaining('2 files, 1 without their secrets, 0 left out'),
	});
	expect(first.stderr).toContain('gone.env, which is not there');
	fs.writeFileSync(path.join(top, 'srv/.env'), `DB_PASSWORD=${SECRET}\nDEBUG=true\n`);
	const second = await archive('--no-encryption');
	expect(second.stdout).toContain('since the backup before: 1 changed');
	expect(second.stdout).toContain('srv/.env: DEBUG');
	const restore = await run([
		...['restore', 'config/host', '--storage', `file://${top}/backups`, '--to', `${top}/restored`],
	]);
	expect(restore).toMatchObject({ code: 0 });
	expect(fs.readFileSync(path.join(top, 'restored', top, 'srv/.env'), 'utf8')).toBe(
		'DB_PASSWORD=REMOVED-BY-BACKUP\nDEBUG=true\n',
	);
	expect([first, second, restore].map(({ stdout, stderr }) => stdout + stderr).join()).not.toContain(SECRET);
});

it('refuses to keep secrets in the clear, and keeps them encrypted', async () => {
	const refused = await archive('--secrets', 'kept', '--no-encryption');
	expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('may not be stored without encryption') });
	expect(filesBelow(path.join(top, 'backups'))).toEqual([]);
	const { recipient } = await generateIdentity();
	const kept = await archive('--secrets', 'kept', '--recipient', recipient, '--json');
	expect(kept).toMatchObject({ code: 0, stderr: '' });
	expect(JSON.parse(kept.stdout)).toMatchObject({ source: { details: { secrets: 'kept' } }, changes: null });
	expect(kept.stdout).not.toContain(SECRET);
	expect(manifestsBelow(path.join(top, 'backups'))).toHaveLength(1);
});

it('takes no folder whole that holds the storage', async () => {
	const refused = await archive('--no-encryption', '--path', top);
	expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(`lies in ${top}`) });
});
