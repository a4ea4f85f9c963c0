/** Several processes want to write to one group: at once, or one stands still while another goes on. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { checkJournal, readRuns } from '../../../core/records/journal/journal';
import { acquireLock, findStaleLocks, type Lock, removeStaleLocks } from '../../../core/records/locks/lock';
import { Repository } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import { writeText } from '../../../core/records/small-objects';
import { createStorage } from '../../../core/storage/create';
import { type StorageConfig } from '../../../core/storage/config';
import type { Storage } from '../../../core/storage/storage';
import { keysBesideJournal } from '../../support/journal';
import type { RunOrder } from '../../support/run-process';
import { isStopped, type RunProcess, type Said, startRun } from '../../support/run-processes';
import { sharedS3 } from '../../support/s3';
import { rounds, tell } from '../../support/soak';
import { wholeBackups } from '../../support/tiny-backups';
import { until } from '../../support/until';

const GROUP = 'postgres/shop';
const LOCK = `locks/${GROUP}.json`;
const DAY_MS = 24 * 3_600_000;
const FIGHT_MS = rounds(12, 600) * 1000;
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

describe('two runs at once', () => {
	/** Two processes, one of which waits for the lock and one of which does not. */
	async function fight(config: StorageConfig, place: string): Promise<void> {
		fs.mkdirSync(place);
		const order: RunOrder = { storage: config, group: GROUP, mode: 'backups', forMs: FIGHT_MS, witness: place };
		const fighters = [startRun({ ...order, lockWaitMs: 2000 }), startRun(order)];
		const said = await Promise.all(fighters.map(({ gone }) => gone));
		const storage = createStorage(config);
		try {
			expect(fs.readdirSync(place)).toEqual([]);
			const made = said.flatMap(labelsOf);
			tell(`fought for ${made.length} backups in ${config.type === 's3' ? 'S3' : 'a folder'}`);
			for (const one of said) expect(labelsOf(one).length).toBeGreaterThan(0);
			expect((await wholeBackups(storage, GROUP)).sort()).toEqual(made.sort());
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

	it(
		'fight for a while, in a folder and in S3: every backup is whole, and never do two write',
		async () => {
			const bucket = await server().makeBucket();
			await Promise.all([
				fight({ type: 'folder', path: folder }, path.join(witness, 'folder')),
				fight({ type: 's3', ...server().options(bucket) }, path.join(witness, 's3')),
			]);
		},
		120_000 + FIGHT_MS,
	);
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
				/^broke the lock of elsewhere \(process 7, copy\) since 1970.*: that run sent no heartbeat/,
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
		expect(taken.warnings).toEqual([expect.stringContaining('sent no heartbeat')]);
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
		expect(await wholeBackups(storage, GROUP)).toEqual([]);
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
		// What is younger than a day is left alone.
		const twoDaysAgo = new Date(Date.now() - 2 * DAY_MS);
		fs.utimesSync(path.join(folder, orphan), twoDaysAgo, twoDaysAgo);
		const said = await stopAt({ on: 'remove', key: orphan }, async () => {
			await writeText(storage, alien, 'the other run’s');
		});
		expect(said).toMatchObject(LOST);
		expect(await keysBesideJournal(storage)).toContain(alien);
		await storage.remove(alien);
	});
});
