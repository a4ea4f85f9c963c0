/** What reaches a terminal, and what happens when nobody reads it. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { forTerminal } from '../../bin/output';
import { readKeys } from '../../bin/options';
import { generateIdentity } from '../../core/codecs/age/keys';
import { cleanText } from '../../core/sources/postgres/connection/errors';
import { openStorage } from '../../core/storage/create';
import { makeTinyBackup } from '../support/tiny-backups';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'output-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a text of somebody else', () => {
	it.each([
		['an escape code', 'no\u001b[2Jtable', 'no\\u001b[2Jtable'],
		['a bell and a title', '\u001b]0;owned\u0007', '\\u001b]0;owned\\u0007'],
		['an escape code of one byte', '\u009b31m', '\\u009b31m'],
		['a line that would be rewritten', 'bad\rok', 'bad\\u000dok'],
		['a line that looks like ours', 'refused\nn8n-backup: ok', 'refused\n  n8n-backup: ok'],
		['a change of direction', 'a\u202eb', 'a\\u202eb'],
		['a tab', 'a\tb', 'a b'],
		['letters of any script', 'Zürich 東京 😀', 'Zürich 東京 😀'],
	])('is shown and never obeyed: %s', (_, text, shown) => {
		expect(forTerminal(text)).toBe(shown);
	});

	it('does not tell a short password by leaving it out of ordinary words', () => {
		expect(cleanText('the login failed', { password: 'il' })).toBe('the login failed');
		expect(cleanText('tried long-password-1', { password: 'long-password-1' })).toBe('tried ***');
	});
});

it('warns of an identity file that others can read', async () => {
	const said = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
	const file = join(folder, 'key.txt');
	try {
		const { identity } = await generateIdentity();
		writeFileSync(file, identity, { mode: 0o600 });
		await readKeys(file, {});
		expect(said).not.toHaveBeenCalled();
		rmSync(file);
		writeFileSync(file, identity, { mode: 0o644 });
		await readKeys(file, {});
		expect(said).toHaveBeenCalledWith(expect.stringContaining(`can read the identity file ${file}`));
	} finally {
		said.mockRestore();
	}
});

it('ends without a stack trace when nobody reads the output', async () => {
	const storage = openStorage(`file://${folder}`, {});
	await makeTinyBackup(storage, 'postgres/shop');
	await storage.close();
	const hook = join(__dirname, '../support/typescript.cjs');
	const program = join(__dirname, '../../bin/n8n-backup.ts');
	const list = ['--require', hook, program, 'list', '--storage', `file://${folder}`];
	// What reads the pipe has ended long before the list is written.
	const shell = ['-c', '{ "$@"; echo "code $?" >&2; } | true', 'sh', process.execPath, ...list];
	const { stderr } = await promisify(execFile)('sh', shell);
	expect(stderr).toMatch(/code [01]\n$/);
	expect(stderr).not.toMatch(/at .*:\d+:\d+|defect|EPIPE/);
});
