/** Which machine and process this is, and whether another process of this machine still exists. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

let known: string | undefined;

/**
 * Host name and, on Linux, what tells machines and containers of one name apart: the boot (random(4), boot_id) and the
 * namespace of process numbers (pid_namespaces(7)). Two containers can share a name, but not their process numbers; two
 * machines that were cloned can share both.
 */
export function thisHost(): string {
	known ??= [hostname(), ...linuxIdentity()].join(' ');
	return known;
}

/** The name of a host, for people. */
export function hostName(host: string): string {
	return host.split(' ')[0]!;
}

/** Whether a process ran on this very machine and is gone. Of another machine nothing is known: then it is not. */
export function hasEnded(host: string, pid: number): boolean {
	if (host !== thisHost()) return false;
	try {
		process.kill(pid, 0);
		return false;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'ESRCH';
	}
}

/** Nothing where there is no /proc: processes of one host name then share their numbers. */
function linuxIdentity(): string[] {
	try {
		return [readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(), readlinkSync('/proc/self/ns/pid')];
	} catch (error) {
		if (typeof (error as NodeJS.ErrnoException).code === 'string') return [];
		throw error;
	}
}
