/** A real OpenSSH server on 127.0.0.1 for tests of tunnels and of SFTP. Needs Debian's openssh-server (or any sshd) to be installed. */
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
	/** Fingerprint of its host key: `SHA256:…`. */
	readonly hostKey: string;
	/** Processes of the server, its sessions included. */
	sessions(): Promise<number>;
	/** Ends all sessions, as a network that breaks does. */
	cut(): Promise<void>;
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
		Subsystem: 'sftp internal-sftp',
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
		hostKey: (await run('ssh-keygen', ['-l', '-f', file('host.pub')])).stdout.split(' ')[1]!,
		async sessions() {
			const children = await fs.promises.readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
			return children.split(' ').filter(Boolean).length;
		},
		async cut() {
			const below = async (pid: number): Promise<number[]> => {
				const text = await fs.promises.readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
				const children = text.split(' ').filter(Boolean).map(Number);
				return [...children, ...(await Promise.all(children.map(below))).flat()];
			};
			for (const pid of await below(child.pid!)) process.kill(pid, 'SIGKILL');
		},
		async stop() {
			const gone = new Promise((resolve) => child.once('exit', resolve));
			child.kill('SIGTERM');
			await gone;
			fs.rmSync(folder, { recursive: true });
		},
	};
}
