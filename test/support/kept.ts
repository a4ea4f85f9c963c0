/** What tests use and a process of its own keeps, because a test process that is killed cannot clean up: see keeper.mjs. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Something that is kept, and what its keeper says of it. */
export interface Kept<Told> {
	told: Told;
	/** Stops it, and waits until nothing of it is left. */
	stop: () => Promise<void>;
	/** The same with SIGKILL. */
	kill: () => Promise<void>;
}

/**
 * Starts something for one test file, which should stop it; it ends with this process at the latest.
 * @param script a file beside this one
 * @param name for its folder
 */
export async function keepOwn<Told>(script: string, name: string, options: unknown): Promise<Kept<Told>> {
	const folder = path.join(runFolder(), `own-${name}-${randomBytes(6).toString('hex')}`);
	fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
	startKeeper(script, folder, process.pid, options);
	const told = await published<Told>(folder);
	return { told, stop: () => end(folder, 'SIGTERM'), kill: () => end(folder, 'SIGUSR2') };
}

/**
 * What all test files of this run share; started when first asked for, ended with the run.
 * @param options only of whoever asks first
 */
export async function keepShared<Told>(
	script: string,
	name: string,
	options: () => Promise<unknown>,
	patienceMs?: number,
): Promise<Told> {
	const folder = sharedFolder(name);
	fs.mkdirSync(path.dirname(folder), { recursive: true, mode: 0o700 });
	if (claims(folder)) startKeeper(script, folder, runPid(), await options());
	return await published<Told>(folder, patienceMs);
}

/** Ends what is shared and waits for it. Without it, it ends by itself, a moment after the run. */
export async function endShared(name: string): Promise<void> {
	await end(sharedFolder(name), 'SIGTERM');
}

function startKeeper(script: string, folder: string, owner: number, options: unknown): void {
	const args = [path.join(__dirname, script), String(owner), folder, JSON.stringify(options)];
	spawn(process.execPath, args, { detached: true, stdio: 'ignore', cwd: '/' }).unref();
}

/** Ends what is kept in a folder that still exists, and waits until its keeper has removed it. */
async function end(folder: string, signal: 'SIGTERM' | 'SIGUSR2'): Promise<void> {
	if (!fs.existsSync(folder)) return;
	process.kill((await state(folder)).keeper, signal);
	while (fs.existsSync(folder)) await delay(10);
}

/** The process that runs all tests, as global-setup.ts says: jest runs files in processes of their own, or in itself. */
function runPid(): number {
	return Number(process.env.TEST_RUN_PID ?? process.pid);
}

function runFolder(): string {
	return path.join(os.tmpdir(), `n8n-nodes-backup-test-${runPid()}`);
}

function sharedFolder(name: string): string {
	return path.join(runFolder(), name);
}

/** Whether we are the first to ask for this folder. */
function claims(folder: string): boolean {
	try {
		fs.mkdirSync(folder, { mode: 0o700 });
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
		throw error;
	}
}

interface KeeperState {
	keeper: number;
	server: unknown;
	error?: string;
}

const PATIENCE_MS = 120_000;

/** What the keeper says, once it says anything. */
async function state(folder: string, patienceMs = PATIENCE_MS): Promise<KeeperState> {
	const file = path.join(folder, 'state.json');
	const deadline = Date.now() + patienceMs;
	while (!fs.existsSync(file)) {
		if (Date.now() > deadline) throw new Error(`nothing was started: ${file} is missing`);
		await delay(20);
	}
	return JSON.parse(fs.readFileSync(file, 'utf8')) as KeeperState;
}

async function published<Told>(folder: string, patienceMs?: number): Promise<Told> {
	const { server, error } = await state(folder, patienceMs);
	if (error) throw new Error(error);
	return server as Told;
}
