/**
 * One throw-away Ceph cluster with an S3 gateway, from the Debian packages radosgw, ceph-mon and ceph-osd: a monitor, one
 * disk and the gateway, on 127.0.0.1, in a temporary folder, without systemd and without a manager.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { rounds } from './soak';
import { makeCertificates, type Certificates } from './tls';

export interface CephOptions {
	/** `memstore` forgets everything with its process; `bluestore` is a disk. @default 'memstore' */
	store?: 'memstore' | 'bluestore';
	/** Speaks https only, with a certificate of an authority of its own. */
	tls?: boolean;
}

type Daemon = 'mon' | 'osd' | 'rgw';

const run = promisify(execFile);
const START_TIMEOUT_MS = 60_000;

/**
 * Ends the daemons and removes the folder as soon as its standard input closes, so also when the tests' process was
 * killed. It checks that a process is still the one that was started.
 */
const KEEPER = `
cat >/dev/null
for f in "$0"/*.pid; do p=$(cat "$f"); grep -qaF "$0" "/proc/$p/cmdline" 2>/dev/null && kill -9 "$p"; done
rm -rf "$0"
`;

export class Ceph {
	readonly #daemons = new Map<Daemon, ChildProcess>();
	#keeper: ChildProcess | undefined;
	#certificates: Certificates | undefined;

	private constructor(
		readonly dir: string,
		readonly port: number,
		private readonly options: CephOptions,
	) {}

	/** A new, empty cluster that answers. */
	static async start(options: CephOptions = {}): Promise<Ceph> {
		await assertInstalled();
		const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'ceph-'));
		const ceph = new Ceph(dir, await freePort(), options);
		ceph.#keep();
		try {
			if (options.tls) ceph.#certificates = await makeCertificates(dir);
			await ceph.#make();
			await ceph.restart();
		} catch (error) {
			await ceph.stop();
			throw error;
		}
		return ceph;
	}

	/** The cluster of another process, for `admin` only. */
	static at(dir: string, port: number): Ceph {
		return new Ceph(dir, port, {});
	}

	/** PEM of the authority, when it speaks TLS. */
	get ca(): string | undefined {
		return this.#certificates?.caPem;
	}

	/** Runs radosgw-admin. @returns what it printed */
	async admin(...args: string[]): Promise<string> {
		return await this.#run('radosgw-admin', ...args);
	}

	/** Starts what does not run, and waits until the gateway answers. */
	async restart(): Promise<void> {
		if (!this.#runs('mon')) this.#spawn('mon', 'ceph-mon', '-i', 'a');
		await this.#until('mon', () => this.#run('ceph', '--connect-timeout', '5', 'mon', 'stat'));
		if (!(await exists(path.join(this.dir, 'osd', 'whoami')))) {
			const uuid = randomUUID();
			await this.#run('ceph', 'osd', 'new', uuid, '0');
			await this.#run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', uuid);
		}
		if (!this.#runs('osd')) this.#spawn('osd', 'ceph-osd', '-i', '0');
		// A gateway that comes before the disk is up looks for it every five seconds only.
		await this.#until('osd', async () => {
			const status = await this.#run('ceph', '--admin-daemon', path.join(this.dir, 'run', 'osd.0.asok'), 'status');
			if (!status.includes('"state": "active"')) throw new Error(status);
		});
		if (!this.#runs('rgw')) this.#spawn('rgw', 'radosgw', '-n', 'client.rgw');
		await this.#until('rgw', () => connect(this.port));
	}

	/** kill -9, of everything at once. */
	async kill(): Promise<void> {
		await Promise.all([...this.#daemons.keys()].map((name) => this.#end(name, 'SIGKILL')));
	}

	/** Also removes all data. */
	async stop(): Promise<void> {
		await this.kill();
		const keeper = this.#keeper;
		if (!keeper || keeper.exitCode !== null) return;
		keeper.ref();
		const gone = new Promise((resolve) => keeper.once('exit', resolve));
		keeper.stdin?.end();
		await gone;
	}

	async #make(): Promise<void> {
		const { dir } = this;
		for (const name of ['mon', 'osd', 'run', 'rgw']) await fs.mkdir(path.join(dir, name));
		const monitorPort = await freePort();
		const id = randomUUID();
		await fs.writeFile(path.join(dir, 'ceph.conf'), this.#config(id, monitorPort));
		const keyring = path.join(dir, 'keyring');
		const users: [string, string[]][] = [
			['mon.', ['--cap', 'mon', 'allow *']],
			['client.admin', ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *']],
			['osd.0', ['--cap', 'mon', 'allow profile osd', '--cap', 'osd', 'allow *']],
			['client.rgw', ['--cap', 'mon', 'allow rw', '--cap', 'osd', 'allow rwx']],
		];
		await run('ceph-authtool', ['--create-keyring', keyring]);
		for (const [name, caps] of users) await run('ceph-authtool', [keyring, '--gen-key', '-n', name, ...caps]);
		const map = path.join(dir, 'monmap');
		await run('monmaptool', ['--create', '--fsid', id, '--addv', 'a', `[v2:127.0.0.1:${monitorPort}]`, map]);
		await this.#run('ceph-mon', '-i', 'a', '--mkfs', '--fsid', id, '--monmap', map, '--keyring', keyring);
	}

	#config(id: string, monitorPort: number): string {
		const { dir, port, options } = this;
		const frontend = this.#certificates
			? `ssl_endpoint=127.0.0.1:${port} ssl_certificate=${this.#certificates.pemFile}`
			: `endpoint=127.0.0.1:${port}`;
		return `
[global]
fsid = ${id}
mon initial members = a
mon host = [v2:127.0.0.1:${monitorPort}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = ${dir}/keyring
run dir = ${dir}/run
admin socket = ${dir}/run/$name.asok
log file = ${dir}/$name.log
crash dir = ${dir}/run
mon data avail warn = 2
mon data avail crit = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
# a single monitor has nobody to wait for
paxos propose interval = 0.05
paxos min wait = 0.02
[mon]
mon data = ${dir}/mon
mon cluster log file = ${dir}/cluster.log
[osd]
osd data = ${dir}/osd
osd objectstore = ${options.store ?? 'memstore'}
# a store that is full does not say so: it takes no more requests, and never answers them
memstore device bytes = ${16 * 1024 ** 3}
bluestore block size = ${rounds(4, 16) * 1024 ** 3}
bluestore block create = true
bluestore cache autotune = false
bluestore cache size = ${128 * 1024 ** 2}
[client.rgw]
rgw data = ${dir}/rgw
# without tcp_nodelay, small answers take 40 ms
rgw frontends = beast ${frontend} tcp_nodelay=1
rgw dns name = localhost
rgw enable usage log = false
rgw crypt require ssl = false
rgw thread pool size = 64
# removed bytes are forgotten within seconds instead of two hours
rgw gc obj min wait = 5
rgw gc processor period = 5
rgw gc processor max time = 60
# quotas count at once instead of after minutes
rgw user quota bucket sync interval = 1
rgw bucket quota ttl = 1
`;
	}

	async #run(program: string, ...args: string[]): Promise<string> {
		const { stdout } = await run(program, ['-c', path.join(this.dir, 'ceph.conf'), ...args], { maxBuffer: 1 << 26 });
		return stdout;
	}

	#spawn(name: Daemon, program: string, ...args: string[]): void {
		const child = spawn(program, ['-c', path.join(this.dir, 'ceph.conf'), ...args, '-f'], {
			stdio: 'ignore',
			detached: true,
		});
		child.unref();
		this.#daemons.set(name, child);
		// In this very moment, so that the keeper knows it whatever becomes of us.
		writeFileSync(path.join(this.dir, `${name}.pid`), String(child.pid));
	}

	#keep(): void {
		this.#keeper = spawn('sh', ['-c', KEEPER, this.dir], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
		this.#keeper.unref();
		(this.#keeper.stdin as net.Socket).unref();
	}

	#runs(name: Daemon): boolean {
		const child = this.#daemons.get(name);
		return child !== undefined && child.exitCode === null && child.signalCode === null;
	}

	async #end(name: Daemon, signal: NodeJS.Signals): Promise<void> {
		const child = this.#daemons.get(name);
		if (!child || !this.#runs(name)) return;
		child.ref();
		const gone = new Promise((resolve) => child.once('exit', resolve));
		child.kill(signal);
		await gone;
	}

	async #until(name: Daemon, answers: () => Promise<unknown>): Promise<void> {
		for (const end = Date.now() + START_TIMEOUT_MS; ; ) {
			try {
				await answers();
				return;
			} catch (error) {
				if (!this.#runs(name))
					throw new Error(`${name} ended; its log says: ${await this.#log(name)}`, { cause: error });
				if (Date.now() > end) throw new Error(`${name} does not answer`, { cause: error });
				await delay(50);
			}
		}
	}

	async #log(name: Daemon): Promise<string> {
		const files = (await fs.readdir(this.dir)).filter((file) => file.includes(name) && file.endsWith('.log'));
		const texts = await Promise.all(files.map((file) => fs.readFile(path.join(this.dir, file), 'utf8')));
		return texts.join('').trim().split('\n').slice(-5).join('\n');
	}
}

async function assertInstalled(): Promise<void> {
	const missing: string[] = [];
	for (const [program, pkg] of [
		['radosgw', 'radosgw'],
		['ceph-mon', 'ceph-mon'],
		['ceph-osd', 'ceph-osd'],
		['ceph', 'ceph-common'],
	]) {
		await run('which', [program ?? '']).catch(() => missing.push(pkg ?? ''));
	}
	if (missing.length > 0) {
		throw new Error(
			`the S3 server for tests is not installed: apt-get install --no-install-recommends ${missing.join(' ')}`,
		);
	}
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
	const server = net.createServer();
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as net.AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	return port;
}

async function connect(port: number): Promise<void> {
	const socket = net.connect(port, '127.0.0.1');
	await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
	socket.destroy();
}

async function exists(file: string): Promise<boolean> {
	return await fs.access(file).then(
		() => true,
		() => false,
	);
}
