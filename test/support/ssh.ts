/** A real OpenSSH server on 127.0.0.1 for tests of tunnels. Needs Debian's openssh-server (or any sshd) to be installed. */
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { SshTunnel } from '../../core/sources/postgres/connection/target';
import { freePort } from '../../scripts/lib/postgres.mjs';

const run = promisify(execFile);
const SSHD = ['/usr/sbin/sshd', '/usr/local/sbin/sshd'].find((file) => fs.existsSync(file));

export interface SshServer {
	/** Lets us in, with a key whose passphrase is given too. */
	readonly tunnel: SshTunnel;
	/** Processes of the server, its sessions included. */
	sessions(): Promise<number>;
	stop(): Promise<void>;
}

export async function startSsh(options: { allowForwarding?: boolean } = {}): Promise<SshServer> {
	if (!SSHD) throw new Error('there is no sshd: install openssh-server');
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sshd-'));
	const file = (name: string) => path.join(folder, name);
	const passphrase = 'a passphrase';
	await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file('host')]);
	await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-f', file('client')]);
	// Where sshd locks itself up before it knows who asks; its start script would make it.
	if (process.getuid?.() === 0) fs.mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
	const port = await freePort();
	const settings = {
		ListenAddress: `127.0.0.1:${port}`,
		HostKey: file('host'),
		PidFile: 'none',
		AuthorizedKeysFile: file('client.pub'),
		StrictModes: 'no',
		UsePAM: 'no',
		PasswordAuthentication: 'yes',
		PermitRootLogin: 'yes',
		AllowTcpForwarding: options.allowForwarding === false ? 'no' : 'yes',
	};
	fs.writeFileSync(
		file('config'),
		Object.entries(settings)
			.map((line) => `${line.join(' ')}\n`)
			.join(''),
	);
	// setpriv: a test that is killed must not leave a server behind.
	const child = spawn('setpriv', ['--pdeathsig', 'TERM', SSHD, '-D', '-e', '-f', file('config')], {
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	let log = '';
	await new Promise<void>((resolve, reject) => {
		child.stderr.setEncoding('utf8').on('data', (text: string) => {
			log += text;
			if (log.includes('Server listening on')) resolve();
		});
		child.once('exit', () => reject(new Error(`sshd did not start: ${log}`)));
		child.once('error', reject);
	});
	return {
		tunnel: {
			host: '127.0.0.1',
			port,
			user: os.userInfo().username,
			privateKey: fs.readFileSync(file('client'), 'utf8'),
			passphrase,
		},
		async sessions() {
			const children = await fs.promises.readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
			return children.split(' ').filter(Boolean).length;
		},
		async stop() {
			const gone = new Promise((resolve) => child.once('exit', resolve));
			child.kill('SIGTERM');
			await gone;
			fs.rmSync(folder, { recursive: true });
		},
	};
}
