/** Starts what run-process.ts describes, and hears what comes of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { RunOrder } from './run-process';

/** A line that the process said. */
export interface Said {
	made?: string;
	began?: string;
	code?: string;
	message?: string;
	warnings?: string[];
}

export interface RunProcess {
	child: ChildProcess;
	said: Said[];
	/** The first line, or the end if there is none. */
	first: Promise<unknown>;
	/** Resolves with all lines when it is gone, in whatever way. */
	gone: Promise<Said[]>;
}

export function startRun(order: RunOrder): RunProcess {
	const hook = path.join(__dirname, 'typescript.cjs');
	const child = spawn(process.execPath, ['--require', hook, path.join(__dirname, 'run-process.ts')], {
		env: { PATH: process.env.PATH, RUN: JSON.stringify(order) },
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const said: Said[] = [];
	const lines = createInterface({ input: child.stdout });
	lines.on('line', (line) => said.push(JSON.parse(line) as Said));
	const ended = once(child, 'close');
	return {
		child,
		said,
		first: Promise.race([once(lines, 'line'), ended]),
		gone: ended.then(() => said),
	};
}

/** Whether a process stands still (proc(5), state T). */
export function isStopped(stat: string): boolean {
	return /^\d+ \(.*\) T /.test(stat);
}
