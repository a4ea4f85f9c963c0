/** A copy that is broken off, at every operation of both storages: no false backup, and the next attempt ends it. */
import { copyBackup, copyToAll } from '../../../core/verbs/copy/copy';
import { BackupError } from '../../../core/base/errors';
import { Repository } from '../../../core/records/repository';
import { MemoryStorage } from '../../../core/storage/memory';
import { type Storage } from '../../../core/storage/storage';
import { type Fault, FaultyStorage } from '../../support/faulty-storage';
import { GROUP, NEVER } from '../../support/small-backup';
import { buildBackup } from '../../support/build-backup';
import { assertConsistent, assertSound, contentOf, newRepository } from '../../support/stored-backups';

/** Lets operations through up to one, and fails from then on, or this one alone; streams fail in their middle. */
function failing(inner: Storage, nth: number, { once }: { once: boolean }) {
	const count = { calls: 0 };
	const lost = () =>
		new BackupError('connection-lost', 'the test cut the connection', { details: { transient: false } });
	const fails = () => (once ? ++count.calls === nth : ++count.calls >= nth);
	const middle: Fault = { on: 'read', after: 500, then: { fail: lost() } };
	const broken = new FaultyStorage(inner, [middle, { ...middle, on: 'write' }]);
	const storage: Storage = {
		location: inner.location,
		protection: inner.protection,
		write: async (key, body, options) => await (fails() ? broken : inner).write(key, body, options),
		read: async (key, options) => await (fails() ? broken : inner).read(key, options),
		stat: async (key) => await orLost(() => inner.stat(key)),
		list: async function* (prefix) {
			if (fails()) throw lost();
			yield* inner.list(prefix);
		},
		remove: async (key) => await orLost(() => inner.remove(key)),
		removeUnfinished: async (prefix, accept) => await orLost(() => inner.removeUnfinished(prefix, accept)),
		unfinished: (prefix) => inner.unfinished(prefix),
		space: async () => await orLost(() => inner.space()),
		close: async () => await inner.close(),
	};
	const orLost = async <T>(work: () => Promise<T>): Promise<T> => {
		if (fails()) throw lost();
		return await work();
	};
	return { storage, count };
}

const side = ['source', 'destination'] as const;
describe.each(side)('when the %s fails', (which) => {
	it.each([
		['once, at any operation', true],
		['for good, from any operation on', false],
	])(
		'%s',
		async (_, once) => {
			let failures = 0;
			for (let nth = 1; ; nth++) {
				const from = await newRepository();
				const full = await buildBackup(from, { bytes: 5_000, tags: ['audit'] });
				const label = await buildBackup(from, { bytes: 5_000, type: 'incremental', parents: [full] });
				const to = new MemoryStorage(`memory:to-${nth}`);
				const inner = which === 'source' ? from.storage : to;
				const { storage, count } = failing(inner, nth, { once });
				// The repository of the source was opened before it fails.
				const there = which === 'destination' ? storage : to;
				const here = which === 'source' ? at(from, storage) : from;
				const result = await copyBackup({ from: here, to: there, group: GROUP, label, signal: NEVER });
				const labels = await assertConsistent(to);
				if (result.status === 'failed') {
					failures++;
					expect(result).toMatchObject({ code: 'connection-lost' });
				} else expect(labels).toContain(label);
				expect(await copyBackup({ from, to, group: GROUP, label, signal: NEVER })).toMatchObject({
					code: null,
					status: expect.stringMatching(/copied|present/),
				});
				expect(await assertConsistent(to)).toEqual([full, label]);
				await assertSound(to);
				const original = await contentOf(from.storage);
				const copied = await contentOf(to);
				for (const [key, bytes] of original) expect(copied.get(key)).toEqual(bytes);
				if (count.calls < nth) break;
			}
			expect(failures).toBeGreaterThan(5);
		},
		120_000,
	);
});

describe('a copy that is cancelled', () => {
	it.each(side)('at any operation of the %s ends, leaves no false backup, and can be made again', async (which) => {
		let cancelled = 0;
		for (let nth = 1; ; nth++) {
			const from = await newRepository();
			const label = await buildBackup(from, { bytes: 5_000 });
			const to = new MemoryStorage(`memory:to-${nth}`);
			const stop = new AbortController();
			let calls = 0;
			const watched = watch(which === 'source' ? from.storage : to, () => {
				if (++calls === nth) stop.abort();
			});
			const here = which === 'source' ? at(from, watched) : from;
			const there = which === 'source' ? to : watched;
			const request = { group: GROUP, label, signal: stop.signal };
			const ended: unknown = await copyBackup({ ...request, from: here, to: there }).catch((error: unknown) => error);
			const labels = await assertConsistent(to);
			if (ended instanceof BackupError) {
				cancelled++;
				expect(ended).toMatchObject({ code: 'cancelled' });
			} else expect(labels).toEqual([label]);
			const again = await copyBackup({ from, to, group: GROUP, label, signal: NEVER });
			expect(again).toMatchObject({ code: null, warnings: [] });
			await assertSound(to);
			if (calls < nth) break;
		}
		expect(cancelled).toBeGreaterThan(5);
	});

	it('lets go of a storage that hangs', async () => {
		const from = await newRepository();
		const label = await buildBackup(from);
		for (const on of ['read', 'write'] as const) {
			const stop = new AbortController();
			const hangs: Fault = { on, key: /dump/, after: 1000, then: 'hang' };
			const [source, target] = [new FaultyStorage(from.storage), new FaultyStorage(new MemoryStorage(`memory:${on}`))];
			(on === 'read' ? source : target).plan.push(hangs);
			const ended = copyBackup({ from: at(from, source), to: target, group: GROUP, label, signal: stop.signal });
			setTimeout(() => stop.abort(), 50);
			await expect(ended).rejects.toMatchObject({ code: 'cancelled' });
			expect(await assertConsistent(target.inner)).toEqual([]);
		}
	});
});

describe('time limits', () => {
	const patience = { stallTimeoutMs: 400 };

	it.each<['source' | 'destination', Fault['on']]>([
		['destination', 'write'],
		['source', 'read'],
	])('a %s that stalls ends the copy, and is named', async (which, on) => {
		const from = await newRepository();
		const label = await buildBackup(from);
		const to = new MemoryStorage('memory:second');
		const hangs: Fault = { on, key: /dump/, after: 1000, then: 'hang' };
		const faulty = new FaultyStorage(which === 'source' ? from.storage : to, [hangs]);
		const sides = which === 'source' ? { from: at(from, faulty), to } : { from, to: faulty };
		const result = await copyBackup({ ...sides, group: GROUP, label, limits: patience, signal: NEVER });
		expect(result).toMatchObject({ status: 'failed', code: 'stalled' });
		expect(result.message).toContain(which === 'source' ? from.storage.location : to.location);
		expect(await assertConsistent(to)).toEqual([]);
	});

	it('a slow reader is no stall', async () => {
		const from = await newRepository();
		const label = await buildBackup(from, { bytes: 400_000 });
		const to = new MemoryStorage('memory:second');
		const limits = { stallTimeoutMs: 400, bytesPerSecond: 300_000 };
		const result = await copyBackup({ from, to, group: GROUP, label, limits, signal: NEVER });
		expect(result).toMatchObject({ status: 'copied' });
		expect(result.seconds).toBeGreaterThan(1);
	});

	it('one that takes too long ends', async () => {
		const from = await newRepository();
		const label = await buildBackup(from, { bytes: 4_000_000 });
		const to = new MemoryStorage('memory:second');
		const limits = { hardTimeoutMs: 300, bytesPerSecond: 300_000 };
		const result = await copyBackup({ from, to, group: GROUP, label, limits, signal: NEVER });
		expect(result).toMatchObject({ status: 'failed', code: 'timed-out' });
		expect(await assertConsistent(to)).toEqual([]);
	});

	it('one storage that stalls does not hold up the others', async () => {
		const from = await newRepository();
		const label = await buildBackup(from);
		const stuck = new FaultyStorage(new MemoryStorage('memory:stuck'), [{ on: 'write', key: /dump/, then: 'hang' }]);
		const to = new MemoryStorage('memory:second');
		const summary = await copyToAll({ from, to: [stuck, to], group: GROUP, label, limits: patience, signal: NEVER });
		expect(summary).toMatchObject({ outcome: 'degraded', results: [{ code: 'stalled' }, { status: 'copied' }] });
		expect(summary.results[1]!.seconds).toBeLessThan(summary.results[0]!.seconds);
	});
});

/** The same repository through another storage. */
function at(repository: Repository, storage: Storage): Repository {
	return Object.assign(Object.create(Repository.prototype) as Repository, repository, { storage });
}

/** Tells of every operation before it is done. */
function watch(inner: Storage, onCall: () => void): Storage {
	return new Proxy(inner, {
		get(target, name) {
			const value: unknown = Reflect.get(target, name);
			if (typeof value !== 'function') return value;
			return (...args: unknown[]): unknown => {
				onCall();
				return Reflect.apply(value, target, args);
			};
		},
	});
}
