/** Several processes append to one journal at the same time, and some never come to their end. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkJournal, readRuns, type JournalRun } from '../../../core/records/journal/journal';
import { createStorage } from '../../../core/storage/create';
import { type StorageConfig } from '../../../core/storage/config';
import type { Storage } from '../../../core/storage/storage';
import { entriesIn, keysBesideJournal } from '../../support/journal';
import { startRun } from '../../support/run-processes';
import { sharedS3 } from '../../support/s3';
import { until } from '../../support/until';
import { rounds } from '../../support/soak';

const DAY_MS = 24 * 3_600_000;
const server = sharedS3();
let folder: string;
beforeEach(() => {
	folder = fs.mkdtempSync(path.join(os.tmpdir(), 'journal-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

/** The runs of today, of yesterday, should midnight be near, and of tomorrow. */
const span = () => ({ from: new Date(Date.now() - DAY_MS), to: new Date(Date.now() + DAY_MS) });

const PROCESSES = 8;
const RUNS = rounds(6, 60);

async function appendAtOnce(config: StorageConfig): Promise<Storage> {
	const order = { storage: config, group: 'postgres/shop', mode: 'journal', runs: RUNS } as const;
	const said = await Promise.all(Array.from({ length: PROCESSES }, () => startRun(order).gone));
	expect(said.flat()).toEqual(Array.from({ length: PROCESSES * RUNS }, () => ({ warnings: [] })));
	const storage = createStorage(config);
	expect((await entriesIn(storage)).length).toBeGreaterThanOrEqual(2 * PROCESSES * RUNS);
	expect(await keysBesideJournal(storage)).toEqual([]);
	expect(await checkJournal(storage, span())).toEqual([]);
	const runs = await readRuns(storage, span());
	expect(runs.map(({ state }) => state)).toEqual(Array.from({ length: PROCESSES * RUNS }, () => 'ok'));
	expect(new Set(runs.map(({ id }) => id)).size).toBe(PROCESSES * RUNS);
	return storage;
}

describe('eight processes that append at once make one whole chain', () => {
	it('in a folder', async () => {
		await (await appendAtOnce({ type: 'folder', path: folder })).close();
	}, 120_000);

	it('in S3', async () => {
		const bucket = await server().makeBucket();
		await (await appendAtOnce({ type: 's3', ...server().options(bucket) })).close();
	}, 120_000);
});

describe('a worker killed and restarted', () => {
	it('leaves a run that runs while its process lives, with its progress, and is lost afterwards', async () => {
		const config = { type: 'folder', path: folder } as const;
		const storage = createStorage(config);
		const { child, first, gone, said } = startRun({ storage: config, group: 'postgres/shop', mode: 'begin' });
		await first;
		let run: JournalRun | undefined;
		await until('a heartbeat tells the progress', async () => {
			[run] = await readRuns(storage, span());
			return run?.progress?.bytes === 4711;
		});
		expect(run).toMatchObject({
			id: said[0]!.began,
			state: 'running',
			finishedAt: null,
			progress: { phase: 'storing', bytes: 4711, totalBytes: 9000 },
		});
		child.kill('SIGKILL');
		await gone;
		expect(await readRuns(storage, span())).toMatchObject([
			{ state: 'lost', finishedAt: null, code: null, progress: { bytes: 4711 } },
		]);
		expect(await checkJournal(storage, span())).toEqual([]);
		// The next one is not held up by it.
		const next = startRun({ storage: config, group: 'postgres/shop', mode: 'backups', forMs: 1 });
		expect(await next.gone).toMatchObject([{ made: expect.any(String) }]);
		expect((await readRuns(storage, span())).map(({ state }) => state)).toEqual(['lost', 'ok']);
		await storage.close();
	}, 60_000);
});
