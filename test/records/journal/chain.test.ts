/** Nothing can be taken out of the journal, changed or exchanged without it showing. */
import { setTimeout as delay } from 'node:timers/promises';
import { checkRuns } from '../../../core/verbs/check/check';
import { BackupError } from '../../../core/base/errors';
import { checkJournal, readNewestRuns, readRuns, recordRun } from '../../../core/records/journal/journal';
import { formatJournalEntry, hashOf, parseJournalEntry } from '../../../core/records/journal/entry';
import { readText, writeText } from '../../../core/records/small-objects';
import { MemoryStorage } from '../../../core/storage/memory';
import type { Storage, StoredObject } from '../../../core/storage/storage';
import { FaultyStorage } from '../../support/faulty-storage';
import { entriesIn, exchange, keysIn, replaceText } from '../../support/journal';

const ALL = { from: new Date('2020-01-01'), to: new Date('2040-01-01') };
const OK = () => ({ outcome: 'ok', facts: {} }) as const;

/** A storage whose clock a test sets; what is stored gets its time. */
class ClockedStorage extends MemoryStorage {
	constructor(public now: () => number) {
		super();
	}

	override async write(...args: Parameters<MemoryStorage['write']>): Promise<StoredObject> {
		const object = await super.write(...args);
		return Object.assign(object, { modifiedAt: new Date(this.now()) });
	}
}

function at(time: string): () => number {
	const start = performance.now();
	return () => Date.parse(time) + performance.now() - start;
}

async function pin(storage: Storage, clock?: () => number): Promise<string[]> {
	return (await recordRun(storage, { verb: 'pin', group: 'postgres/shop', clock }, async () => undefined, OK)).warnings;
}

/** Three runs on one day, two on the next, one on the day after. */
async function threeDays(): Promise<{ storage: ClockedStorage; keys: string[] }> {
	const storage = new ClockedStorage(at('2026-11-19T10:00:00Z'));
	for (let n = 0; n < 3; n++) await pin(storage, storage.now);
	storage.now = at('2026-11-20T10:00:00Z');
	for (let n = 0; n < 2; n++) await pin(storage, storage.now);
	storage.now = at('2026-11-21T10:00:00Z');
	await pin(storage, storage.now);
	return { storage, keys: await entriesIn(storage) };
}

const problemKeys = async (storage: Storage) => (await checkJournal(storage, ALL)).map(({ key }) => key);

describe('the chain of the journal', () => {
	it('is whole over days, numbers entries without a gap, and leaves nothing but entries', async () => {
		const { storage, keys } = await threeDays();
		expect(keys).toEqual([
			...[1, 2, 3, 4, 5, 6, 7].map((n) => `runs/2026-11-19/00000${n}.json`),
			...[1, 2, 3, 4, 5].map((n) => `runs/2026-11-20/00000${n}.json`),
			...[1, 2].map((n) => `runs/2026-11-21/00000${n}.json`),
		]);
		expect(await keysIn(storage)).toEqual(keys);
		expect(await checkJournal(storage, ALL)).toEqual([]);
		expect(await readRuns(storage, ALL)).toHaveLength(6);
	});

	it('is not listed again by a process that goes on with it', async () => {
		const storage = new FaultyStorage(new MemoryStorage('memory:followed'));
		await pin(storage);
		storage.calls.length = 0;
		for (let n = 0; n < 3; n++) await pin(storage);
		expect(storage.calls.filter(({ on }) => on === 'list')).toEqual([]);
		expect(await checkJournal(storage, ALL)).toEqual([]);
		expect(await readRuns(storage, ALL)).toHaveLength(4);
	});

	it('goes on where others have appended many, or where what this process appended is gone', async () => {
		const storage = new MemoryStorage('memory:shared');
		await pin(storage);
		// The same storage as another process has it.
		const elsewhere = Object.defineProperty(new FaultyStorage(storage), 'location', { value: 'memory:elsewhere' });
		for (let n = 0; n < 12; n++) await pin(elsewhere);
		await pin(storage);
		expect(await checkJournal(storage, ALL)).toEqual([]);
		expect(await readRuns(storage, ALL)).toHaveLength(14);
		for (const key of (await entriesIn(storage)).slice(-2)) await storage.remove(key);
		await pin(storage);
		expect(await checkJournal(storage, ALL)).toEqual([]);
		expect(await readRuns(storage, ALL)).toHaveLength(14);
	});

	it('is read from its end where it is long, and says since when', async () => {
		const { storage } = await threeDays();
		const newest = await readNewestRuns(storage, ALL, 6);
		expect(newest.runs.map(({ startedAt }) => startedAt.slice(0, 10))).toEqual([
			'2026-11-20',
			'2026-11-20',
			'2026-11-21',
		]);
		expect(newest.since.toISOString().slice(0, 10)).toBe('2026-11-20');
		expect(await readNewestRuns(storage, ALL, 100)).toEqual({ runs: await readRuns(storage, ALL), since: ALL.from });
	});

	it('shows every single entry that was removed, but for the last one', async () => {
		const { keys } = await threeDays();
		for (const key of keys.slice(0, -1)) {
			const { storage } = await threeDays();
			await storage.remove(key);
			expect({ key, found: (await problemKeys(storage)).length }).toEqual({ key, found: 1 });
		}
	});

	it('shows the removed first entry of a day, and a removed day', async () => {
		const { storage } = await threeDays();
		await storage.remove('runs/2026-11-20/000001.json');
		expect(await checkJournal(storage, ALL)).toEqual([{ key: 'runs/2026-11-20/000001.json', problem: 'is missing' }]);
		for (const key of await entriesIn(storage)) if (key.includes('2026-11-20')) await storage.remove(key);
		expect(await problemKeys(storage)).toEqual(['runs/2026-11-21/000001.json']);
		for (const key of await entriesIn(storage)) if (key.includes('2026-11-19')) await storage.remove(key);
		expect(await problemKeys(storage)).toEqual(['runs/2026-11-21/000001.json']);
	});

	it('shows that the beginning of the span does not follow what lies before it', async () => {
		const { storage } = await threeDays();
		await storage.remove('runs/2026-11-19/000007.json');
		const span = { from: new Date('2026-11-20T00:00:00Z'), to: ALL.to };
		expect(await checkJournal(storage, span)).toEqual([
			{ key: 'runs/2026-11-20/000001.json', problem: expect.stringContaining('does not follow') },
		]);
	});

	it('shows every single entry that was altered, the last one too', async () => {
		const { keys } = await threeDays();
		for (const key of keys) {
			const { storage } = await threeDays();
			const text = await readText(storage, key);
			await replaceText(storage, key, text.replace('"at": "2026', '"at": "2025'));
			expect({ key, found: await problemKeys(storage) }).toEqual({ key, found: [key] });
		}
	});

	it('shows an altered entry whose own checksum was made to fit', async () => {
		const { storage, keys } = await threeDays();
		for (const key of keys.slice(0, -1)) {
			const text = await readText(storage, key);
			const { previous, format: _, sha256: __, ...entry } = parseJournalEntry(text, key);
			await replaceText(storage, key, formatJournalEntry({ ...entry, at: '2026-11-18T00:00:00.000Z' }, previous));
			expect((await problemKeys(storage)).length).toBeGreaterThan(0);
			await replaceText(storage, key, text);
			expect(await problemKeys(storage)).toEqual([]);
		}
	});

	it('shows exchanged entries, neighbours or not, of one day or two', async () => {
		const { storage } = await threeDays();
		for (const [one, other] of [
			['2026-11-19/000001', '2026-11-19/000002'],
			['2026-11-19/000002', '2026-11-19/000005'],
			['2026-11-19/000007', '2026-11-20/000005'],
			['2026-11-19/000001', '2026-11-21/000002'],
		]) {
			await exchange(storage, `runs/${one}.json`, `runs/${other}.json`);
			expect((await problemKeys(storage)).length).toBeGreaterThan(0);
			await exchange(storage, `runs/${one}.json`, `runs/${other}.json`);
			expect(await problemKeys(storage)).toEqual([]);
		}
	});

	it('goes on after a damaged entry, which is a problem of the check and none of the list of runs', async () => {
		const { storage, keys } = await threeDays();
		await replaceText(storage, keys.at(-1)!, 'no entry');
		// Its time is the storage's, where next to none has passed since.
		await delay(20);
		await pin(storage, at('2026-11-21T11:00:00Z'));
		expect(await checkJournal(storage, ALL)).toEqual([{ key: keys.at(-1)!, problem: 'is not as it was written' }]);
		const runs = await readRuns(storage, ALL);
		expect(runs.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'lost', 'ok']);
	});

	it('goes on, that day and the next, after an entry that is too large to be one', async () => {
		const { storage, keys } = await threeDays();
		await replaceText(storage, keys.at(-1)!, 'x'.repeat(1024 * 1024 + 1));
		for (const now of ['2026-11-21T11:00:00Z', '2026-11-22T11:00:00Z']) {
			storage.now = at(now);
			expect(await pin(storage, storage.now)).toEqual([]);
		}
		expect(await checkJournal(storage, ALL)).toEqual([{ key: keys.at(-1)!, problem: 'is too large' }]);
	});

	it('does not take a listing for the truth: a place that is taken is never written again', async () => {
		const storage = new MemoryStorage();
		for (let n = 0; n < 3; n++) await pin(storage);
		// A listing that shows what was there some time ago.
		const old: StoredObject[] = [];
		for await (const object of storage.list('')) old.push(object);
		for (let n = 0; n < 3; n++) await pin(storage);
		const stale: Storage = Object.create(storage, {
			list: {
				value: async function* (prefix: string) {
					yield* old.filter(({ key }) => key.startsWith(prefix));
				},
			},
			write: { value: storage.write.bind(storage) },
			read: { value: storage.read.bind(storage) },
			remove: { value: storage.remove.bind(storage) },
		}) as Storage;
		expect(await pin(stale)).toEqual([]);
		expect(await checkJournal(storage, ALL)).toEqual([]);
		expect(await entriesIn(storage)).toHaveLength(14);
	});
});

describe('a clock that jumps, timestamps in the future', () => {
	it('a writer whose clock is a day ahead, or behind, writes where the storage’s clock says, and says so', async () => {
		const storage = new ClockedStorage(at('2026-11-20T10:00:00Z'));
		await pin(storage, storage.now);
		expect(await pin(storage, at('2026-11-21T10:00:00Z'))).toEqual([
			'this machine’s clock is 24.00 hours ahead of the storage’s',
		]);
		expect(await pin(storage, at('2026-11-19T10:00:00Z'))).toEqual([
			'this machine’s clock is 24.00 hours behind the storage’s',
		]);
		const keys = await keysIn(storage);
		expect(keys.filter((key) => !key.startsWith('runs/2026-11-20/00000'))).toEqual([]);
		expect(await checkJournal(storage, ALL)).toEqual([]);
		const runs = await readRuns(storage, { from: new Date('2026-11-20'), to: new Date('2026-11-21') });
		expect(runs.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
	});

	it('a storage whose own clock was a year ahead does not lead the chain there for good, and the check shows it', async () => {
		const storage = new ClockedStorage(at('2026-11-20T10:00:00Z'));
		await pin(storage, storage.now);
		storage.now = at('2027-11-20T10:00:00Z');
		await pin(storage, storage.now);
		storage.now = at('2026-11-20T11:00:00Z');
		await pin(storage, storage.now);
		expect(await checkJournal(storage, ALL)).toMatchObject([
			{ key: 'runs/2026-11-20/000004.json', problem: 'was written after the day was closed' },
			{ key: 'runs/2027-11-20/000001.json' },
		]);
		const runs = await readRuns(storage, { from: new Date('2026-11-20'), to: new Date('2026-11-21') });
		expect(runs.map(({ startedAt }) => startedAt.slice(0, 13))).toEqual(['2026-11-20T10', '2026-11-20T11']);
	});

	it('one forged entry does not move the journal to the year 9999', async () => {
		const storage = new ClockedStorage(at('2026-11-20T10:00:00Z'));
		await pin(storage, storage.now);
		const last = await readText(storage, 'runs/2026-11-20/000002.json');
		const forged = { kind: 'next-day', next: '9999-12-31', at: '2026-11-20T10:00:01.000Z' } as const;
		await writeText(storage, 'runs/2026-11-20/000003.json', formatJournalEntry(forged, hashOf(last)));
		const beginning = { kind: 'next-day', next: '9999-12-31', at: '2026-11-20T10:00:02.000Z' } as const;
		await writeText(storage, 'runs/9999-12-31/000001.json', formatJournalEntry(beginning, null));
		await pin(storage, storage.now);
		storage.now = at('2026-11-21T10:00:00Z');
		await pin(storage, storage.now);
		expect((await entriesIn(storage)).filter((key) => key.startsWith('runs/9999'))).toHaveLength(1);
		expect(await checkJournal(storage, ALL)).toEqual([
			{ key: 'runs/2026-11-20/000004.json', problem: 'was written after the day was closed' },
		]);
		const runs = await readRuns(storage, { from: new Date('2026-11-20'), to: new Date('2026-11-22') });
		expect(runs.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);

		const empty = new ClockedStorage(at('2026-11-20T10:00:00Z'));
		await writeText(empty, 'runs/9999-12-31/000001.json', formatJournalEntry(beginning, null));
		await pin(empty, empty.now);
		expect((await entriesIn(empty)).filter((key) => key.startsWith('runs/2026-11-20'))).toHaveLength(2);
	});

	it('an entry whose number is far beyond all others hides none of them, that day and the next, and the check shows it', async () => {
		const storage = new ClockedStorage(at('2026-11-20T10:00:00Z'));
		const forge = async (day: string) => {
			const forged = { kind: 'next-day', next: '9999-12-31', at: `${day}T10:00:01.000Z` } as const;
			await writeText(storage, `runs/${day}/999999999.json`, formatJournalEntry(forged, null));
		};
		await forge('2026-11-19');
		await pin(storage, storage.now);
		await forge('2026-11-20');
		// Another process, which knows nothing but what the listing shows.
		const elsewhere = Object.defineProperty(new FaultyStorage(storage), 'location', { value: 'memory:other-process' });
		await pin(elsewhere, storage.now);
		await forge('2026-11-21');
		storage.now = at('2026-11-21T10:00:00Z');
		expect(await pin(storage, storage.now)).toEqual([]);
		const runs = await readRuns(storage, { from: new Date('2026-11-20'), to: new Date('2026-11-22') });
		expect(runs.map(({ startedAt, state }) => [startedAt.slice(0, 10), state])).toEqual([
			['2026-11-20', 'ok'],
			['2026-11-20', 'ok'],
			['2026-11-21', 'ok'],
		]);
		expect(await checkJournal(storage, { from: new Date('2026-11-20'), to: ALL.to })).toEqual([
			{ key: 'runs/2026-11-20/000006.json', problem: 'is missing, with all up to number 999999998' },
			{ key: 'runs/2026-11-21/000003.json', problem: 'is missing, with all up to number 999999998' },
		]);
	});

	it('a run over midnight is found by its start, and the chain goes on in the next day', async () => {
		const storage = new ClockedStorage(at('2026-11-20T23:59:59.990Z'));
		const long = { verb: 'backup', group: 'postgres/shop', clock: storage.now } as const;
		await recordRun(storage, long, async () => await delay(30), OK);
		expect(await entriesIn(storage)).toEqual([
			'runs/2026-11-20/000001.json',
			'runs/2026-11-20/000002.json',
			'runs/2026-11-21/000001.json',
		]);
		expect(await checkJournal(storage, ALL)).toEqual([]);
		const runs = await readRuns(storage, {
			from: new Date('2026-11-20T12:00:00Z'),
			to: new Date('2026-11-20T23:59:59.999Z'),
		});
		expect(runs).toMatchObject([{ state: 'ok', startedAt: expect.stringContaining('2026-11-20') }]);
	});

	it('a DST night means nothing: days are those of UTC', async () => {
		const storage = new ClockedStorage(at('2026-10-25T00:59:00Z'));
		for (const time of ['00:59:00', '01:01:00', '01:59:00', '02:01:00']) {
			storage.now = at(`2026-10-25T${time}Z`);
			await pin(storage, storage.now);
		}
		expect(await checkJournal(storage, ALL)).toEqual([]);
		const runs = await readRuns(storage, {
			from: new Date('2026-10-25T00:00:00Z'),
			to: new Date('2026-10-26T00:00:00Z'),
		});
		expect(runs.map(({ startedAt }) => startedAt.slice(11, 16))).toEqual(['00:59', '01:01', '01:59', '02:01']);
	});
});

describe('the check', () => {
	it('asks nothing of a storage without a journal', async () => {
		expect(await checkRuns(new MemoryStorage())).toEqual([]);
	});

	it('says that the chain is whole, and what is not', async () => {
		const storage = new MemoryStorage();
		for (let n = 0; n < 2; n++) await pin(storage);
		expect(await checkRuns(storage)).toEqual([
			{ check: 'journal', ok: true, message: 'the journal of the last two days is whole: 4 entries' },
		]);
		const [, second] = await entriesIn(storage);
		await storage.remove(second!);
		expect(await checkRuns(storage)).toMatchObject([
			{ check: 'journal', ok: false, code: 'damaged', message: `the journal is not whole: ${second} is missing` },
		]);
	});

	it('says when the journal cannot be read', async () => {
		const storage = new MemoryStorage();
		await pin(storage);
		storage.read = async () => Promise.reject(new BackupError('access-denied', 'cannot read'));
		expect(await checkRuns(storage)).toMatchObject([{ check: 'journal', ok: false, code: 'access-denied' }]);
	});
});
