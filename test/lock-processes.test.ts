/** Several processes want to write to one group: at once, killed at any moment, or standing still while another goes on. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { backUp } from '../core/backup';
import { checkJournal, readRuns } from '../core/journal';
import { acquireLock, findStaleLocks, type Lock, removeStaleLocks } from '../core/lock';
import { digestStored } from '../core/pipeline';
import { objectKey, Repository } from '../core/repository';
import { writeText } from '../core/small-objects';
import { createStorage, type StorageConfig } from '../core/storage/create';
import type { Storage } from '../core/storage/storage';
import { streamsOf } from '../core/verify-stored';
import { keysBesideJournal } from './support/journal';
import type { RunOrder } from './support/run-process';
import { isStopped, type RunProcess, type Said, startRun } from './support/run-processes';
import { sharedS3 } from './support/s3';
import { until } from './support/until';

const GROUP = 'postgres/shop';
const LOCK = `locks/${GROUP}.json`;
const DAY_MS = 24 * 3_600_000;
const NEVER = new AbortController().signal;
const server = sharedS3();
let folder: string;
let witness: string;
beforeEach(() => {
	folder = fs.mkdtempSync(path.join(os.tmpdir(), 'lock-'));
	witness = fs.mkdtempSync(path.join(os.tmpdir(), 'witness-'));
});
afterEach(() => {
	fs.rmSync(folder, { recursive: true });
	fs.rmSync(witness, { recursive: true });
});

const span = () => ({ from: new Date(Date.now() - DAY_MS), to: new Date(Date.now() + DAY_MS) });
const labelsOf = (said: Said[]) => said.flatMap(({ made }) => made ?? []);

/** Every backup that is listed is whole, byte for byte. @returns their labels */
async function wholeBackups(storage: Storage, known = new Set<string>()): Promise<string[]> {
	const repository = await Repository.open(storage);
	const listed = (await repository.list(GROUP)).map(({ label }) => label);
	for (const label of listed.filter((one) => !known.has(one))) {
		for (const { name, stored } of streamsOf(await repository.readManifest(GROUP, label))) {
			const place = { storage, group: GROUP, label, name };
			expect(await digestStored({ ...place, stallTimeoutMs: 60_000, signal: NEVER })).toEqual(stored);
		}
		known.add(label);
	}
	return listed;
}

async function backUpHere(storage: Storage): Promise<{ label: string; warnings: readonly string[] }> {
	const { manifest, warnings } = await backUp({
		storage,
		group: GROUP,
		source: {
			kind: 'postgres',
			open: async () => ({
				body: Readable.from([Buffer.from('a row\n')]),
				objectName: 'dump.sql',
				finish: async () => ({ details: {}, contents: { format: 1, tables: [] }, warnings: [] }),
				close: async () => undefined,
			}),
		},
		encryption: null,
		signal: NEVER,
	});
	return { label: manifest.label, warnings };
}

describe('two runs at once', () => {
	/** Two processes, one of which waits for the lock and one of which does not, for a minute. */
	async function fight(config: StorageConfig, place: string): Promise<void> {
		fs.mkdirSync(place);
		const order: RunOrder = { storage: config, group: GROUP, mode: 'backups', forMs: 60_000, witness: place };
		const fighters = [startRun({ ...order, lockWaitMs: 2000 }), startRun(order)];
		const said = await Promise.all(fighters.map(({ gone }) => gone));
		const storage = createStorage(config);
		try {
			expect(fs.readdirSync(place)).toEqual([]);
			const made = said.flatMap(labelsOf);
			for (const one of said) expect(labelsOf(one).length).toBeGreaterThan(0);
			expect((await wholeBackups(storage)).sort()).toEqual(made.sort());
			const refused = said.flat().filter(({ made: label }) => label === undefined);
			expect(refused.length).toBeGreaterThan(0);
			for (const { code, message } of refused) {
				expect({ code, message }).toEqual({
					code: 'locked',
					message: expect.stringMatching(/ is locked by \S+ \(process \d+, backup\) since |several runs are trying/),
				});
			}
			expect(await checkJournal(storage, span())).toEqual([]);
			const states = (await readRuns(storage, span())).map(({ state, code }) => code ?? state);
			expect(states.filter((state) => state === 'ok')).toHaveLength(made.length);
			expect(states.filter((state) => state === 'locked')).toHaveLength(refused.length);
			expect(states).toHaveLength(made.length + refused.length);
			expect((await keysBesideJournal(storage)).filter((key) => key.startsWith('locks/'))).toEqual([]);
		} finally {
			await storage.close();
		}
	}

	it('fight for a minute, in a folder and in S3: every backup is whole, and never do two write', async () => {
		const bucket = await server().makeBucket();
		await Promise.all([
			fight({ type: 'folder', path: folder }, path.join(witness, 'folder')),
			fight({ type: 's3', ...server().options(bucket) }, path.join(witness, 's3')),
		]);
	}, 180_000);
});

describe('a worker killed and restarted', () => {
	const KILLS = 60;
	const AT_ONCE = 3;

	it(`${KILLS} times at any moment leaves a lock that is broken at once, whole backups, and a whole journal`, async () => {
		const config = { type: 'folder', path: folder } as const;
		const storage = createStorage(config);
		await Repository.open(storage, { create: true });
		const known = new Set<string>();
		const kept = new Set<string>();
		let broken = 0;
		for (let round = 0; round < KILLS / AT_ONCE; round++) {
			const order: RunOrder = { storage: config, group: GROUP, mode: 'backups', forMs: 60_000, lockWaitMs: 60_000 };
			const workers = Array.from({ length: AT_ONCE }, () => startRun(order));
			await Promise.race(workers.map(({ first }) => first));
			for (const { child } of workers) {
				await delay(Math.random() * 60);
				expect(child.exitCode).toBeNull();
				child.kill('SIGKILL');
			}
			for (const { gone } of workers) for (const label of labelsOf(await gone)) kept.add(label);
			const { label, warnings } = await backUpHere(storage);
			kept.add(label);
			if (
				warnings.some((text) => /^broke the lock of \S+ \(process \d+, backup\) since .*no longer exists$/.test(text))
			) {
				broken++;
			}
			const listed = await wholeBackups(storage, known);
			expect([...kept].filter((one) => !listed.includes(one))).toEqual([]);
		}
		expect(broken).toBeGreaterThan(0);
		expect(await checkJournal(storage, span())).toEqual([]);
		const states = (await readRuns(storage, span())).map(({ state }) => state);
		expect(new Set(states)).toEqual(new Set(['ok', 'lost']));
		// Signs of life and marks of killed processes that nobody came across are found by prune.
		await removeStaleLocks(storage, { staleAfterMs: 0 });
		expect((await keysBesideJournal(storage)).filter((key) => key.startsWith('locks/'))).toEqual([]);
		await storage.close();
	}, 180_000);
});

describe('a stale lock nobody breaks', () => {
	it('is broken by the next run, which says whose it was, and by prune', async () => {
		const storage = createStorage({ type: 'folder', path: folder });
		const leave = async () => {
			const holder = { id: 'abcdefghjkmn', host: 'elsewhere', pid: 7, purpose: 'copy', startedAt: new Date(0) };
			await writeText(storage, LOCK, JSON.stringify(holder));
			await delay(20);
		};
		await leave();
		const lock = await acquireLock(storage, GROUP, { staleAfterMs: 10 });
		expect(lock.warnings).toEqual([
			expect.stringMatching(
				/^broke the lock of elsewhere \(process 7, copy\) since 1970.*: that run gave no sign of life/,
			),
		]);
		await lock.release();
		await leave();
		expect(await findStaleLocks(storage)).toEqual([]);
		expect(await findStaleLocks(storage, { staleAfterMs: 10 })).toEqual([
			{ key: LOCK, description: expect.stringContaining('lock of postgres/shop by elsewhere (process 7, copy)') },
		]);
		expect(await removeStaleLocks(storage, { staleAfterMs: 10 })).toHaveLength(1);
		expect(await keysBesideJournal(storage)).toEqual([]);
	});
});

describe('a writer that stood still (SIGSTOP) while another run took over', () => {
	let storage: Storage;
	let writer: RunProcess;
	let taken: Lock;

	/** It stops itself at that moment; then its lock is broken, as if ten minutes had passed, and it goes on. */
	async function stopAt(stopBefore: RunOrder['stopBefore'], meanwhile: () => Promise<void>): Promise<Said[]> {
		const config = { type: 'folder', path: folder } as const;
		storage = createStorage(config);
		writer = startRun({ storage: config, group: GROUP, mode: 'stopped', stopBefore });
		await until('the writer stands still', () => {
			expect(writer.child.exitCode).toBeNull();
			return isStopped(fs.readFileSync(`/proc/${writer.child.pid}/stat`, 'latin1'));
		});
		taken = await acquireLock(storage, GROUP, { staleAfterMs: 1, waitMs: 60_000 });
		expect(taken.warnings).toEqual([expect.stringContaining('gave no sign of life')]);
		await meanwhile();
		writer.child.kill('SIGCONT');
		return await writer.gone;
	}

	const LOST = [
		{
			code: 'locked',
			message: expect.stringMatching(
				/^the lock of postgres\/shop was broken while this run held it; now it is held by .* \(process \d+, backup\)/,
			),
		},
	];

	afterEach(async () => {
		await taken.assertHeld();
		await taken.release();
		expect(await wholeBackups(storage)).toEqual([]);
		expect((await keysBesideJournal(storage)).filter((key) => key !== 'repository.json')).toEqual([]);
		expect(await readRuns(storage, span())).toMatchObject([{ state: 'failed', code: 'locked' }]);
		await storage.close();
	});

	it('in the middle of its objects makes no backup of what was removed', async () => {
		const said = await stopAt({ on: 'write', key: 'contents.json' }, async () => {
			// As the other run does first of all.
			const { leftovers } = await (await Repository.open(storage)).survey(GROUP);
			for (const { keys } of leftovers) for (const key of keys) await storage.remove(key);
		});
		expect(said).toMatchObject(LOST);
	});

	it('right before its manifest takes the manifest back', async () => {
		expect(await stopAt({ on: 'write', key: 'manifest.json' }, async () => undefined)).toMatchObject(LOST);
	});

	it('while tidying up leaves alone what the other run writes', async () => {
		const orphan = objectKey(GROUP, '20261120T020000Z-full-aaaa', 'dump.sql.zst');
		const alien = objectKey(GROUP, '20261120T030000Z-full-bbbb', 'dump.sql.zst');
		await writeText(createStorage({ type: 'folder', path: folder }), orphan, 'left by an earlier run');
		const said = await stopAt({ on: 'remove', key: orphan }, async () => {
			await writeText(storage, alien, 'the other run’s');
		});
		expect(said).toMatchObject(LOST);
		expect(await keysBesideJournal(storage)).toContain(alien);
		await storage.remove(alien);
	});
});
