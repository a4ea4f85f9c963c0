/** The contract against a real OpenSSH server, and what only a server can do wrong. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type SftpOptions, SftpStorage } from '../../core/storage/sftp/sftp';
import { run } from '../support/command-line';
import { createFolder, itAsRoot, removeFolder, withDisk } from '../support/folders';
import { type SshServer, startSsh } from '../support/ssh';
import { rounds } from '../support/soak';
import { describeStorage, type Subject } from './conformance';

let server: SshServer;
let top: string;
beforeAll(async () => {
	server = await startSsh();
	top = createFolder('sftp');
});
afterAll(async () => {
	await server?.stop();
	removeFolder(top);
});

function optionsFor(folder: string, more: Partial<SftpOptions> = {}): SftpOptions {
	const { host, port, user, privateKey, passphrase } = server.tunnel;
	return { host, port, user, privateKey, passphrase, path: folder, hostKey: server.hostKey, ...more };
}

describeStorage(
	'sftp',
	async (): Promise<Subject> => {
		const folder = fs.mkdtempSync(path.join(top, 'storage-'));
		return {
			storage: new SftpStorage(optionsFor(folder)),
			everything: async () => {
				const entries = await fs.promises.readdir(folder, { recursive: true });
				return entries.filter((name) => !entries.some((other) => other.startsWith(`${name}/`)));
			},
			done: async () => removeFolder(folder),
		};
	},
	{ namesAreFoldersOrObjects: { reason: 'a path in a file system is a file or a folder' }, listed: rounds(200, 2_500) },
);

describe('a server that must not be trusted, or does not answer as it should', () => {
	let folder: string;
	beforeEach(() => (folder = fs.mkdtempSync(path.join(top, 'storage-'))));

	async function failure(more: Partial<SftpOptions>): Promise<unknown> {
		const storage = new SftpStorage(optionsFor(folder, more));
		try {
			return await storage.stat('a').catch((error: unknown) => error);
		} finally {
			await storage.close();
		}
	}

	it('without a pinned host key there is no connection, and the fingerprint is told', async () => {
		expect(await failure({ hostKey: undefined })).toMatchObject({
			code: 'untrusted-certificate',
			message: expect.stringContaining(`is not pinned; it is ${server.hostKey}`),
		});
	});

	it('another host key than the pinned one is refused', async () => {
		expect(await failure({ hostKey: 'SHA256:AAAA' })).toMatchObject({
			code: 'untrusted-certificate',
			message: expect.stringContaining('has another host key than the pinned one'),
		});
	});

	it.each<[string, Partial<SftpOptions>, string]>([
		['a wrong password', { privateKey: undefined, password: 'SECRET-guess' }, 'wrong-credentials'],
		['a key that is none', { privateKey: 'SECRET-none' }, 'wrong-credentials'],
		['nobody at the port', { port: 1 }, 'unreachable'],
		['a folder that is not there', { path: '/nowhere/at/all' }, 'bucket-not-found'],
	])('%s', async (_, more, code) => {
		const error = await failure(more);
		expect(error).toMatchObject({ code });
		expect(JSON.stringify([error, String(error)])).not.toContain('SECRET');
	});

	it('a connection that is lost fails what was under way, and the next call makes a new one', async () => {
		const storage = new SftpStorage(optionsFor(folder));
		try {
			await storage.write('a', Readable.from([Buffer.from('first')]));
			const body = Readable.from(
				(async function* () {
					yield randomBytes(500_000);
					await server.cut();
					yield randomBytes(500_000);
				})(),
				{ objectMode: false },
			);
			await expect(storage.write('b', body)).rejects.toMatchObject({ code: 'connection-lost' });
			expect(await storage.stat('b')).toBeNull();
			expect((await buffer(await storage.read('a'))).toString()).toBe('first');
			expect(await storage.removeUnfinished('')).toBe(1);
			expect(fs.readdirSync(folder)).toEqual(['a']);
		} finally {
			await storage.close();
		}
	});

	it('of several writers of one name, one wins, and the server says so', async () => {
		const storage = new SftpStorage(optionsFor(folder));
		try {
			await storage.write('a', Readable.from([Buffer.from('first')]));
			expect(await storage.onlyIfAbsent('a')).toBe('kept');
			expect(fs.readdirSync(folder)).toEqual(['a']);
		} finally {
			await storage.close();
		}
	});

	it('a link below the folder is not followed', async () => {
		const outside = fs.mkdtempSync(path.join(top, 'outside-'));
		fs.symlinkSync(outside, path.join(folder, 'linked'));
		const storage = new SftpStorage(optionsFor(folder));
		try {
			await expect(storage.write('linked/a', Readable.from([]))).rejects.toMatchObject({ code: 'access-denied' });
			expect(fs.readdirSync(outside)).toEqual([]);
		} finally {
			await storage.close();
		}
	});

	itAsRoot('a full disk', async () => {
		await withDisk(folder, '1m', async () => {
			const storage = new SftpStorage(optionsFor(folder));
			try {
				const body = Readable.from([randomBytes(3_000_000)], { objectMode: false });
				await expect(storage.write('big', body)).rejects.toMatchObject({ code: 'storage-full' });
				expect(fs.readdirSync(folder)).toEqual([]);
				expect(await storage.space()).toMatchObject({ total: 1024 * 1024 });
			} finally {
				await storage.close();
			}
		});
	});
});

it('the command line backs up to it, verifies and restores', async () => {
	const folder = fs.mkdtempSync(path.join(top, 'storage-'));
	const { host, port, user, privateKey, passphrase } = server.tunnel;
	const [key, source] = [path.join(top, 'id'), path.join(top, 'source')];
	fs.writeFileSync(key, privateKey!, { mode: 0o600 });
	fs.mkdirSync(source);
	fs.writeFileSync(path.join(source, 'a'), randomBytes(200_000));
	const storage = `sftp://${user}@${host}:${port}${folder}?key=${key}&hostKey=${encodeURIComponent(server.hostKey)}`;
	const n8nBackup = async (...args: string[]) =>
		await run([...args, '--storage', storage], { N8N_BACKUP_SFTP_PASSWORD: passphrase });
	const made = await n8nBackup('archive', '--group', 'files/a', '--path', source, '--no-encryption');
	expect(made).toMatchObject({ code: 0 });
	expect(made.stdout).toContain(`sftp://${user}@${host}:${port}${folder}/files/a/`);
	expect(made.stdout + made.stderr).not.toContain(passphrase!);
	expect(await n8nBackup('verify', 'files/a', '--depth', 'restored')).toMatchObject({ code: 0 });
	const to = path.join(top, 'restored');
	expect(await n8nBackup('restore', 'files/a', '--to', to)).toMatchObject({ code: 0 });
	expect(fs.readFileSync(path.join(to, source, 'a'))).toEqual(fs.readFileSync(path.join(source, 'a')));
});
