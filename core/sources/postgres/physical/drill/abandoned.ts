/**
 * Servers of drills whose program was killed: they go on, as another user, in a folder as large as the cluster. The next drill on that
 * machine stops them and removes what they had.
 */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { hasEnded, thisHost } from '../../../../base/process-identity';
import { removeTemporaryFolder } from '../../../../base/temporary-folder';

/** In the folder of a drill: whose it is. */
const MARK = 'drill.json';
const MAX_MARK_BYTES = 10_000;
/** This process, of all that had its number: in a container, it is the same after each start. */
const SELF = randomUUID();
/** How long a server may take to end when it is told to. */
const ENDING_MS = 10_000;

const schema = z.strictObject({ host: z.string(), pid: z.number().int().positive(), self: z.string() });

/** The file that says whose the drill of a folder is. */
export function markIn(folder: string): string {
	return path.join(folder, MARK);
}

/** Notes whose drill a folder is for. */
export async function markDrill(folder: string): Promise<void> {
	const mark = { host: thisHost(), pid: process.pid, self: SELF };
	await fs.writeFile(markIn(folder), JSON.stringify(mark), { mode: 0o600, flag: 'wx' });
}

/** Ends what drills of processes have left that are gone. What belongs to another machine, or to another user, stays. */
export async function stopAbandonedDrills(): Promise<void> {
	const top = await fs.realpath(os.tmpdir());
	for (const name of await fs.readdir(top)) {
		if (!name.startsWith('n8n-backup-scratch-')) continue;
		const folder = path.join(top, name);
		if (!(await isAbandoned(folder))) continue;
		await stopServer(folder);
		await removeTemporaryFolder(folder);
	}
}

async function isAbandoned(folder: string): Promise<boolean> {
	const file = markIn(folder);
	try {
		const stats = await fs.lstat(file);
		// Only a file that this user has made says anything.
		if (!stats.isFile() || stats.uid !== process.getuid?.() || stats.size > MAX_MARK_BYTES) return false;
		const { host, pid, self } = schema.parse(JSON.parse(await fs.readFile(file, 'utf8')));
		if (host === thisHost() && pid === process.pid) return self !== SELF;
		return hasEnded(host, pid);
	} catch (error) {
		if (error instanceof z.ZodError || error instanceof SyntaxError) return false;
		const { code } = error as NodeJS.ErrnoException;
		if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR') return false;
		throw error;
	}
}

/** The server that works in a folder, if it does: the process whose number it has written there, and that was started there. */
async function stopServer(folder: string): Promise<void> {
	const pid = await serverIn(folder);
	if (pid === null) return;
	const stop = (signal: NodeJS.Signals) => {
		try {
			process.kill(pid, signal);
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
		}
	};
	stop('SIGQUIT');
	const until = Date.now() + ENDING_MS;
	while ((await serverIn(folder)) !== null) {
		if (Date.now() > until) stop('SIGKILL');
		await delay(50);
	}
}

async function serverIn(folder: string): Promise<number | null> {
	try {
		const [line] = (await fs.readFile(path.join(folder, 'data/postmaster.pid'), 'utf8')).split('\n');
		const pid = Number(line);
		if (!Number.isInteger(pid) || pid <= 1) return null;
		// Another process may have that number by now.
		const command = await fs.readFile(`/proc/${pid}/cmdline`, 'utf8');
		return command.split('\0').includes(path.join(folder, 'data')) ? pid : null;
	} catch (error) {
		if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code!)) return null;
		throw error;
	}
}
