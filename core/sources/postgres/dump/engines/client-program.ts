/** PostgreSQL's client programs of this machine. Everything secret goes through their environment, nothing through argv. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../../../base/errors';
import { CONNECT_TIMEOUT_MS } from '../../connection/connection';
import type { DatabaseTarget, TlsMode } from '../../connection/target';
import { trustedAuthorities } from '../../connection/tls';
import type { Forwarder } from '../../connection/tunnel';
import type { EngineVersion } from './engine';

export type ProgramName = 'pg_dump' | 'pg_restore';

/** A program that does not even say its version within this time is none. */
const VERSION_TIMEOUT_MS = 10_000;
/** Nor is one that says more than this. */
const VERSION_LIMIT = 1024;
/** It asks the server to stop its query before it ends; it gets this long to do so. */
const FAREWELL_MS = 3_000;

const SSL_MODES: Record<TlsMode, string> = {
	off: 'disable',
	prefer: 'prefer',
	encrypt: 'require',
	verify: 'verify-full',
};

const INSTEAD: Record<ProgramName, string> = {
	pg_dump: 'Choose the built-in engine, or install the PostgreSQL client programs and enter the path of pg_dump.',
	pg_restore:
		'Backups in custom format need it: install the PostgreSQL client programs, or set N8N_BACKUP_PG_RESTORE to its path.',
};

/**
 * libpq's own variables, and nothing of ours: no setting or password file of this machine has a say.
 * @param home an empty folder of our own
 */
export async function clientEnvironment(
	target: DatabaseTarget,
	home: string,
	forwarder?: Forwarder,
): Promise<NodeJS.ProcessEnv> {
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

/** @throws BackupError 'engine-not-found' */
export async function readVersion(program: string, name: ProgramName): Promise<EngineVersion> {
	const child = spawn(program, ['--version'], {
		env: { PATH: process.env.PATH, LC_ALL: 'C' },
		stdio: ['ignore', 'pipe', 'ignore'],
		// Not `timeout`, whose timer stays when the program cannot be started.
		signal: AbortSignal.timeout(VERSION_TIMEOUT_MS),
	});
	let output = '';
	child.stdout.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(0, VERSION_LIMIT)));
	try {
		await once(child, 'close');
	} catch (error) {
		throw programNotFound(program, name, error);
	}
	// "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "pg_dump (PostgreSQL) 19beta1"
	const [, said, text, major] = /^(\w+) \(PostgreSQL\) ((\d+)[\w.]*)/.exec(output) ?? [];
	if (said !== name || !text) throw programNotFound(program, name);
	return { major: Number(major), text };
}

export function isProgramMissing(error: unknown): boolean {
	return ['ENOENT', 'EACCES', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code));
}

export function programNotFound(program: string, name: ProgramName, cause?: unknown): BackupError {
	return new BackupError('engine-not-found', `there is no ${name} to run as "${program}"`, {
		hint: INSTEAD[name],
		cause,
	});
}

/** Ends a program, politely first. */
export async function endProgram(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const timer = setTimeout(() => child.kill('SIGKILL'), FAREWELL_MS);
	child.kill('SIGTERM');
	await once(child, 'exit');
	clearTimeout(timer);
}
