/** --signing-key, --signers and --allow-unsigned of the command line, as a user has them from ssh-keygen. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../support/command-line';

const GROUP = 'files/notes';
const NOT_AUTHENTICATED = 'not authenticated: no signers are given';

let top: string;
let signed: string;
let forged: string;
beforeAll(async () => {
	top = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'signing-')));
	for (const name of ['source', 'storage', 'second']) fs.mkdirSync(at(name));
	fs.writeFileSync(at('source/file'), 'text');
	for (const name of ['mine', 'other']) {
		execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', at(name)]);
	}
	signed = await archive('--signing-key', at('mine'));
	forged = await archive('--signing-key', at('other'));
}, 60_000);
afterAll(() => fs.rmSync(top, { recursive: true, force: true }));

const at = (name: string) => path.join(top, name);
const storage = () => ['--storage', `file://${at('storage')}`];
const trusting = () => ['--signers', at('mine.pub')];

async function archive(...more: string[]): Promise<string> {
	const source = ['--path', at('source'), '--type', 'full', '--no-encryption', '--json'];
	const { code, stdout, stderr } = await run(['archive', ...storage(), '--group', GROUP, ...source, ...more]);
	expect({ code, stderr }).toMatchObject({ code: 0 });
	return (JSON.parse(stdout) as { label: string }).label;
}

const restore = async (label: string, to: string, ...more: string[]) =>
	await run(['restore', `${GROUP}/${label}`, ...storage(), '--to', at(to), ...more]);

it('takes what a trusted signer has signed, without a word about it', async () => {
	const { code, stdout } = await restore(signed, 'restored', ...trusting());
	expect({ code, isSilent: !stdout.includes('authenticated') }).toEqual({ code: 0, isSilent: true });
	expect(fs.readFileSync(at(`restored${at('source/file')}`), 'utf8')).toBe('text');
	const verified = await run(['verify', `${GROUP}/${signed}`, ...storage(), ...trusting(), '--json']);
	expect(JSON.parse(verified.stdout)).toMatchObject([{ outcome: 'ok', authentic: true }]);
	const copied = await run([
		...['copy', `${GROUP}/${signed}`, ...storage(), ...trusting()],
		...['--to-storage', `file://${at('second')}`, '--json'],
	]);
	expect(JSON.parse(copied.stdout)).toMatchObject({ results: [{ status: 'copied', authentic: true }] });
});

it('refuses what somebody else has signed, and takes it only when it is allowed by its name', async () => {
	const refused = await restore(forged, 'forged', ...trusting());
	expect(refused).toMatchObject({
		code: 1,
		stderr: expect.stringMatching(/signed by a key that is not among the trusted signers/),
	});
	expect(refused.stderr).toContain(forged);
	expect(fs.existsSync(at('forged'))).toBe(false);
	const allowed = await restore(forged, 'forged', ...trusting(), '--allow-unsigned');
	expect(allowed).toMatchObject({ code: 0, stderr: expect.stringContaining('allowed by name') });
	expect((await run(['list', ...storage(), ...trusting()])).stdout).toMatch(new RegExp(`${forged} .*NOT READABLE`));
});

it('pins what a trusted signer has signed, and nothing else', async () => {
	const pin = async (label: string) => await run(['pin', `${GROUP}/${label}`, ...storage(), ...trusting()]);
	expect(await pin(signed)).toMatchObject({ code: 0 });
	expect(await pin(forged)).toMatchObject({
		code: 1,
		stderr: expect.stringContaining('not among the trusted signers'),
	});
});

it('says where no signers are given that nothing is authenticated', async () => {
	expect((await restore(forged, 'unchecked')).stdout).toContain(NOT_AUTHENTICATED);
	expect((await run(['verify', GROUP, ...storage()])).stdout).toContain(NOT_AUTHENTICATED);
});

it.each([
	['a public key', () => at('mine.pub'), 'public'],
	['no key at all', () => at('source/file'), 'signing key'],
	['a file that is not there', () => at('nothing'), at.name],
])('ends with 2 for %s as the signing key', async (_, file, word) => {
	const args = ['archive', ...storage(), '--group', GROUP, '--path', at('source'), '--no-encryption'];
	const { code, stderr } = await run([...args, '--signing-key', file()]);
	expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(word) });
});
