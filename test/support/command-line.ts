/** Our command line as a process of its own, from the sources. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';

export interface Finished {
	code: number | null;
	signal: NodeJS.Signals | null;
	stdout: string;
	stderr: string;
}

/** Starts it; `env` is added to a nearly empty environment, so that no setting of the machine decides. */
export function start(
	args: string[],
	env: NodeJS.ProcessEnv = {},
): { child: ChildProcess; finished: Promise<Finished> } {
	const hook = path.join(__dirname, 'typescript.cjs');
	const program = path.join(__dirname, '../../bin/n8n-backup.ts');
	const child = spawn(
		process.execPath,
		['--disable-warning=ExperimentalWarning', '--require', hook, program, ...args],
		{
			env: { PATH: process.env.PATH, HOME: '/nonexistent', ...env },
			stdio: ['ignore', 'pipe', 'pipe'],
		},
	);
	const finished = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]).then(
		([stdout, stderr, [code, signal]]) => ({
			code: code as number | null,
			signal: signal as NodeJS.Signals | null,
			stdout,
			stderr,
		}),
	);
	return { child, finished };
}

/** Runs it to its end. */
export async function run(args: string[], env?: NodeJS.ProcessEnv): Promise<Finished> {
	return await start(args, env).finished;
}

/** A database as the command line takes it; its password goes into PGPASSWORD. */
export function databaseUrl({ user, host, port, database }: DatabaseTarget): string {
	return `postgres://${encodeURIComponent(user)}@${host}:${port}/${encodeURIComponent(database)}?sslmode=disable`;
}
