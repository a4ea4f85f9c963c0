/** Runs a shell command and measures what it takes: time, processor time, memory, and how late its event loop was. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

export interface Measurement {
	/** Seconds from start to end. */
	wall: number;
	/** Processor seconds of all its processes, user and system. */
	cpu: number;
	/** Bytes: the sum of what each of its processes held in memory at most. */
	memory: number;
	/** The end of what it wrote to stdout. */
	stdout: string;
	/** Milliseconds that the event loop was late, of a Node program that loaded `event-loop.cjs`. */
	eventLoop?: { p99: number; max: number };
}

export interface CommandOptions {
	env: Record<string, string>;
	/** Kills the command with all its processes. */
	signal: AbortSignal;
}

const SAMPLE_EVERY_MS = 50;
const KEPT_OUTPUT = 4000;

/**
 * Runs a command of bash to its end; a pipeline fails when any of its programs does.
 * @param folder for files of its own
 * @throws Error with the end of what it wrote to stderr
 */
export async function measure(command: string, folder: string, options: CommandOptions): Promise<Measurement> {
	const eventLoopFile = path.join(folder, 'event-loop.json');
	fs.rmSync(eventLoopFile, { force: true });
	const env = { ...options.env, BENCH_EVENT_LOOP: eventLoopFile };
	const sampler = new MemorySampler();
	const timed = `TIMEFORMAT='%R %U %S'; time { ${command}\n}`;
	const { stdout, stderr } = await shell(timed, { ...options, env }, (child) => sampler.start(child)).finally(() =>
		sampler.stop(),
	);
	const times = stderr.trimEnd().split('\n').at(-1)?.split(' ').map(Number) ?? [];
	const [wall = NaN, user = NaN, system = NaN] = times;
	if (![wall, user, system].every(Number.isFinite)) throw new Error(`bash did not say how long it took:\n${stderr}`);
	const eventLoop = fs.existsSync(eventLoopFile)
		? (JSON.parse(fs.readFileSync(eventLoopFile, 'utf8')) as Measurement['eventLoop'])
		: undefined;
	return { wall, cpu: user + system, memory: sampler.peak, stdout, eventLoop };
}

/**
 * Runs a command of bash that need not be measured.
 * @returns what it wrote to stdout
 * @throws Error with the end of what it wrote to stderr
 */
export async function output(command: string, options: CommandOptions): Promise<string> {
	return (await shell(command, options)).stdout.trim();
}

async function shell(
	command: string,
	{ env, signal }: CommandOptions,
	onStart?: (child: ChildProcess) => void,
): Promise<{ stdout: string; stderr: string }> {
	signal.throwIfAborted();
	// A group of its own, so that all its processes can be ended together.
	const child = spawn('bash', ['-c', `set -o pipefail; ${command}`], {
		env: { PATH: process.env.PATH, HOME: process.env.HOME, LC_ALL: 'C', ...env },
		stdio: ['ignore', 'pipe', 'pipe'],
		detached: true,
	});
	onStart?.(child);
	const kill = () => void (child.pid && process.kill(-child.pid, 'SIGKILL'));
	signal.addEventListener('abort', kill, { once: true });
	let stdout = '';
	let stderr = '';
	child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout = (stdout + text).slice(-KEPT_OUTPUT)));
	child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-KEPT_OUTPUT)));
	const code = await new Promise<number | null>((resolve, reject) => {
		child.once('error', reject);
		child.once('close', resolve);
	}).finally(() => signal.removeEventListener('abort', kill));
	signal.throwIfAborted();
	if (code !== 0) throw new Error(`this failed:\n${command}\n${stderr}`);
	return { stdout, stderr };
}

/** Looks at the processes below a shell again and again. The kernel keeps each one's peak, so little can be missed. */
class MemorySampler {
	readonly #peaks = new Map<number, number>();
	#timer: NodeJS.Timeout | undefined;

	/** Bytes: the sum of the peaks of all processes. */
	get peak(): number {
		return [...this.#peaks.values()].reduce((sum, bytes) => sum + bytes, 0);
	}

	start(shell: ChildProcess): void {
		this.#timer = setInterval(() => {
			for (const pid of descendants(shell.pid ?? 0)) {
				const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readProc(`/proc/${pid}/status`))?.[1];
				// The latest counts: a process that becomes another program starts anew.
				if (kilobytes) this.#peaks.set(pid, Number(kilobytes) * 1024);
			}
		}, SAMPLE_EVERY_MS);
	}

	stop(): void {
		clearInterval(this.#timer);
	}
}

function descendants(pid: number): number[] {
	const children = threads(pid).flatMap((thread) =>
		readProc(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
	);
	return children.flatMap((child) => [child, ...descendants(child)]);
}

function threads(pid: number): string[] {
	try {
		return fs.readdirSync(`/proc/${pid}/task`);
	} catch (error) {
		if (isGone(error)) return [];
		throw error;
	}
}

/** A file of the kernel about a process; empty when the process is gone. */
function readProc(file: string): string {
	try {
		return fs.readFileSync(file, 'utf8');
	} catch (error) {
		if (isGone(error)) return '';
		throw error;
	}
}

function isGone(error: unknown): boolean {
	return ['ENOENT', 'ESRCH'].includes(String((error as NodeJS.ErrnoException).code));
}
