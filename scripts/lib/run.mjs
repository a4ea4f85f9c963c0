/** Runs other programs, and never leaves one behind. */
import { spawn } from 'node:child_process';
import { onCleanup } from './cleanup.mjs';

/** How much of a program's output is kept for the message of its failure, in characters. */
const KEPT = 8000;

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {boolean} [quiet]  keep the output for an error message or the caller; default: false, show it
 * @property {string} [input]  what it reads from stdin; default: nothing
 */

/**
 * Runs a program to its end.
 * @param {string} program
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<string>} what it wrote to stdout (with `quiet` only)
 * @throws Error with the end of its output when it fails
 */
export async function run(program, args, options = {}) {
	const { code, signal, stdout, tail } = await outcome(program, args, options);
	if (code === 0) return stdout;
	const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
	throw new Error(`${[program, ...args].join(' ')} ${how}${tail ? `\n${tail}` : ''}`);
}

/**
 * Runs a program with its output shown, and says how it ended.
 * @param {string} program
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<number>} its exit code; 1 when a signal ended it
 */
export async function exitCode(program, args, options = {}) {
	return (await outcome(program, args, options)).code ?? 1;
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {RunOptions} options
 * @returns {Promise<{ code: number | null, signal: string | null, stdout: string, tail: string }>}
 */
function outcome(program, args, { cwd, env = process.env, quiet = false, input }) {
	return new Promise((resolve, reject) => {
		const stdin = input === undefined ? 'ignore' : 'pipe';
		const child = spawn(program, args, {
			cwd,
			env,
			stdio: quiet ? [stdin, 'pipe', 'pipe'] : [stdin, 'inherit', 'inherit'],
		});
		// A program that ends before it has read all says so by its exit code.
		child.stdin?.on('error', () => undefined);
		child.stdin?.end(input);
		const ended = new Promise((done) => child.once('close', done));
		const forget = onCleanup(() => {
			child.kill('SIGTERM');
			return ended;
		});
		let stdout = '';
		let tail = '';
		const keep = (/** @type {Buffer} */ chunk) => (tail = (tail + chunk.toString()).slice(-KEPT));
		child.stdout?.on('data', (chunk) => ((stdout += chunk), keep(chunk)));
		child.stderr?.on('data', keep);
		child.once('error', (error) => (forget(), reject(error)));
		child.once('close', (code, signal) => (forget(), resolve({ code, signal, stdout, tail })));
	});
}
