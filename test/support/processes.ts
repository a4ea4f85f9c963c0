/** What anybody on this machine can see of its processes. */
import fs from 'node:fs';

/** The command lines of all processes; arguments are separated by NUL characters. */
export function commandLines(): string[] {
	const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
	return pids.flatMap((pid) => readIfThere(`/proc/${pid}/cmdline`));
}

/** That of one process; empty when it is gone. */
export function commandLine(pid: number): string {
	return readIfThere(`/proc/${pid}/cmdline`).join('');
}

/** The processes that a process has started and that still run. */
export function childrenOf(pid: number): number[] {
	const threads = fs.existsSync(`/proc/${pid}/task`) ? fs.readdirSync(`/proc/${pid}/task`) : [];
	return threads
		.flatMap((thread) => readIfThere(`/proc/${pid}/task/${thread}/children`))
		.flatMap((text) => text.split(' ').filter(Boolean).map(Number));
}

/** How many threads of this process bear a name; Node names a thread after what started it. */
export function threadsNamed(name: string): number {
	const threads = fs.readdirSync('/proc/self/task');
	return threads
		.flatMap((thread) => readIfThere(`/proc/self/task/${thread}/comm`))
		.filter((comm) => comm.trim() === name).length;
}

/** What a process has taken so far, by proc(5); null when it is gone. */
export function usageOf(pid: number): { peakBytes: number; cpuSeconds: number } | null {
	const peak = /^VmHWM:\s*(\d+) kB/m.exec(readIfThere(`/proc/${pid}/status`).join(''))?.[1];
	// The name of the program, in parentheses, may hold anything. Times are in hundredths of a second.
	const [, user, system] = /\) (?:\S+ ){11}(\d+) (\d+)/.exec(readIfThere(`/proc/${pid}/stat`).join('')) ?? [];
	if (peak === undefined || user === undefined || system === undefined) return null;
	return { peakBytes: Number(peak) * 1024, cpuSeconds: (Number(user) + Number(system)) / 100 };
}

/** Processes come and go while one looks: those that have gone are nothing to see. */
function readIfThere(file: string): string[] {
	try {
		return [fs.readFileSync(file, 'latin1')];
	} catch (error) {
		if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code!)) return [];
		throw error;
	}
}
