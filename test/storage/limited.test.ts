/** A storage that does not answer: whatever the verb and wherever in it, the run ends in time, and says why. */
import { openDump } from '../support/dump-source';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { backUp } from '../../core/verbs/backup/backup';
import { checkPlace } from '../../core/verbs/check/check';
import { copyBackup } from '../../core/verbs/copy/backup';
import { BackupError } from '../../core/base/errors';
import { applyRetention, surveyRetention } from '../../core/verbs/expire/expire';
import { recordRun } from '../../core/records/journal/journal';
import { unlessStuck } from '../../core/base/limits';
import { withLimits } from '../../core/verbs/run';
import { pinBackup } from '../../core/verbs/pin/pins';
import { prune } from '../../core/verbs/prune/prune';
import { Repository } from '../../core/records/repository';
import type { Source } from '../../core/sources/source';
import { limitStorage } from '../../core/storage/limited';
import { MemoryStorage } from '../../core/storage/memory';
import type { Storage } from '../../core/storage/storage';
import { verifyBackup } from '../../core/verbs/verify/verify';
import { makeTinyBackup } from '../support/tiny-backups';

const GROUP = 'postgres/shop';
const STALL_MS = 100;
const LIMITS = { stallTimeoutMs: STALL_MS, hardTimeoutMs: 60_000 };
/** Far more than a run needs to end, far less than for ever, on any machine. */
const IN_TIME_MS = 30_000;
const never = async () => await new Promise<never>(() => undefined);

/** From the `nth` call on, nothing of it answers any more, and it listens to no signal. */
function silentFrom(inner: Storage, nth: number) {
	const state = { calls: 0, onSilence: () => {} };
	const isSilent = () => {
		const silent = ++state.calls >= nth;
		if (silent) state.onSilence();
		return silent;
	};
	const storage: Storage = {
		location: inner.location,
		protection: null,
		write: async (...call) => (isSilent() ? await never() : await inner.write(...call)),
		read: async (...call) => (isSilent() ? await never() : await inner.read(...call)),
		stat: async (...call) => (isSilent() ? await never() : await inner.stat(...call)),
		remove: async (...call) => (isSilent() ? await never() : await inner.remove(...call)),
		removeUnfinished: async (...call) => (isSilent() ? await never() : await inner.removeUnfinished(...call)),
		space: async () => (isSilent() ? await never() : await inner.space()),
		async *list(prefix) {
			if (isSilent()) await never();
			yield* inner.list(prefix);
		},
		async *unfinished(prefix) {
			if (isSilent()) await never();
			yield* inner.unfinished(prefix);
		},
		close: async () => undefined,
	};
	return { storage, state };
}

const source: Source = {
	kind: 'postgres',
	open: async () =>
		openDump({
			body: Readable.from([Buffer.from('a row\n')]),
			finish: async () => ({ details: {}, contents: { format: 1, tables: [] }, warnings: [] }),
			close: async () => undefined,
		}),
};

interface Place {
	repository: Repository;
	label: string;
	signal: AbortSignal;
	limits: { stallTimeoutMs: number; hardTimeoutMs: number };
}

const policy = { last: 1 };
const VERBS: Array<[string, (place: Place) => Promise<unknown>]> = [
	[
		'dump',
		async ({ repository, ...more }) => {
			await backUp({ storage: repository.storage, group: GROUP, source, encryption: null, ...more });
		},
	],
	[
		'verify',
		async (place) => {
			const { outcome, code } = await verifyBackup({ group: GROUP, depth: 'stored', keys: null, ...place });
			if (outcome !== 'ok') throw new BackupError(code!, outcome);
		},
	],
	[
		'copy from it',
		async ({ repository, ...more }) => {
			const { code } = await copyBackup({
				from: repository,
				to: new MemoryStorage('memory:to'),
				group: GROUP,
				...more,
			});
			if (code !== null) throw new BackupError(code, 'not copied');
		},
	],
	[
		'copy to it',
		async ({ repository, ...more }) => {
			const from = new MemoryStorage('memory:from');
			const { label } = await makeTinyBackup(from, GROUP);
			const to = repository.storage;
			const { code } = await copyBackup({ from: await Repository.open(from), to, group: GROUP, ...more, label });
			if (code !== null) throw new BackupError(code, 'not copied');
		},
	],
	['expire', async (place) => await applyRetention({ group: GROUP, policy, ...place })],
	['plan', async (place) => await surveyRetention({ policy, ...place })],
	['prune', async (place) => await prune({ apply: true, graceHours: 0, ...place })],
	['pin', async (place) => await pinBackup({ group: GROUP, ...place })],
	[
		'check',
		async ({ repository, signal, limits }) => {
			const found = await checkPlace(repository.storage, signal, limits.stallTimeoutMs);
			for (const { code, ok, message } of found) if (!ok) throw new BackupError(code as 'stalled', message);
		},
	],
];

/** How a verb ends on a storage that is silent from its nth call on: null when it ended well. */
async function end(verb: (place: Place) => Promise<unknown>, nth: number, cancelled: boolean) {
	const memory = new MemoryStorage();
	const { label } = await makeTinyBackup(memory, GROUP);
	const repository = await Repository.open(memory);
	const { storage, state } = silentFrom(memory, nth);
	const stop = new AbortController();
	if (cancelled) state.onSilence = () => void delay(20).then(() => stop.abort());
	const limits = cancelled ? { ...LIMITS, stallTimeoutMs: 2000 } : LIMITS;
	const run = verb({ repository: repository.through(storage), label, signal: stop.signal, limits });
	const late = delay(IN_TIME_MS, 'did not end', { ref: false });
	const ended = await Promise.race([
		run.then(
			() => null,
			(error: unknown) => error,
		),
		late,
	]);
	return { ended, calls: state.calls };
}

/** Every verb, silent from every one of its calls on; all at once, since all they do is wait. */
async function endEach(cancelled: boolean): Promise<Map<string, unknown[]>> {
	const all = VERBS.map(async ([name, verb]) => {
		const { ended, calls } = await end(verb, Infinity, false);
		expect([name, ended]).toEqual([name, null]);
		const each = Array.from({ length: calls }, async (_, index) => (await end(verb, index + 1, cancelled)).ended);
		// A journal that cannot be written fails no run, and at its end little else is to do.
		return [name, (await Promise.all(each)).filter((ended) => ended !== null)] as const;
	});
	return new Map(await Promise.all(all));
}

describe('every verb', () => {
	it('ends as stalled, whichever call is the first that is never answered', async () => {
		for (const [name, ends] of await endEach(false)) {
			expect([name, ends.length > 1]).toEqual([name, true]);
			for (const ended of ends) expect(ended).toMatchObject({ code: expect.stringMatching(/^(stalled|timed-out)$/) });
		}
	}, 60_000);

	it('ends as cancelled, whichever call it is cancelled in', async () => {
		const ends = await endEach(true);
		// What a check could not remove again is its finding.
		ends.delete('check');
		for (const each of ends.values()) {
			for (const ended of each) expect(ended).toMatchObject({ code: 'cancelled' });
		}
	}, 60_000);
});

describe('the maximum duration', () => {
	const HARD = { hardTimeoutMs: 100 };

	it('ends a dump whose source does not open, and closes it when it opens after all', async () => {
		let open = () => {};
		let closed = false;
		const slow: Source = {
			kind: 'postgres',
			open: async (options) => {
				await new Promise<void>((resolve) => (open = resolve));
				return { ...(await source.open(options))!, close: async () => void (closed = true) };
			},
		};
		const storage = new MemoryStorage();
		const run = backUp({
			storage,
			group: GROUP,
			source: slow,
			encryption: null,
			limits: HARD,
			signal: new AbortController().signal,
		});
		await expect(run).rejects.toMatchObject({ code: 'timed-out', hint: expect.stringContaining('maximum duration') });
		for await (const { key } of storage.list('locks/')) throw new Error(`${key} was left`);
		open();
		await delay(20);
		expect(closed).toBe(true);
	});

	it('ends a dump whose source never says what it held', async () => {
		const mute: Source = {
			kind: 'postgres',
			open: async (options) => ({ ...(await source.open(options))!, finish: never }),
		};
		const run = backUp({
			storage: new MemoryStorage(),
			group: GROUP,
			source: mute,
			encryption: null,
			limits: HARD,
			signal: new AbortController().signal,
		});
		await expect(run).rejects.toMatchObject({ code: 'timed-out' });
	});

	it('ends a run that listens to nothing, and the journal hears of it', async () => {
		const { signal } = new AbortController();
		const stuck = withLimits(
			{ limits: HARD, signal, advice: 'wait' },
			async (run) => await unlessStuck(never(), run.signal, 50),
		);
		await expect(stuck).rejects.toMatchObject({ code: 'timed-out', message: expect.stringContaining('did not end') });
		const stop = new AbortController();
		const storage = new MemoryStorage();
		const about = { verb: 'backup', group: GROUP, signal: stop.signal, endingMs: 50 } as const;
		const run = recordRun(storage, about, never, () => ({ outcome: 'ok', facts: {} }));
		setTimeout(() => stop.abort(), 20);
		await expect(run).rejects.toMatchObject({ code: 'cancelled' });
		const entries: string[] = [];
		for await (const { key } of storage.list('runs/')) entries.push(key);
		expect(entries).toHaveLength(2);
	});
});

it('ends an endless listing, and a stream that stands still, when the run is told to stop', async () => {
	const stop = new AbortController();
	const endless = silentFrom(new MemoryStorage(), Infinity).storage;
	endless.list = async function* () {
		for (let n = 0; ; n++) {
			await delay(1);
			yield { key: `k${n}`, size: 1, modifiedAt: new Date() };
		}
	};
	endless.read = async () => new Readable({ read: () => undefined });
	const storage = limitStorage(endless, { stallTimeoutMs: 60_000, signal: stop.signal });
	const listing = (async () => {
		for await (const { key } of storage.list('')) expect(key).toBeTruthy();
	})();
	const reading = (await storage.read('object')).toArray();
	setTimeout(() => stop.abort(), 20);
	await expect(listing).rejects.toMatchObject({ code: 'cancelled' });
	await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
});

describe('a run that is told to stop', () => {
	/** What it is asked hangs, and is heard to be aborted with this. */
	function listening() {
		const heard: unknown[] = [];
		const hang = async (signal: AbortSignal | undefined) =>
			await new Promise<never>((_, reject) => {
				signal?.addEventListener('abort', () => {
					heard.push(signal.reason);
					reject(signal.reason as Error);
				});
			});
		const storage = silentFrom(new MemoryStorage(), Infinity).storage;
		storage.stat = async (_, options) => await hang(options?.signal);
		storage.remove = async (_, options) => await hang(options?.signal);
		storage.space = async (options) => await hang(options?.signal);
		storage.list = async function* (_, options) {
			yield await hang(options?.signal);
		};
		return { storage, heard };
	}
	const reason = new BackupError('timed-out', 'took longer than an hour');

	it.each<[string, (storage: Storage) => Promise<unknown>]>([
		['stat', (storage) => storage.stat('key')],
		['list', (storage) => storage.list('')[Symbol.asyncIterator]().next()],
		['space', (storage) => storage.space()],
	])('tells the storage below at once, in %s', async (_, call) => {
		const stop = new AbortController();
		const { storage, heard } = listening();
		const calling = expect(call(limitStorage(storage, { stallTimeoutMs: 60_000, signal: stop.signal }))).rejects.toBe(
			reason,
		);
		stop.abort(reason);
		await calling;
		expect(heard).toEqual([reason]);
	});

	it('lets a removal go on for five seconds, and then tells the storage below', async () => {
		const stop = new AbortController();
		const { storage, heard } = listening();
		const removing = expect(
			limitStorage(storage, { stallTimeoutMs: 60_000, signal: stop.signal }).remove('key'),
		).rejects.toBe(reason);
		stop.abort(reason);
		await delay(1000);
		expect(heard).toEqual([]);
		await removing;
		expect(heard).toEqual([reason]);
	}, 20_000);

	it('ends a removal at once for the caller’s own signal', async () => {
		const stop = new AbortController();
		const { storage, heard } = listening();
		const limited = limitStorage(storage, { stallTimeoutMs: 60_000 });
		const removing = expect(limited.remove('key', { signal: stop.signal })).rejects.toBe(reason);
		stop.abort(reason);
		await removing;
		expect(heard).toEqual([reason]);
	});
});
