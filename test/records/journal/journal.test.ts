/** What a run writes into the journal, and what it does not. */
import { openDump } from '../../support/dump-source';
import { Readable } from 'node:stream';
import { backUp } from '../../../core/verbs/backup/backup';
import { BackupError } from '../../../core/base/errors';
import { generateIdentity } from '../../../core/codecs/age/keys';
import { readRuns, recordRun, type RecordRequest } from '../../../core/records/journal/journal';
import { Repository } from '../../../core/records/repository';
import { readText, writeText } from '../../../core/records/small-objects';
import type { Source } from '../../../core/sources/source';
import { MemoryStorage } from '../../../core/storage/memory';
import { verifyBackup } from '../../../core/verbs/verify/verify';
import { FaultyStorage } from '../../support/faulty-storage';
import { entriesIn, keysIn } from '../../support/journal';
import { until } from '../../support/until';

const GROUP = 'postgres/shop';
const RUN: RecordRequest = { verb: 'backup', group: GROUP };
const ALL = { from: new Date(0), to: new Date('2100-01-01') };
const OK = () => ({ outcome: 'ok', facts: {} }) as const;
const NEVER = new AbortController().signal;
const denied = new BackupError('access-denied', 'cannot write');

function source(text: string): Source {
	return {
		kind: 'postgres',
		open: async () =>
			openDump({
				body: Readable.from([Buffer.from(text)]),
				finish: async () => ({
					details: {},
					contents: { format: 1, tables: [{ name: 'secret_table' }] },
					warnings: [],
				}),
				close: async () => undefined,
			}),
	};
}

describe('a run in the journal', () => {
	it('has its beginning, its actor, its end and its figures', async () => {
		const storage = new MemoryStorage();
		const actor = { via: 'n8n', workflow: 'Backup', execution: '12', node: 'Dump' } as const;
		const result = await recordRun(
			storage,
			{ ...RUN, actor },
			async () => 'what the work gives',
			() => ({ outcome: 'degraded', label: '20261120T020000Z-full-k3f9', facts: { bytes: 17, kind: 'x', all: true } }),
		);
		expect(result).toEqual({ value: 'what the work gives', warnings: [] });
		const [run] = await readRuns(storage, ALL);
		expect(run).toMatchObject({
			verb: 'backup',
			group: GROUP,
			label: '20261120T020000Z-full-k3f9',
			actor,
			state: 'degraded',
			code: null,
			facts: { bytes: 17, kind: 'x', all: true },
			progress: null,
		});
		expect(Date.parse(run!.finishedAt!)).toBeGreaterThanOrEqual(Date.parse(run!.startedAt));
		expect(await keysIn(storage)).toEqual(await entriesIn(storage));
	});

	it('that throws has failed with its code, and was cancelled when somebody cancelled it', async () => {
		const storage = new MemoryStorage();
		for (const error of [
			new BackupError('damaged', 'a message with secret_table in it'),
			new BackupError('cancelled', 'stopped'),
			new Error('no error of ours'),
		]) {
			await expect(recordRun(storage, RUN, () => Promise.reject(error), OK)).rejects.toBe(error);
		}
		expect(await readRuns(storage, ALL)).toMatchObject([
			{ state: 'failed', code: 'damaged' },
			{ state: 'cancelled', code: 'cancelled' },
			{ state: 'failed', code: null },
		]);
		for (const key of await entriesIn(storage)) expect(await readText(storage, key)).not.toContain('secret_table');
	});

	it('sends heartbeats with its progress, one object at a time', async () => {
		const storage = new MemoryStorage();
		await recordRun(
			storage,
			{ ...RUN, beatMs: 5 },
			async (run) => {
				run.progress('storing', 5, 10);
				let progress: unknown = null;
				await until('the progress shows', async () => {
					progress = (await readRuns(storage, ALL))[0]?.progress ?? null;
					return JSON.stringify(progress).includes('storing');
				});
				expect(progress).toMatchObject({ phase: 'storing', bytes: 5, totalBytes: 10 });
				expect((await keysIn(storage)).filter((key) => key.includes('.beat-')).length).toBeLessThanOrEqual(2);
				expect(await readRuns(storage, ALL)).toMatchObject([{ state: 'running', finishedAt: null }]);
			},
			OK,
		);
		expect(await keysIn(storage)).toEqual(await entriesIn(storage));
	});

	it('of another machine is lost ten minutes after its last heartbeat by the storage’s clock', async () => {
		const storage = new MemoryStorage();
		let begun: (value: unknown) => void = () => undefined;
		const running = new Promise((resolve) => (begun = resolve));
		let end: (value: unknown) => void = () => undefined;
		const ending = new Promise((resolve) => (end = resolve));
		const work = recordRun(storage, RUN, async () => (begun(null), await ending), OK);
		await running;
		const write = storage.write.bind(storage);
		// What is written from now on is written so many minutes later.
		const later = (minutes: number) => {
			storage.write = async (...args) => {
				const object = await write(...args);
				return { ...object, modifiedAt: new Date(object.modifiedAt.getTime() + minutes * 60_000) };
			};
		};
		later(9);
		expect(await readRuns(storage, ALL)).toMatchObject([{ state: 'running' }]);
		later(11);
		expect(await readRuns(storage, ALL)).toMatchObject([{ state: 'lost', code: null }]);
		storage.write = write;
		end(null);
		await work;
		expect(await readRuns(storage, ALL)).toMatchObject([{ state: 'ok' }]);
	});

	it('that ends right after the journal was listed has ended, and is not called lost', async () => {
		const storage = new MemoryStorage();
		let end: (value: unknown) => void = () => undefined;
		const ending = new Promise((resolve) => (end = resolve));
		const work = recordRun(storage, RUN, async () => await ending, OK);
		await until('the run has begun', async () => (await entriesIn(storage)).length === 1);
		const list = storage.list.bind(storage);
		storage.list = async function* (...args) {
			yield* list(...args);
			storage.list = list;
			end(null);
			await work;
		};
		expect(await readRuns(storage, ALL)).toMatchObject([{ state: 'ok' }]);
	});

	it('is found by when it started', async () => {
		const storage = new MemoryStorage();
		const from = new Date();
		await recordRun(storage, RUN, async () => undefined, OK);
		const to = new Date();
		expect(await readRuns(storage, { from, to })).toHaveLength(1);
		expect(await readRuns(storage, { from: new Date(0), to: new Date(from.getTime() - 1) })).toEqual([]);
		expect(await readRuns(storage, { from: new Date(to.getTime() + 1), to: ALL.to })).toEqual([]);
	});
});

describe('a journal that cannot be written', () => {
	it('because the storage can only be read is one warning, and one attempt', async () => {
		const storage = new FaultyStorage(new MemoryStorage(), [{ on: 'write', then: { fail: denied } }]);
		const { warnings } = await recordRun(storage, { ...RUN, beatMs: 1 }, async () => undefined, OK);
		expect(warnings).toEqual(['the journal could not take its start: cannot write']);
		expect(storage.calls).toHaveLength(1);
	});

	it('because the storage does not answer holds a restore up for seconds only', async () => {
		for (const on of ['write', 'list'] as const) {
			const storage = new FaultyStorage(new MemoryStorage(), [{ on, then: 'hang' }]);
			const start = performance.now();
			const { warnings } = await recordRun(storage, { ...RUN, verb: 'restore' }, async () => undefined, OK);
			expect(performance.now() - start).toBeLessThan(15_000);
			expect(warnings).toEqual([
				expect.stringMatching(/could not take its start: .* did not answer within 5 seconds$/),
				expect.stringMatching(/could not take its end: .* did not answer within 5 seconds$/),
			]);
		}
	});

	it('at the end only is a warning, though the work was done', async () => {
		const storage = new FaultyStorage(new MemoryStorage());
		const result = await recordRun(
			storage,
			RUN,
			async (run) => {
				run.warn('of the work');
				storage.plan.push({ on: 'write', then: { fail: denied } });
				return 17;
			},
			OK,
		);
		expect(result).toEqual({
			value: 17,
			warnings: ['of the work', 'the journal could not take its end: cannot write'],
		});
		storage.plan.length = 0;
		expect(await readRuns(storage, ALL)).toMatchObject([{ state: 'lost' }]);
	});
});

describe('backups and verifications', () => {
	it('are written down with the label, and hold no secret and no name of a table', async () => {
		const storage = new MemoryStorage();
		const { identity, recipient } = await generateIdentity();
		const passphrase = 'planted-passphrase-4711';
		const plan = [
			{ encryption: { recipients: [recipient] }, keys: { identities: [identity] } },
			{ encryption: { passphrase }, keys: { passphrase } },
		];
		const labels: string[] = [];
		for (const { encryption, keys } of plan) {
			const job = { storage, group: GROUP, source: source('a row of secret_table\n'), encryption, signal: NEVER };
			const { manifest, warnings } = await backUp({ ...job, proveWith: keys, tags: ['audit'] });
			expect(warnings).toEqual([]);
			labels.push(manifest.label);
			const repository = await Repository.open(storage);
			const subject = { repository, group: GROUP, label: manifest.label, signal: NEVER };
			expect((await verifyBackup({ ...subject, depth: 'stored', keys: null })).warnings).toEqual([]);
			await verifyBackup({ ...subject, depth: 'readable', keys });
			await verifyBackup({ ...subject, depth: 'readable', keys: { passphrase: 'planted-wrong-one' } });
		}
		const runs = await readRuns(storage, ALL);
		expect(runs.map(({ verb, label }) => `${verb} ${label}`)).toEqual(
			labels.flatMap((label) => ['backup', 'verify', 'verify', 'verify'].map((verb) => `${verb} ${label}`)),
		);
		expect(runs[0]).toMatchObject({
			state: 'ok',
			facts: { originalBytes: 22, encryption: 'recipients', proved: true },
		});
		expect(runs[3]).toMatchObject({ state: 'failed', facts: { outcome: 'environment' } });
		const texts = await Promise.all((await entriesIn(storage)).map((key) => readText(storage, key)));
		for (const secret of [identity, passphrase, 'planted', 'secret_table']) {
			expect(texts.filter((text) => text.includes(secret))).toEqual([]);
		}
		const [entry] = await (await Repository.open(storage)).list(GROUP);
		expect(entry!.tags).toEqual(['audit']);
	});

	it('that fail are written down with their code', async () => {
		const storage = new MemoryStorage();
		const job = { storage, group: GROUP, encryption: null, signal: NEVER };
		const lost = new BackupError('connection-lost', 'the server went away');
		const broken: Source = { ...source(''), open: () => Promise.reject(lost) };
		await expect(backUp({ ...job, source: broken })).rejects.toBe(lost);
		await writeText(
			storage,
			`locks/${GROUP}.json`,
			JSON.stringify({ id: 'x', host: 'h', pid: 1, startedAt: new Date() }),
		);
		await expect(backUp({ ...job, source: source('') })).rejects.toMatchObject({ code: 'locked' });
		expect(await readRuns(storage, ALL)).toMatchObject([
			{ verb: 'backup', state: 'failed', code: 'connection-lost', label: null },
			{ verb: 'backup', state: 'failed', code: 'locked', label: null },
		]);
	});
});
