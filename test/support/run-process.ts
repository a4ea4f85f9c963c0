/**
 * Runs that other processes make, for tests of what happens when several do so at once, stand still, or are killed:
 *
 *   RUN='{"storage":{"type":"folder",…},"group":"a","mode":"journal"}' node --require ./typescript.cjs run-process.ts
 *
 * `journal`: so many runs that do nothing. `backups`: tiny backups, one after the other, for so many milliseconds, at least one; who
 * holds the lock is watched from outside. `stopped`: one backup that stops its own process (SIGSTOP) at a moment. `begin`:
 * begins a run and never ends it. Each writes what came of it to standard output, one line of JSON each.
 */
import { openDump } from './dump-source';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { backUp } from '../../core/verbs/backup/backup';
import { isBackupError } from '../../core/base/errors';
import { recordRun } from '../../core/records/journal/journal';
import type { Source } from '../../core/sources/source';
import { createStorage } from '../../core/storage/create';
import { type StorageConfig } from '../../core/storage/config';
import type { Storage } from '../../core/storage/storage';

export interface RunOrder {
	storage: StorageConfig;
	group: string;
	mode: 'journal' | 'backups' | 'stopped' | 'begin';
	/** Of mode `journal`. */
	runs?: number;
	/** Of mode `backups`. */
	forMs?: number;
	lockWaitMs?: number;
	/** A folder in which the holder of the lock has a file. */
	witness?: string;
	/** Of mode `stopped`: before the first call of that operation whose key contains the text. */
	stopBefore?: { on: 'write' | 'remove'; key: string };
}

const NEVER = new AbortController().signal;

async function main(order: RunOrder): Promise<void> {
	const storage = createStorage(order.storage);
	if (order.mode === 'journal') await journal(storage, order);
	if (order.mode === 'backups') await backups(storage, order);
	if (order.mode === 'stopped') await stopped(storage, order);
	if (order.mode === 'begin') await begin(storage, order);
	await storage.close();
}

async function journal(storage: Storage, { group, runs = 1 }: RunOrder): Promise<void> {
	for (let n = 0; n < runs; n++) {
		const { warnings } = await recordRun(
			storage,
			{ verb: 'verify', group },
			async () => undefined,
			() => ({ outcome: 'ok', facts: { n } }),
		);
		say({ warnings });
	}
}

async function backups(storage: Storage, order: RunOrder): Promise<void> {
	const watched = order.witness === undefined ? storage : witnessed(storage, order.group, order.witness);
	const end = performance.now() + (order.forMs ?? 0);
	do await backup(watched, order);
	while (performance.now() < end);
}

async function stopped(storage: Storage, order: RunOrder): Promise<void> {
	const { on, key: part } = order.stopBefore!;
	let isDone = false;
	const stop = (operation: string, key: string) => {
		if (isDone || operation !== on || !key.includes(part)) return;
		isDone = true;
		process.kill(process.pid, 'SIGSTOP');
	};
	await backup(intercepted(storage, { before: stop }), order);
}

async function begin(storage: Storage, { group }: RunOrder): Promise<void> {
	await recordRun(
		storage,
		{ verb: 'backup', group, beatMs: 300 },
		async (run) => {
			run.progress('storing', 4711, 9000);
			say({ began: run.id });
			await delay(3_600_000);
		},
		() => ({ outcome: 'ok', facts: {} }),
	);
}

async function backup(storage: Storage, { group, lockWaitMs }: RunOrder): Promise<void> {
	try {
		const { manifest } = await backUp({ storage, group, source: tiny(), encryption: null, lockWaitMs, signal: NEVER });
		say({ made: manifest.label, warnings: manifest.warnings });
	} catch (error) {
		if (!isBackupError(error)) throw error;
		say({ code: error.code, message: error.message });
	}
}

/** A few bytes, some milliseconds apart. */
function tiny(): Source {
	const body = async function* () {
		for (let n = 0; n < 3; n++) {
			yield Buffer.from(`row ${n} of ${process.pid}\n`);
			await delay(Math.random() * 5);
		}
	};
	return {
		kind: 'postgres',
		open: async () =>
			openDump({
				body: Readable.from(body(), { objectMode: false }),
				finish: async () => ({ details: {}, contents: { format: 1, tables: [] }, warnings: [] }),
				close: async () => undefined,
			}),
	};
}

/** Whoever has the lock has a file that only one can have; a second one is written down as a violation. */
function witnessed(storage: Storage, group: string, folder: string): Storage {
	const lock = `locks/${group}.json`;
	const file = path.join(folder, 'holder');
	return intercepted(storage, {
		after: (operation, key) => {
			if (operation !== 'write' || key !== lock) return;
			try {
				fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
			} catch {
				fs.writeFileSync(path.join(folder, `violation-${process.pid}-${Date.now()}`), fs.readFileSync(file));
			}
		},
		before: (operation, key) => {
			if (operation === 'remove' && key === lock) fs.rmSync(file);
		},
	});
}

type Hook = (operation: string, key: string) => void;

function intercepted(storage: Storage, hooks: { before?: Hook; after?: Hook }): Storage {
	const { before, after } = hooks;
	return new Proxy(storage, {
		get(target, name) {
			const value: unknown = Reflect.get(target, name, target);
			if (typeof value !== 'function') return value;
			if (name !== 'write' && name !== 'remove') return value.bind(target) as unknown;
			return async (key: string, ...rest: unknown[]) => {
				before?.(name, key);
				const result: unknown = await value.call(target, key, ...rest);
				after?.(name, key);
				return result;
			};
		},
	});
}

function say(fact: object): void {
	process.stdout.write(`${JSON.stringify(fact)}\n`);
}

void main(JSON.parse(process.env.RUN!) as RunOrder);
