/** A pg_dump program of this machine as an engine. Everything secret goes through its environment, nothing through argv. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { BackupError, abortError } from '../../errors';
import { CONNECT_TIMEOUT_MS } from '../connection';
import { cleanText, dumpError, toBackupError } from '../errors';
import type { DatabaseTarget, TlsMode } from '../target';
import { trustedAuthorities } from '../tls';
import { type Forwarder, forwardLocally, type TunnelTarget } from '../tunnel';
import { dumpArguments } from './args';
import { DumpBody } from './body';
import type { DumpRequest, Engine, EngineVersion, RunningDump } from './engine';
import { openOutlet, type Outlet } from './outlet';

/** A program that does not even say its version within this time is none. */
const VERSION_TIMEOUT_MS = 10_000;
/** pg_dump asks the server to stop its query before it ends; it gets this long to do so. */
const FAREWELL_MS = 3_000;
const STDERR_LIMIT = 64 * 1024;

const SSL_MODES: Record<TlsMode, string> = {
	off: 'disable',
	prefer: 'prefer',
	encrypt: 'require',
	verify: 'verify-full',
};

/** @param program path of a pg_dump; default: the one in PATH */
export function nativeEngine(program = 'pg_dump'): Engine {
	return {
		name: 'native',
		version: async () => await readVersion(program),
		start: async (request, { signal }) => await start(program, request, signal),
	};
}

async function start(program: string, request: DumpRequest, signal: AbortSignal): Promise<RunningDump> {
	const { target, format } = request;
	if (signal.aborted) throw abortError(signal);
	const home = await fs.mkdtemp(path.join(os.tmpdir(), 'n8n-backup-pgdump-'));
	let forwarder: Forwarder | undefined;
	let outlet: Outlet | undefined;
	let child: ChildProcess | undefined;
	const release = async () => {
		signal.removeEventListener('abort', onAbort);
		outlet?.destroy();
		if (child) await endChild(child);
		forwarder?.close();
		await fs.rm(home, { recursive: true, force: true });
	};
	const body = new DumpBody({ format, resume: () => outlet?.resume(), stop: release });
	const onAbort = () => body.destroy(abortError(signal));

	const warnings: string[] = [];
	let stderr = '';
	try {
		outlet = await openOutlet(home, (bytes) => body.offer(bytes));
		if (target.ssh) {
			forwarder = await forwardLocally(target as TunnelTarget, { signal, timeoutMs: CONNECT_TIMEOUT_MS });
		}
		const env = await environment(target, home, forwarder);
		child = spawn(program, dumpArguments(request), { env, cwd: home, stdio: ['ignore', outlet.writeEnd, 'pipe'] });
		child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_LIMIT)));
		await once(child, 'spawn');
	} catch (error) {
		child = undefined; // it never came to life
		await release();
		throw isMissing(error) ? notFound(program, error) : error;
	}
	outlet.writeEnd.destroy(); // the program has its own, and shall be the only one who can end it
	// 'close', not 'exit': only then all of its stderr has arrived.
	Promise.all([once(child, 'close') as Promise<[number | null, string | null]>, outlet.ended]).then(
		([[code, killedBy]]) => {
			if (code === 0) {
				warnings.push(...cleanText(stderr, target).split('\n').filter(Boolean));
				body.complete();
			} else if (forwarder?.failure) {
				body.destroy(forwarder.failure);
			} else {
				body.destroy(dumpError(killedBy ? `${stderr}it was ended by ${killedBy}` : stderr, target));
			}
		},
		(error: Error) => body.destroy(toBackupError(error, target)),
	);
	signal.addEventListener('abort', onAbort, { once: true });
	if (signal.aborted) onAbort();
	return { body, warnings };
}

/** libpq's own variables, and nothing of ours: no setting or password file of this machine has a say. */
async function environment(target: DatabaseTarget, home: string, forwarder?: Forwarder): Promise<NodeJS.ProcessEnv> {
	const authorities = path.join(home, 'authorities.pem');
	if (target.tls === 'verify') await fs.writeFile(authorities, trustedAuthorities(target).join('\n'), { mode: 0o600 });
	return {
		PATH: process.env.PATH,
		HOME: home,
		LC_ALL: 'C',
		PGSYSCONFDIR: home,
		PGPASSFILE: path.join(home, 'none'),
		PGHOST: target.host,
		PGPORT: String(forwarder?.port ?? target.port),
		...(forwarder && { PGHOSTADDR: '127.0.0.1' }),
		PGUSER: target.user,
		// As a variable, a database name is never read as a connection string.
		PGDATABASE: target.database,
		...(target.password !== undefined && { PGPASSWORD: target.password }),
		PGSSLMODE: SSL_MODES[target.tls],
		PGSSLROOTCERT: authorities,
		PGGSSENCMODE: 'disable',
		PGCONNECT_TIMEOUT: String(CONNECT_TIMEOUT_MS / 1000),
	};
}

async function readVersion(program: string): Promise<EngineVersion> {
	const child = spawn(program, ['--version'], {
		env: { PATH: process.env.PATH, LC_ALL: 'C' },
		stdio: ['ignore', 'pipe', 'ignore'],
		// Not `timeout`, whose timer stays when the program cannot be started.
		signal: AbortSignal.timeout(VERSION_TIMEOUT_MS),
	});
	let output = '';
	child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
	try {
		await once(child, 'close');
	} catch (error) {
		throw notFound(program, error);
	}
	// "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "pg_dump (PostgreSQL) 19beta1"
	const [, text, major] = /^pg_dump \(PostgreSQL\) ((\d+)[\w.]*)/.exec(output) ?? [];
	if (!text) throw notFound(program);
	return { major: Number(major), text };
}

function isMissing(error: unknown): boolean {
	return ['ENOENT', 'EACCES', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code));
}

function notFound(program: string, cause?: unknown): BackupError {
	return new BackupError('engine-not-found', `there is no pg_dump to run as "${program}"`, {
		hint: 'Choose the built-in engine, or install the PostgreSQL client programs and enter the path of pg_dump.',
		cause,
	});
}

async function endChild(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const timer = setTimeout(() => child.kill('SIGKILL'), FAREWELL_MS);
	child.kill('SIGTERM');
	await once(child, 'exit');
	clearTimeout(timer);
}
