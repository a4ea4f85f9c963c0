/** The contract of `core/storage/storage.ts`, sentence by sentence, for any storage. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { BackupError } from '../../core/base/errors';
import { compareKeys } from '../../core/storage/key';
import type { Protection, Storage, Unfinished } from '../../core/storage/storage';
import { rounds } from '../support/soak';

export interface Subject {
	/** An empty storage. */
	storage: Storage;
	/** Everything that is there, objects and what is none: names as the storage's own medium has them. */
	everything(): Promise<string[]>;
	/** How an object is locked, behind the storage's back. */
	modeOf?(key: string): Promise<string>;
	/** Tidies up; the storage is closed before. */
	done?(): Promise<void>;
}

/** Where a storage differs, and why. */
export interface Deviations {
	/** A name cannot be an object and, followed by '/', the start of others. */
	namesAreFoldersOrObjects?: { reason: string };
	/** Two large writes of one key at the same moment: which of them is refused is not certain. */
	largeRaces?: { reason: string };
	/** Its objects can be locked. */
	protects?: boolean;
	/** Sizes at which this storage changes its way. */
	borders?: number[];
	/** How many keys are listed at once. @default enough for two pages of S3, which have 1,000 keys each */
	listed?: number;
	/** Bytes that make an object large here. @default 3 MiB */
	large?: number;
}

const MIB = 1024 * 1024;

export function describeStorage(name: string, make: () => Promise<Subject>, deviations: Deviations = {}): void {
	const large = deviations.large ?? 3 * MIB;

	describe(`storage contract: ${name}`, () => {
		let subject: Subject;
		let storage: Storage;
		beforeEach(async () => {
			subject = await make();
			storage = subject.storage;
		});
		afterEach(async () => {
			await storage.close();
			await subject.done?.();
		});

		const put = async (key: string, bytes: Buffer | string = key) =>
			await storage.write(key, bodyOf(Buffer.from(bytes)));
		const get = async (key: string, range = {}) => await buffer(await storage.read(key, range));
		const keys = async (prefix = '') => (await all(storage.list(prefix))).map(({ key }) => key);

		describe('write', () => {
			it('makes the object visible, with all its bytes, when the promise resolves', async () => {
				const bytes = randomBytes(100_000);
				const before = Date.now();
				const object = await storage.write('shop/label/dump.sql', bodyOf(bytes));
				expect(object).toMatchObject({ key: 'shop/label/dump.sql', size: 100_000 });
				expect(Math.abs(object.modifiedAt.getTime() - before)).toBeLessThan(60_000);
				expect(await storage.stat('shop/label/dump.sql')).toMatchObject({ key: object.key, size: object.size });
				expect(await keys()).toEqual(['shop/label/dump.sql']);
				expect((await get('shop/label/dump.sql')).equals(bytes)).toBe(true);
			});

			it('does not show the object before its last byte', async () => {
				const seen: unknown[] = [];
				const body = Readable.from(
					(async function* () {
						yield randomBytes(large);
						seen.push(await storage.stat('slow'), await keys());
						yield randomBytes(10);
					})(),
					{ objectMode: false },
				);
				await storage.write('slow', body);
				expect(seen).toEqual([null, []]);
			});

			it('stores an object of 0 bytes', async () => {
				expect(await storage.write('empty', Readable.from([]))).toMatchObject({ size: 0 });
				expect(await storage.stat('empty')).toMatchObject({ key: 'empty', size: 0 });
				expect(await get('empty')).toHaveLength(0);
			});

			it.each(deviations.borders ?? [1, 65_535, 65_536, 65_537, MIB - 1, MIB, MIB + 1])(
				'gives back %d bytes as they were',
				async (size) => {
					const sent = createHash('sha256');
					const object = await storage.write('border', hashed(randomStream(size), sent));
					expect(object.size).toBe(size);
					const received = createHash('sha256');
					for await (const chunk of await storage.read('border')) received.update(chunk as Buffer);
					expect(received.digest('hex')).toBe(sent.digest('hex'));
				},
			);

			it('leaves nothing behind when the body errors at once', async () => {
				const error = new BackupError('dump-failed', 'pg_dump ended with 3');
				const body = new Readable({ read: () => undefined });
				body.destroy(error);
				await expect(storage.write('a/b/c', body)).rejects.toBe(error);
				expect(await subject.everything()).toEqual([]);
			});

			it.each([1, 200_000, large])('leaves nothing behind when the body errors after %d bytes', async (size) => {
				const error = new BackupError('dump-failed', 'pg_dump ended with 3');
				await expect(storage.write('a/b/c', failing(size, error))).rejects.toBe(error);
				expect(await subject.everything()).toEqual([]);
			});

			it('leaves nothing behind when the body is closed before its end', async () => {
				const body = failing(200_000, undefined);
				await expect(storage.write('a/b/c', body)).rejects.toMatchObject({ code: 'incomplete' });
				expect(await subject.everything()).toEqual([]);
			});

			it('refuses a body that was already read, instead of storing nothing', async () => {
				const body = bodyOf(Buffer.from('x'));
				await buffer(body);
				await expect(storage.write('spent', body)).rejects.toBeInstanceOf(BackupError);
				expect(await subject.everything()).toEqual([]);
			});

			it.each([0, 200_000, large])('leaves nothing behind when aborted after %d bytes', async (size) => {
				const abort = new AbortController();
				const reason = new BackupError('timed-out', 'took longer than an hour');
				const body = endless(() => abort.abort(reason), size);
				await expect(storage.write('a/b/c', body, { signal: abort.signal })).rejects.toBe(reason);
				expect(body.destroyed).toBe(true);
				expect(await subject.everything()).toEqual([]);
			});

			it('writes nothing when aborted before', async () => {
				const body = bodyOf(Buffer.from('x'));
				await expect(storage.write('a/b/c', body, { signal: AbortSignal.abort() })).rejects.toMatchObject({
					code: 'cancelled',
				});
				expect(body.destroyed).toBe(true);
				expect(await subject.everything()).toEqual([]);
			});

			it('never overwrites', async () => {
				await put('once', 'first');
				const body = bodyOf(Buffer.from('second'));
				await expect(storage.write('once', body)).rejects.toMatchObject({ code: 'already-exists' });
				expect(body.destroyed).toBe(true);
				expect((await get('once')).toString()).toBe('first');
				expect(await subject.everything()).toHaveLength(1);
			});

			it('never overwrites with a large object', async () => {
				await put('once', 'first');
				await expect(storage.write('once', randomStream(large))).rejects.toMatchObject({ code: 'already-exists' });
				expect((await get('once')).toString()).toBe('first');
				expect(await subject.everything()).toHaveLength(1);
			});

			it('lets one of eight writers of a key win', async () => {
				const bodies = Array.from({ length: 8 }, (_, i) => Buffer.from(`writer ${i}`));
				const results = await Promise.allSettled(
					bodies.map((bytes) => storage.write('locks/shop.json', bodyOf(bytes))),
				);
				const winners = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
				expect(winners).toHaveLength(1);
				for (const result of results) {
					if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'already-exists' });
				}
				expect((await get('locks/shop.json')).toString()).toBe(`writer ${winners[0]}`);
				expect(await subject.everything()).toHaveLength(1);
			});

			it('keeps one whole object of two large ones that are written at the same time', async () => {
				const bodies = [randomBytes(large), randomBytes(large)];
				const results = await Promise.allSettled(bodies.map((bytes) => storage.write('both', bodyOf(bytes))));
				const winners = bodies.filter((_, i) => results[i]?.status === 'fulfilled');
				if (!deviations.largeRaces) expect(winners).toHaveLength(1);
				const kept = await get('both');
				expect(winners.some((bytes) => bytes.equals(kept))).toBe(true);
				expect(await subject.everything()).toHaveLength(1);
			});

			it('reports progress that grows up to the size', async () => {
				const progress: number[] = [];
				await storage.write('progress', randomStream(large), { onProgress: (bytes) => progress.push(bytes) });
				expect(progress).toEqual([...progress].sort((a, b) => a - b));
				expect(progress.at(-1)).toBe(large);
			});

			it('takes strings and byte arrays, and bodies in tiny and in huge pieces', async () => {
				await storage.write('text', Readable.from(['grün', new Uint8Array([33])]));
				expect((await get('text')).toString()).toBe('grün!');
				await storage.write('tiny', Readable.from(Array.from('x'.repeat(3_000)), { objectMode: false }));
				expect(await get('tiny')).toHaveLength(3_000);
				const huge = randomBytes(large);
				await storage.write('huge', Readable.from([huge], { objectMode: false }));
				expect((await get('huge')).equals(huge)).toBe(true);
			});
		});

		describe('read', () => {
			it('fails with not-found for a missing key', async () => {
				await expect(storage.read('missing')).rejects.toMatchObject({ code: 'not-found' });
				await expect(storage.read('missing/below', { start: 3, length: 0 })).rejects.toMatchObject({
					code: 'not-found',
				});
			});

			it('gives any range, and leaves out what lies beyond the end', async () => {
				const bytes = randomBytes(150_000);
				await put('ranges', bytes);
				const place = fc.nat({ max: 160_000 });
				await fc.assert(
					fc.asyncProperty(place, fc.option(place, { nil: undefined }), async (start, length) => {
						const wanted = bytes.subarray(start, length === undefined ? undefined : start + length);
						expect((await get('ranges', { start, length })).equals(wanted)).toBe(true);
					}),
					{
						numRuns: 30,
						examples: [
							[0, undefined],
							[0, 0],
							[0, 150_000],
							[149_999, 1],
							[150_000, 1],
							[150_000, undefined],
							[149_999, 2],
						],
					},
				);
			});

			it('gives nothing of an object of 0 bytes, whatever the range', async () => {
				await storage.write('empty', Readable.from([]));
				expect(await get('empty', { start: 0, length: 10 })).toHaveLength(0);
				expect(await get('empty', { start: 5 })).toHaveLength(0);
			});

			it.each([{ start: -1 }, { length: -1 }, { start: 0.5 }])('refuses the range %j', async (range) => {
				await put('ranges');
				await expect(storage.read('ranges', range)).rejects.toMatchObject({ code: 'invalid-input' });
			});

			it('errors with the reason when aborted in the middle', async () => {
				await put('long', randomBytes(large));
				const abort = new AbortController();
				const stream = await storage.read('long', { signal: abort.signal });
				await expect(
					(async () => {
						stream.once('data', () => abort.abort(new BackupError('timed-out', 'took too long')));
						await finished(stream);
					})(),
				).rejects.toMatchObject({ code: 'timed-out' });
			});

			it('fails with the reason when aborted before', async () => {
				await put('long');
				await expect(storage.read('long', { signal: AbortSignal.abort() })).rejects.toMatchObject({
					code: 'cancelled',
				});
			});

			it('can be given up in the middle, many times', async () => {
				await put('long', randomBytes(large));
				for (let i = 0; i < 20; i++) {
					const stream = await storage.read('long');
					await once(stream, 'readable');
					stream.destroy();
				}
				expect(await get('long', { start: 10, length: 5 })).toHaveLength(5);
			});
		});

		describe('stat', () => {
			it('is null for a missing key', async () => {
				await put('a/b');
				expect(await storage.stat('a/c')).toBeNull();
				expect(await storage.stat('a')).toBeNull();
				expect(await storage.stat('c/d/e')).toBeNull();
			});
		});

		describe('list', () => {
			it('gives every key once, in byte order, over all pages', async () => {
				const wanted = Array.from(
					{ length: deviations.listed ?? rounds(1_100, 2_500) },
					(_, i) => `runs/${String(i * 7919).padStart(8, '0')}.json`,
				);
				await inParallel(wanted, (key) => put(key, ''));
				expect(await keys()).toEqual(wanted.sort(compareKeys));
				expect(await keys('runs/0000')).toEqual(wanted.filter((key) => key.startsWith('runs/0000')));
			}, 120_000);

			it('orders by UTF-8 bytes, also around "/" and beyond U+FFFF', async () => {
				const wanted = ['a-b/x', 'a.b', 'a/b', 'a/b-c', 'a0', 'ab', 'z', 'é', '中/文', 'ﬁ', '𐐀'];
				for (const key of [...wanted].reverse()) await put(key);
				expect(await keys()).toEqual(wanted);
			});

			it('tells "app/" from "app-staging/"', async () => {
				for (const key of ['app/1', 'app/2', 'app-staging/1', 'application/1']) await put(key);
				expect(await keys('app/')).toEqual(['app/1', 'app/2']);
				expect(await keys('app')).toEqual(['app-staging/1', 'app/1', 'app/2', 'application/1']);
				expect(await keys('app/2')).toEqual(['app/2']);
			});

			it('is empty for a prefix that nothing has', async () => {
				await put('a/b');
				expect(await keys('b')).toEqual([]);
				expect(await keys('a/b/')).toEqual([]);
				expect(await keys('a/bc')).toEqual([]);
			});

			it('gives size and time', async () => {
				const written = await put('a/b', 'four');
				const [listed] = await all(storage.list('a/'));
				expect(listed).toMatchObject({ key: 'a/b', size: 4 });
				expect(Math.abs(listed!.modifiedAt.getTime() - written.modifiedAt.getTime())).toBeLessThan(1_500);
			});
		});

		describe('remove', () => {
			it('removes one object and nothing else', async () => {
				for (const key of ['a/b', 'a/c', 'ab']) await put(key);
				await storage.remove('a/b');
				expect(await keys()).toEqual(['a/c', 'ab']);
				await storage.remove('a/c');
				expect(await subject.everything()).toHaveLength(1);
			});

			it('does not mind that the object is missing', async () => {
				await put('a/b');
				await storage.remove('a/c');
				await storage.remove('a');
				await storage.remove('x/y/z');
				expect(await keys()).toEqual(['a/b']);
			});

			it('makes the key free again', async () => {
				await put('a', 'first');
				await storage.remove('a');
				await put('a', 'second');
				expect((await get('a')).toString()).toBe('second');
			});
		});

		describe('a signal that is aborted', () => {
			const reason = new BackupError('timed-out', 'took longer than an hour');
			const calls: Array<[string, (signal: AbortSignal) => Promise<unknown>]> = [
				['stat', (signal) => storage.stat('a/b', { signal })],
				['list', (signal) => all(storage.list('', { signal }))],
				['remove', (signal) => storage.remove('a/b', { signal })],
				['space', (signal) => storage.space({ signal })],
			];

			it.each(calls)('ends %s with its reason, before anything is done', async (_, call) => {
				await put('a/b');
				await expect(call(AbortSignal.abort(reason))).rejects.toBe(reason);
				expect(await keys()).toEqual(['a/b']);
			});

			it.each(calls)(
				'ends %s with its reason when it is aborted by something else than an error of ours',
				async (_, call) => {
					await expect(call(AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
				},
			);

			it('ends a listing after the object that it gave last', async () => {
				for (const key of ['a', 'b', 'c']) await put(key);
				const abort = new AbortController();
				const given: string[] = [];
				const listing = (async () => {
					for await (const { key } of storage.list('', { signal: abort.signal })) {
						given.push(key);
						abort.abort(reason);
					}
				})();
				await expect(listing).rejects.toBe(reason);
				expect(given).toEqual(['a']);
			});
		});

		describe('removeUnfinished', () => {
			it('finds nothing where nobody was killed, and leaves objects alone', async () => {
				await put('a/b');
				await put('a/large', randomBytes(large));
				expect(await storage.removeUnfinished('')).toBe(0);
				expect(await storage.removeUnfinished('a/')).toBe(0);
				expect(await all(storage.unfinished(''))).toEqual([]);
				expect(await keys()).toEqual(['a/b', 'a/large']);
			});

			it('goes by the facts that unfinished gives, below the prefix only', async () => {
				const since = Date.now();
				let seen: Unfinished[] = [];
				const asked: Unfinished[] = [];
				const accept = (key: string, startedAt: Date) => asked.push({ key, startedAt }) < 0;
				const body = Readable.from(
					(async function* () {
						yield randomBytes(large);
						// A storage that sends in the background needs a moment; one that has all in memory never shows any.
						for (let i = 0; i < 50 && seen.length === 0; i++) {
							await delay(10);
							seen = await all(storage.unfinished('a/'));
						}
						expect(await storage.removeUnfinished('a/', accept)).toBe(0);
						expect(await all(storage.unfinished('a/bc'))).toEqual([]);
						expect(await storage.removeUnfinished('a/bc')).toBe(0);
					})(),
					{ objectMode: false },
				);
				await storage.write('a/b', body);
				expect(asked.map(({ key }) => key)).toEqual(seen.map(({ key }) => key));
				for (const { key, startedAt } of [...seen, ...asked]) {
					expect(key).toBe('a/b');
					expect(startedAt.getTime()).toBeGreaterThan(since - 2_000);
					expect(startedAt.getTime()).toBeLessThan(Date.now() + 2_000);
				}
				expect(await all(storage.unfinished(''))).toEqual([]);
				expect(await keys()).toEqual(['a/b']);
			});
		});

		describe('protection', () => {
			const HOUR = 3_600_000;
			const protection = () => {
				if (!storage.protection) throw new Error('this storage has no locks');
				return storage.protection;
			};
			const inSeconds = (seconds: number): Date => new Date(Date.now() + seconds * 1_000);
			/** Up to a second later, never earlier. */
			const expectUntil = async (key: string, wanted: Date) => {
				const until = await protection().until(key);
				expect(until?.getTime()).toBeGreaterThanOrEqual(wanted.getTime());
				expect(until?.getTime()).toBeLessThan(wanted.getTime() + 1_001);
			};

			it('refuses to protect into the past', async () => {
				const protect: Protection = { until: new Date(Date.now() - HOUR), mode: 'governance' };
				const body = bodyOf(Buffer.from('x'));
				await expect(storage.write('a', body, { protect })).rejects.toMatchObject({
					code: deviations.protects ? 'invalid-input' : expect.stringMatching(/^(invalid-input|unsupported)$/),
				});
				expect(body.destroyed).toBe(true);
				expect(await subject.everything()).toEqual([]);
			});

			if (!deviations.protects) {
				it.each([1, large])('says unsupported for a lock on %d bytes, before a byte is written', async (size) => {
					const protect: Protection = { until: new Date(Date.now() + HOUR), mode: 'governance' };
					const body = randomStream(size);
					await expect(storage.write('a', body, { protect })).rejects.toMatchObject({
						code: 'unsupported',
						hint: expect.stringContaining('Object Lock'),
					});
					expect(body.destroyed).toBe(true);
					expect(await subject.everything()).toEqual([]);
				});

				it('has no locks, and says so', async () => {
					await put('a');
					if (storage.protection === null) return;
					const wanted: Protection = { until: new Date(Date.now() + HOUR), mode: 'governance' };
					expect(await storage.protection.until('a')).toBeNull();
					await expect(storage.protection.extend('a', wanted)).rejects.toMatchObject({ code: 'unsupported' });
					await storage.remove('a');
				});
				return;
			}

			it('keeps protected objects, visible and whole, until their time has come', async () => {
				const until = inSeconds(8);
				const bodies = new Map<string, Buffer>();
				for (const mode of ['governance', 'compliance'] as const) {
					for (const size of [0, 10, large]) {
						const bytes = randomBytes(size);
						await storage.write(`${mode}/${size}`, bodyOf(bytes), { protect: { until, mode } });
						bodies.set(`${mode}/${size}`, bytes);
					}
				}
				for (const [key, bytes] of bodies) {
					await expectUntil(key, until);
					const lock = (await protection().until(key))?.toISOString();
					await expect(storage.remove(key)).rejects.toMatchObject({
						code: 'protected',
						details: { until: lock },
						message: expect.stringContaining(lock ?? 'never'),
						hint: expect.any(String),
					});
					expect(await storage.stat(key)).toMatchObject({ key, size: bytes.length });
					expect((await get(key)).equals(bytes)).toBe(true);
				}
				expect(await keys()).toEqual([...bodies.keys()].sort(compareKeys));
				expect(await subject.everything()).toHaveLength(bodies.size);

				while (Date.now() < until.getTime() + 1_000) await delay(100);
				for (const key of bodies.keys()) {
					expect(await protection().until(key)).toBeNull();
					await storage.remove(key);
				}
				expect(await subject.everything()).toEqual([]);
			}, 60_000);

			it('says null for objects without a lock, and for those that are missing', async () => {
				await put('a');
				expect(await protection().until('a')).toBeNull();
				expect(await protection().until('b')).toBeNull();
				await storage.remove('a');
			});

			it('protects an object that was not, for as long as wanted', async () => {
				await put('a', 'first');
				const until = inSeconds(4);
				await protection().extend('a', { until, mode: 'compliance' });
				await expectUntil('a', until);
				await expect(storage.remove('a')).rejects.toMatchObject({ code: 'protected' });
				expect((await get('a')).toString()).toBe('first');
			});

			it.each(['governance', 'compliance'] as const)(
				'extends a lock in %s mode, and never shortens it',
				async (mode) => {
					const [first, longer, shorter] = [inSeconds(60), inSeconds(120), inSeconds(90)];
					await storage.write('a', bodyOf(Buffer.from('x')), { protect: { until: first, mode } });
					await protection().extend('a', { until: longer, mode });
					await expectUntil('a', longer);
					await protection().extend('a', { until: shorter, mode });
					await expectUntil('a', longer);
				},
			);

			it('keeps compliance when it extends by governance', async () => {
				const [first, longer, last] = [inSeconds(60), inSeconds(120), inSeconds(180)];
				await storage.write('a', bodyOf(Buffer.from('x')), { protect: { until: first, mode: 'compliance' } });
				await protection().extend('a', { until: longer, mode: 'governance' });
				await expectUntil('a', longer);
				expect(await subject.modeOf?.('a')).toBe('compliance');
				await protection().extend('a', { until: last, mode: 'compliance' });
				await expectUntil('a', last);
			});

			it('fails with not-found when what it should extend is missing', async () => {
				const wanted: Protection = { until: inSeconds(60), mode: 'governance' };
				await expect(protection().extend('a', wanted)).rejects.toMatchObject({ code: 'not-found' });
			});

			it('refuses to extend into the past', async () => {
				await put('a');
				const wanted: Protection = { until: inSeconds(-60), mode: 'governance' };
				await expect(protection().extend('a', wanted)).rejects.toMatchObject({ code: 'invalid-input' });
			});

			it('never overwrites a protected object', async () => {
				await storage.write('a', bodyOf(Buffer.from('first')), {
					protect: { until: inSeconds(60), mode: 'governance' },
				});
				await expect(put('a', 'second')).rejects.toMatchObject({ code: 'already-exists' });
				expect((await get('a')).toString()).toBe('first');
			});

			it('leaves nothing behind when the body of a protected object errors', async () => {
				const error = new BackupError('dump-failed', 'pg_dump ended with 3');
				const protect: Protection = { until: inSeconds(60), mode: 'compliance' };
				await expect(storage.write('a', failing(large, error), { protect })).rejects.toBe(error);
				expect(await subject.everything()).toEqual([]);
			});

			it('refuses keys that are none', async () => {
				const wanted: Protection = { until: inSeconds(60), mode: 'governance' };
				await expect(protection().extend('../a', wanted)).rejects.toMatchObject({ code: 'invalid-input' });
				await expect(protection().until('../a')).rejects.toMatchObject({ code: 'invalid-input' });
			});
		});

		describe('keys', () => {
			it.each([
				'plain',
				'with space',
				'a+b=c',
				'x@y,z',
				'(1) -_.',
				'a..b',
				'grün/日本/𐐀',
				'007',
				'1e5',
				'0x1F',
				'true',
				'a.partial',
				'k'.repeat(200),
			])('stores, lists, reads and removes "%s"', async (key) => {
				await put(key);
				expect(await keys()).toEqual([key]);
				expect(await keys(key)).toEqual([key]);
				expect((await get(key)).toString()).toBe(key);
				expect(await storage.stat(key)).toMatchObject({ key });
				await storage.remove(key);
				expect(await subject.everything()).toEqual([]);
			});

			it.each([
				'',
				'/',
				'/a',
				'a/',
				'a//b',
				'.',
				'..',
				'../a',
				'a/../../b',
				'a/.hidden',
				' a',
				'a ',
				'a\0b',
				'a\\b',
				'a\nb',
				'x'.repeat(201),
			])('refuses %j everywhere', async (key) => {
				const body = bodyOf(Buffer.from('x'));
				await expect(storage.write(key, body)).rejects.toMatchObject({ code: 'invalid-input' });
				expect(body.destroyed).toBe(true);
				await expect(storage.read(key)).rejects.toMatchObject({ code: 'invalid-input' });
				await expect(storage.stat(key)).rejects.toMatchObject({ code: 'invalid-input' });
				await expect(storage.remove(key)).rejects.toMatchObject({ code: 'invalid-input' });
				expect(await subject.everything()).toEqual([]);
			});

			const both = deviations.namesAreFoldersOrObjects;
			if (both) {
				it(`refuses a name as object and as folder (${both.reason})`, async () => {
					await put('a');
					await expect(put('a/b')).rejects.toMatchObject({ code: 'already-exists' });
					await put('c/d');
					await expect(put('c')).rejects.toMatchObject({ code: 'already-exists' });
					expect(await keys()).toEqual(['a', 'c/d']);
				});
			} else {
				it('can have one name as an object and as the start of others', async () => {
					await put('a');
					await put('a/b');
					expect(await keys()).toEqual(['a', 'a/b']);
					await storage.remove('a');
					expect(await keys()).toEqual(['a/b']);
				});
			}
		});

		it('behaves like a map from keys to bytes, whatever the order of calls', async () => {
			const key = fc.constantFrom('a/1', 'a/2', 'a-b/1', 'b', 'c/d/e');
			const step = fc.oneof(
				fc.record({ do: fc.constant('put' as const), key, bytes: fc.uint8Array({ maxLength: 50 }) }),
				fc.record({ do: fc.constant('remove' as const), key }),
				fc.record({ do: fc.constant('list' as const), key: fc.constantFrom('', 'a', 'a/', 'c/d') }),
			);
			await fc.assert(
				fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
					const model = new Map<string, Buffer>();
					for (const next of steps) {
						if (next.do === 'remove') {
							await storage.remove(next.key);
							model.delete(next.key);
						} else if (next.do === 'list') {
							const wanted = [...model.keys()].filter((each) => each.startsWith(next.key)).sort(compareKeys);
							expect(await keys(next.key)).toEqual(wanted);
						} else if (model.has(next.key)) {
							await expect(put(next.key, 'x')).rejects.toMatchObject({ code: 'already-exists' });
						} else {
							model.set(next.key, Buffer.from(next.bytes));
							await put(next.key, Buffer.from(next.bytes));
						}
					}
					for (const [each, bytes] of model) expect((await get(each)).equals(bytes)).toBe(true);
					for (const each of model.keys()) await storage.remove(each);
					expect(await subject.everything()).toEqual([]);
				}),
				{ numRuns: 15 },
			);
		});

		it('shows its location without a secret', () => {
			expect(storage.location).toMatch(/^(memory:|file:\/\/\/|s3:\/\/[a-z0-9-]+|sftp:\/\/\w+@[\w.:-]+\/)/);
		});
	});
}

async function all<T>(objects: AsyncIterable<T>): Promise<T[]> {
	const found: T[] = [];
	for await (const object of objects) found.push(object);
	return found;
}

function bodyOf(bytes: Buffer): Readable {
	return Readable.from(bytes.length > 0 ? [bytes] : [], { objectMode: false });
}

/** Random bytes in pieces of odd sizes. */
export function randomStream(size: number): Readable {
	return Readable.from(
		(function* () {
			for (let left = size; left > 0; ) {
				const piece = randomBytes(Math.min(left, 100_003));
				left -= piece.length;
				yield piece;
			}
		})(),
		{ objectMode: false },
	);
}

function hashed(source: Readable, hash: { update(bytes: Buffer): unknown }): Readable {
	return source.on('data', (chunk: Buffer) => hash.update(chunk)).pause();
}

/** So many bytes, then the error; without one, the stream just closes. */
function failing(size: number, error: Error | undefined): Readable {
	let sent = false;
	return new Readable({
		read() {
			if (sent) return void this.destroy(error);
			sent = true;
			this.push(randomBytes(size));
		},
	});
}

/** Goes on for ever; calls back once after so many bytes. */
function endless(reached: () => void, size: number): Readable {
	let sent = 0;
	return new Readable({
		read() {
			if (sent >= size && sent < Infinity) {
				sent = Infinity;
				setImmediate(reached);
			}
			sent += 50_000;
			setImmediate(() => this.push(randomBytes(50_000)));
		},
	});
}

async function inParallel<T>(items: T[], action: (item: T) => Promise<unknown>, limit = 24): Promise<void> {
	const queue = [...items];
	await Promise.all(
		Array.from({ length: limit }, async () => {
			for (let item = queue.pop(); item !== undefined; item = queue.pop()) await action(item);
		}),
	);
}
