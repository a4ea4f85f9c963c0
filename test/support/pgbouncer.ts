/** A real PgBouncer on 127.0.0.1 before a server of the tests. Needs Debian's pgbouncer to be installed. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { freePort } from '../../scripts/lib/postgres.mjs';

export type PoolMode = 'session' | 'transaction' | 'statement';

export interface PgBouncer {
	/** The database through a pool in this mode; its name is the mode's. */
	through(mode: PoolMode): DatabaseTarget;
	stop(): Promise<void>;
}

/** @param settings further ones, e.g. `{ default_pool_size: 1 }` */
export async function startPgBouncer(
	target: DatabaseTarget,
	settings: Record<string, string | number> = {},
): Promise<PgBouncer> {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pgbouncer-'));
	fs.chmodSync(folder, 0o755); // it refuses to be root
	const users = path.join(folder, 'users.txt');
	const config = path.join(folder, 'pgbouncer.ini');
	const port = await freePort();
	fs.writeFileSync(users, `"${target.user}" "${target.password}"\n`);
	const modes: PoolMode[] = ['session', 'transaction', 'statement'];
	const pools = modes.map(
		(mode) => `${mode} = host=${target.host} port=${target.port} dbname=${target.database} pool_mode=${mode}`,
	);
	const all = { listen_addr: '127.0.0.1', listen_port: port, unix_socket_dir: '', auth_type: 'scram-sha-256' };
	const lines = Object.entries({ ...all, auth_file: users, ...settings }).map((pair) => pair.join(' = '));
	fs.writeFileSync(config, ['[databases]', ...pools, '[pgbouncer]', ...lines, ''].join('\n'));
	const asNobody = process.getuid?.() === 0 ? ['--reuid=nobody', '--regid=nogroup', '--clear-groups'] : [];
	// setpriv: a test that is killed must not leave a server behind.
	const child = spawn('setpriv', [...asNobody, '--pdeathsig', 'TERM', 'pgbouncer', config], {
		stdio: ['ignore', 'ignore', 'pipe'],
		env: { PATH: `${process.env.PATH}:/usr/sbin` },
	});
	let log = '';
	await new Promise<void>((resolve, reject) => {
		child.stderr.setEncoding('utf8').on('data', (text: string) => {
			log += text;
			if (log.includes('process up')) resolve();
		});
		child.once('exit', () => reject(new Error(`pgbouncer did not start: ${log}`)));
		child.once('error', reject);
	});
	return {
		through: (mode) => ({ ...target, host: '127.0.0.1', port, database: mode }),
		async stop() {
			const gone = new Promise((resolve) => child.once('exit', resolve));
			child.kill('SIGINT');
			setTimeout(() => child.kill('SIGKILL'), 3_000).unref();
			await gone;
			fs.rmSync(folder, { recursive: true });
		},
	};
}
