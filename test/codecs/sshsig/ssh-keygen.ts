/** The real ssh-keygen, in a folder of its own. Needs Debian's openssh-client (or any OpenSSH since 8.9). */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { SignedFor } from '../../../core/codecs/sshsig/allowed-signers';

export const NAMESPACE = 'n8n-backup-manifest';

let folder: string;
beforeAll(() => {
	folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sshsig-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** Writes a file that only we may read, as ssh-keygen wants its keys. */
export function write(name: string, content: string | Buffer): string {
	const file = path.join(folder, name);
	fs.writeFileSync(file, content, { mode: 0o600 });
	return file;
}

export function read(name: string): string {
	return fs.readFileSync(path.join(folder, name), 'utf8');
}

interface Answer {
	ok: boolean;
	stdout: string;
	stderr: string;
}

/** Runs it in the folder; `zone` is the time zone of its machine. */
export function sshKeygen(
	args: string[],
	{ input = '', zone = 'UTC' }: { input?: string | Buffer; zone?: string } = {},
): Answer {
	const { status, stdout, stderr, error } = spawnSync('ssh-keygen', args, {
		cwd: folder,
		input,
		env: { PATH: process.env.PATH, TZ: zone },
		encoding: 'utf8',
	});
	if (error) throw error;
	return { ok: status === 0, stdout, stderr };
}

/** Makes a key; gives its two files as text. */
export function makeKey(name: string, ...args: string[]): { secret: string; publicKey: string } {
	fs.rmSync(path.join(folder, name), { force: true });
	const { ok, stderr } = sshKeygen(['-q', '-f', name, '-C', `key ${name}`, ...args]);
	if (!ok) throw new Error(stderr);
	return { secret: read(name), publicKey: read(`${name}.pub`).trim() };
}

/** The signature that it makes with a secret key. */
export function signWith(secret: string, text: string | Buffer, ...args: string[]): string {
	const { ok, stdout, stderr } = sshKeygen(['-Y', 'sign', '-f', write('signer', secret), '-n', NAMESPACE, ...args], {
		input: text,
	});
	if (!ok) throw new Error(stderr);
	return stdout;
}

/** Whether it accepts a signature, given the text of an allowed_signers file. */
export function accepts(
	signers: string,
	signature: string,
	text: string | Buffer,
	{ principal = 'backup', namespace = NAMESPACE, at, zone = 'UTC' }: Partial<SignedFor> & { zone?: string } = {},
): boolean {
	const files = ['-f', write('allowed_signers', signers), '-s', write('signature', signature)];
	const time = at ? [`-Overify-time=${stamp(at)}`] : [];
	const args = ['-Y', 'verify', ...files, '-I', principal, '-n', namespace, ...time];
	return sshKeygen(args, { input: text, zone }).ok;
}

/** YYYYMMDDHHMMSSZ */
export function stamp(time: Date): string {
	return `${time.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
}

/** What a function throws, as plain facts. */
export function thrownBy(action: () => unknown): {
	name: string;
	code?: string;
	message: string;
	hint?: string;
	cause?: unknown;
} {
	try {
		action();
	} catch (error) {
		return error as Error;
	}
	throw new Error('nothing was thrown');
}
