/** What is tried again, what is not, and what comes out of it. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { BackupError, type ErrorCode } from '../../core/base/errors';
import { isTransient, retry } from '../../core/base/retry';
import { MemoryStorage } from '../../core/storage/memory';
import { REPLAY_LIMIT, RetryingStorage } from '../../core/storage/retrying';
import type { Protecting, Protection, Storage } from '../../core/storage/storage';
import { FaultyStorage, type Fault } from '../support/faulty-storage';
import { until } from '../support/until';
import { randomStream } from './conformance';

const POLICY = { attempts: 4, firstDelayMs: 1, maxDelayMs: 4 };
const lost = () => new BackupError('connection-lost', 'made up');
const fail = (error: Error) => ({ fail: error });

const LOCK: Protection = { until: new Date('2099-01-01T00:00:00.000Z'), mode: 'governance' };

/** One that only seems to have locks. */
class LockingMemory extends MemoryStorage {
	override readonly protection: Protecting = {
		extend: async () => undefined,
		until: async () => LOCK.until,
	};
}

function retrying(...plan: Fault[]) {
	const memory = new LockingMemory();
	const faulty = new FaultyStorage(memory, plan);
	return { memory, faulty, storage: new RetryingStorage(faulty, POLICY) };
}

const calls = (storage: FaultyStorage, operation: string) => storage.calls.filter(({ on }) => on === operation).length;
const small = () => Readable.from(['small']);

describe('what is transient', () => {
	it.each<[ErrorCode, boolean]>([
		['unreachable', true],
		['connection-lost', true],
		['stalled', true],
		['storage-failed', false],
		['access-denied', false],
		['wrong-credentials', false],
		['not-found', false],
		['already-exists', false],
		['storage-full', false],
		['untrusted-certificate', false],
		['cancelled', false],
		['timed-out', false],
	])('%s: %s', (code, wanted) => {
		expect(isTransient(new BackupError(code, 'made up'))).toBe(wanted);
	});

	it('what says so itself, either way, and nothing that is not ours', () => {
		expect(isTransient(new BackupError('storage-failed', 'made up', { details: { transient: true } }))).toBe(true);
		expect(isTransient(new BackupError('unreachable', 'made up', { details: { transient: false } }))).toBe(false);
		expect(isTransient(new Error('ECONNRESET'))).toBe(false);
	});
});

describe('retry', () => {
	it('tries as often as it may, waits longer each time, and never much longer than said', async () => {
		await fc.assert(
			fc.asyncProperty(fc.integer({ min: 1, max: 6 }), async (attempts) => {
				const times: number[] = [];
				const policy = { attempts, firstDelayMs: 8, maxDelayMs: 16 };
				const failing = retry(async () => {
					times.push(performance.now());
					throw lost();
				}, policy);
				await expect(failing).rejects.toMatchObject({ code: 'connection-lost', details: { attempts } });
				expect(times).toHaveLength(attempts);
				const pauses = times.slice(1).map((time, i) => time - times[i]!);
				pauses.forEach((pause, i) => expect(pause).toBeGreaterThan(Math.min(16, 8 * 2 ** i) / 2 - 2));
			}),
			{ numRuns: 8 },
		);
	});

	it('does not multiply when retries lie around retries', async () => {
		let runs = 0;
		const inner = () =>
			retry(async () => {
				runs++;
				throw lost();
			}, POLICY);
		await expect(retry(inner, POLICY)).rejects.toMatchObject({ code: 'connection-lost' });
		expect(runs).toBe(POLICY.attempts);
	});

	it('ends a pause at once when cancelled', async () => {
		const abort = new AbortController();
		const started = Date.now();
		const waiting = retry(
			async () => {
				setImmediate(() => abort.abort(new BackupError('timed-out', 'too long')));
				throw lost();
			},
			{ attempts: 3, firstDelayMs: 60_000, maxDelayMs: 60_000 },
			abort.signal,
		);
		await expect(waiting).rejects.toMatchObject({ code: 'timed-out' });
		expect(Date.now() - started).toBeLessThan(5_000);
	});
});

describe.each<[string, (storage: Storage) => Promise<unknown>]>([
	['write', (storage) => storage.write('new', small())],
	['read', (storage) => storage.read('old')],
	['stat', (storage) => storage.stat('old')],
	['list', (storage) => storage.list('')[Symbol.asyncIterator]().next()],
	['remove', (storage) => storage.remove('old')],
	['extend', async (storage) => await storage.protection?.extend('old', LOCK)],
	['until', async (storage) => await storage.protection?.until('old')],
	['removeUnfinished', (storage) => storage.removeUnfinished('')],
	['unfinished', (storage) => storage.unfinished('')[Symbol.asyncIterator]().next()],
	['space', (storage) => storage.space()],
])('%s', (name, act) => {
	const on = name as Fault['on'];

	it('succeeds after passing failures', async () => {
		const { memory, faulty, storage } = retrying(
			{ on, nth: 1, then: fail(lost()) },
			{ on, nth: 2, then: fail(lost()) },
		);
		await memory.write('old', small());
		await act(storage);
		expect(calls(faulty, name)).toBeGreaterThanOrEqual(2);
	});

	it('fails at once for good reasons', async () => {
		const error = new BackupError('access-denied', 'made up');
		const { faulty, storage } = retrying({ on, then: fail(error) });
		await expect(act(storage)).rejects.toBe(error);
		expect(calls(faulty, name)).toBe(1);
	});

	it('gives up after its attempts', async () => {
		const { faulty, storage } = retrying({ on, then: fail(lost()) });
		await expect(act(storage)).rejects.toMatchObject({ code: 'connection-lost', message: 'made up (tried 4 times)' });
		expect(calls(faulty, name)).toBe(4);
	});
});

describe('write', () => {
	it.each([0, 1, REPLAY_LIMIT])('repeats a body of %d bytes from memory', async (size) => {
		const { memory, storage } = retrying(
			{ on: 'write', nth: 1, then: fail(lost()) },
			{ on: 'write', nth: 2, after: 0, then: fail(lost()) },
		);
		const bytes = randomBytes(size);
		await storage.write('key', Readable.from(size > 0 ? [bytes] : [], { objectMode: false }));
		expect((await buffer(await memory.read('key'))).equals(bytes)).toBe(true);
	});

	it('does not repeat a longer body, which nobody has any more', async () => {
		const { faulty, storage } = retrying({ on: 'write', nth: 1, after: 100, then: fail(lost()) });
		await expect(storage.write('key', randomStream(REPLAY_LIMIT + 1))).rejects.toMatchObject({
			code: 'connection-lost',
		});
		expect(calls(faulty, 'write')).toBe(1);
	});

	it('does not take a failing body for a failing storage', async () => {
		const { faulty, storage } = retrying();
		const body = new Readable({ read: () => undefined });
		setImmediate(() => body.destroy(lost()));
		await expect(storage.write('key', body)).rejects.toMatchObject({ code: 'connection-lost', message: 'made up' });
		expect(calls(faulty, 'write')).toBe(0);
	});

	it('recognises what it wrote itself when only the answer was lost', async () => {
		const { memory, storage } = retrying({ on: 'write', nth: 1, then: { doAndFail: lost() } });
		expect(await storage.write('key', small())).toMatchObject({ key: 'key', size: 5 });
		expect((await buffer(await memory.read('key'))).toString()).toBe('small');
	});

	it.each(['other', 'other length'])('does not take somebody else’s object for its own: "%s"', async (text) => {
		const { memory, storage } = retrying({ on: 'write', nth: 1, then: fail(lost()) });
		await memory.write('key', Readable.from([text]));
		await expect(storage.write('key', small())).rejects.toMatchObject({ code: 'already-exists' });
	});

	it('refuses an existing key at its first attempt, even with the same bytes', async () => {
		const { storage } = retrying();
		await storage.write('key', small());
		await expect(storage.write('key', small())).rejects.toMatchObject({ code: 'already-exists' });
	});

	it('destroys a producer that waits for ever when the storage fails', async () => {
		const { storage } = retrying({ on: 'write', after: 10, then: fail(new BackupError('storage-full', 'made up')) });
		const body = Readable.from(
			(async function* () {
				yield randomBytes(REPLAY_LIMIT + 1);
				await new Promise(() => undefined);
			})(),
			{ objectMode: false },
		);
		await expect(storage.write('key', body)).rejects.toMatchObject({ code: 'storage-full' });
		expect(body.destroyed).toBe(true);
	});

	it('can be cancelled while the storage hangs', async () => {
		const { storage } = retrying({ on: 'write', then: 'hang' });
		const abort = new AbortController();
		setImmediate(() => abort.abort());
		await expect(storage.write('key', small(), { signal: abort.signal })).rejects.toMatchObject({ code: 'cancelled' });
	});
});

describe('read', () => {
	it('goes on where the connection broke, for any range', async () => {
		const bytes = randomBytes(300_000);
		const place = fc.integer({ min: 0, max: 300_000 });
		await fc.assert(
			fc.asyncProperty(
				place,
				fc.option(place, { nil: undefined }),
				fc.array(place, { maxLength: 3 }),
				async (start, length, breaks) => {
					const { memory, storage } = retrying(
						...breaks.map(
							(after, i): Fault => ({ on: 'read', nth: i + 1, after: after % 100_000, then: fail(lost()) }),
						),
					);
					await memory.write('key', Readable.from([bytes], { objectMode: false }));
					const wanted = bytes.subarray(start, length === undefined ? undefined : start + length);
					expect((await buffer(await storage.read('key', { start, length }))).equals(wanted)).toBe(true);
				},
			),
			{ numRuns: 40 },
		);
	});

	it('gives up when it no longer gets a byte further', async () => {
		const { memory, faulty, storage } = retrying({ on: 'read', after: 0, then: fail(lost()) });
		await memory.write('key', small());
		await expect(buffer(await storage.read('key'))).rejects.toMatchObject({ code: 'connection-lost' });
		expect(calls(faulty, 'read')).toBe(POLICY.attempts);
	});

	it('errors at once when the bytes are damaged', async () => {
		const error = new BackupError('damaged', 'made up');
		const { memory, faulty, storage } = retrying({ on: 'read', after: 3, then: fail(error) });
		await memory.write('key', small());
		await expect(buffer(await storage.read('key'))).rejects.toBe(error);
		expect(calls(faulty, 'read')).toBe(1);
	});
});

describe('list', () => {
	it('goes on after the last key it gave, and gives every key once', async () => {
		const wanted = ['a', 'b', 'c/d', 'c0', '𐐀'];
		const { memory, storage } = retrying(
			...[2, 3, 0].map((after, i): Fault => ({ on: 'list', nth: i + 1, after, then: fail(lost()) })),
		);
		for (const key of wanted) await memory.write(key, small());
		const keys: string[] = [];
		for await (const { key } of storage.list('')) keys.push(key);
		expect(keys).toEqual(wanted);
	});
});

describe('protection', () => {
	it('is null where the storage has none', () => {
		expect(new RetryingStorage(new MemoryStorage()).protection).toBeNull();
	});

	it('passes on what is wanted, and what is said', async () => {
		const { memory, storage } = retrying();
		const extend = jest.spyOn(memory.protection, 'extend');
		await storage.protection?.extend('old', LOCK);
		expect(extend.mock.calls).toEqual([['old', LOCK]]);
		expect(await storage.protection?.until('old')).toBe(LOCK.until);
	});

	it('does not repeat a removal that a lock forbids', async () => {
		const error = new BackupError('protected', 'made up', { details: { until: LOCK.until.toISOString() } });
		const { faulty, storage } = retrying({ on: 'remove', then: fail(error) });
		await expect(storage.remove('old')).rejects.toBe(error);
		expect(calls(faulty, 'remove')).toBe(1);
	});
});

it('writes with the same lock when it writes again', async () => {
	const { memory, storage } = retrying({ on: 'write', nth: 1, then: fail(lost()) });
	const write = jest.spyOn(memory, 'write').mockRejectedValue(new BackupError('unsupported', 'made up'));
	await expect(storage.write('new', small(), { protect: LOCK })).rejects.toMatchObject({ code: 'unsupported' });
	expect(write.mock.calls.map(([key, , options]) => [key, options?.protect])).toEqual([['new', LOCK]]);
});

describe('unfinished', () => {
	it('gives everything once, in order, although the listing broke in the middle', async () => {
		const wanted = ['a', 'b', 'c'].map((key) => ({ key, startedAt: new Date(0) }));
		const { memory, storage } = retrying();
		let attempts = 0;
		memory.unfinished = async function* () {
			yield* wanted.slice(0, 2);
			if (++attempts === 1) throw lost();
			yield* wanted.slice(2);
		};
		const found: unknown[] = [];
		for await (const each of storage.unfinished('')) found.push(each);
		expect(found).toEqual(wanted);
	});
});

it.each<[Fault['on'], (storage: Storage, signal: AbortSignal) => Promise<unknown>]>([
	['stat', (storage, signal) => storage.stat('old', { signal })],
	['list', (storage, signal) => storage.list('', { signal })[Symbol.asyncIterator]().next()],
	['remove', (storage, signal) => storage.remove('old', { signal })],
	['space', (storage, signal) => storage.space({ signal })],
])(
	'%s ends at once when cancelled, in the pause before another attempt as well as in one',
	async (on, act) => {
		const slow = { attempts: 3, firstDelayMs: 60_000, maxDelayMs: 60_000 };
		for (const then of [fail(lost()), 'hang' as const]) {
			const faulty = new FaultyStorage(new MemoryStorage(), [{ on, then }]);
			const abort = new AbortController();
			const ended = expect(act(new RetryingStorage(faulty, slow), abort.signal)).rejects.toMatchObject({
				code: 'cancelled',
			});
			await until('it was called', () => calls(faulty, on) === 1);
			abort.abort();
			await ended;
			expect(calls(faulty, on)).toBe(1);
		}
	},
	10_000,
);
