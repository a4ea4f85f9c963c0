/** Temporary folders of tests that make trees in them which are hard to remove, or to get at. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;

/** Some tests make devices, owners and file systems. */
export const isRoot = process.getuid?.() === 0;

/** @returns the real path of a new folder */
export function createFolder(name: string): string {
	return fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), `${name}-`)));
}

/** Removes what Node cannot: paths that are too long for the system, and folders that forbid it. */
export function removeFolder(folder: string): void {
	execFileSync('rm', ['-rf', '--', folder]);
}

/**
 * Makes folders within each other, however long their path becomes.
 * @returns a descriptor of the innermost, to be used through /proc/self/fd, and what closes it
 */
export function openBelow(folder: string, names: readonly string[]): [number, () => void] {
	let fd = fs.openSync(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	for (const name of names) {
		const below = `/proc/self/fd/${fd}/${name}`;
		if (!fs.existsSync(below)) fs.mkdirSync(below);
		const next = fs.openSync(below, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		fs.closeSync(fd);
		fd = next;
	}
	return [fd, () => fs.closeSync(fd)];
}

/** A test that makes devices, owners or file systems: there is none for anybody else. */
export const itAsRoot: (name: string, test: () => Promise<void>) => void = (name, test) => {
	if (isRoot) it(name, test);
};

/** Does something while a small disk in memory is mounted at a folder. Only for root. */
export async function withDisk<T>(folder: string, size: string, work: () => Promise<T>): Promise<T> {
	execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
	try {
		return await work();
	} finally {
		execFileSync('umount', [folder]);
	}
}

/** Does something as a user without rights, whose files go to a folder that belongs to him. Only for root. */
export async function asNobody<T>(work: () => Promise<T>): Promise<T> {
	process.seteuid!(NOBODY);
	try {
		return await work();
	} finally {
		process.seteuid!(0);
	}
}

/** Debian's user `nobody`. */
export const NOBODY = 65_534;
