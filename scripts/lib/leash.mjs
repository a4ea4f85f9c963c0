/**
 * Runs a server on a leash: it ends with everything it started when its owner ends, however that happens (also by
 * SIGKILL, which no exit handler survives). The leash is the pipe on our stdin, which the system closes for the owner.
 *
 *   node leash.mjs <program> <arguments…>
 *
 * SIGTERM asks the server to end, SIGUSR2 kills it.
 */
import { spawn } from 'node:child_process';

/** n8n is told to shut down within 5 s. */
const GRACE_MS = 10_000;

const [program = '', ...args] = process.argv.slice(2);
// A group of its own: Ctrl-C in a terminal must reach the server through its owner only, and its children with it.
/** @type {import("node:child_process").SpawnOptions} */
const options = { detached: true, stdio: ['ignore', 'inherit', 'inherit'] };
const child = spawn(program, args, options);

child.once('error', (error) => {
	process.stderr.write(`${error.message}\n`);
	process.exit(127);
});
child.once('exit', (code) => {
	signalGroup('SIGKILL');
	process.exit(code ?? 1);
});

process.stdin.resume();
process.stdin.once('close', end);
process.once('SIGTERM', end);
process.on('SIGUSR2', () => signalGroup('SIGKILL'));
process.on('SIGINT', () => undefined);
process.on('SIGHUP', () => undefined);

function end() {
	signalGroup('SIGTERM');
	setTimeout(() => signalGroup('SIGKILL'), GRACE_MS).unref();
}

/** @param {NodeJS.Signals} signal */
function signalGroup(signal) {
	try {
		if (child.pid !== undefined) process.kill(-child.pid, signal);
	} catch (error) {
		if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
	}
}
