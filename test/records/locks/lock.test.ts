import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { acquireLock, findStaleLocks, removeStaleLocks } from '../../../core/records/locks/lock';
import { thisHost } from '../../../core/base/process-identity';
import { startReading } from '../../../core/records/locks/read-marks';
import { writeText } from '../../../core/records/small-objects';
import { FolderStorage } from '../../../core/storage/folder/folder';
import { MemoryStorage } from '../../../core/storage/memory';
import { OverwritingStorage } from '../../support/overwriting-storage';

const GROUP = 'postgres/shop';
const LABEL = '20261120T020000Z-full-aaaa';
const THIS_HOST = thisHost();

async function locks(storage: MemoryStorage): Promise<string[]> {
	const found: string[] = [];
	for await (const { key } of storage.list('locks/')) found.push(key);
	return found;
}

async function leaveLock(storage: MemoryStorage, holder: { host: string; pid: number }): Promise<void> {
	const text = JSON.stringify({ id: 'earlier', startedAt: '2026-11-20T02:00:00.000Z', ...holder });
	await writeText(storage, `locks/${GROUP}.json`, text);
}

async function deadPid(): Promise<number> {
	const child = spawn('true');
	await once(child, 'exit');
	return child.pid!;
}

describe('the lock of a group', () => {
	it('lets one in, says who holds it, and leaves nothing when it is given back', async () => {
		const storage = new MemoryStorage();
		const lock = await acquireLock(storage, GROUP);
		await expect(acquireLock(storage, GROUP)).rejects.toMatchObject({
			code: 'locked',
			details: { pid: process.pid, host: hostname() },
			hint: expect.stringContaining(`If there is no such run, remove ${storage.location}/locks/${GROUP}.json.`),
		});
		await lock.release();
		expect(await locks(storage)).toEqual([]);
		await (await acquireLock(storage, GROUP)).release();
	});

	it('can be read by others also where its holder has a very long name', async () => {
		const storage = new MemoryStorage();
		const long = 'x'.repeat(300);
		const lock = await acquireLock(storage, GROUP, { actor: { via: 'script', workflow: long, execution: long } });
		await expect(acquireLock(storage, GROUP)).rejects.toMatchObject({ details: { workflow: 'x'.repeat(200) } });
		await lock.release();
	});

	it('has one winner among many', async () => {
		const storage = new MemoryStorage();
		const results = await Promise.allSettled(Array.from({ length: 20 }, () => acquireLock(storage, GROUP)));
		expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
	});

	describe('where the storage cannot promise that one of several writers wins', () => {
		const settleMs = 100;

		it('has one winner among those who write in the same moment, and the others see who', async () => {
			const storage = new OverwritingStorage();
			const results = await Promise.allSettled(
				Array.from({ length: 5 }, () => acquireLock(storage, GROUP, { settleMs })),
			);
			const won = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
			expect(won).toHaveLength(1);
			for (const result of results) {
				if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'locked' });
			}
			await won[0]!.assertHeld();
			await won[0]!.release();
			expect(await locks(storage)).toEqual([]);
		});

		it('has several without the second look: that is what it is for', async () => {
			const storage = new OverwritingStorage();
			const taken = await Promise.all(Array.from({ length: 2 }, () => acquireLock(storage, GROUP)));
			const held = await Promise.allSettled(taken.map((lock) => lock.assertHeld()));
			expect(held.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
			await Promise.all(taken.map((lock) => lock.release()));
		});

		it('lets who lost wait for who won', async () => {
			const storage = new OverwritingStorage();
			const runs = Array.from({ length: 2 }, async () => {
				const lock = await acquireLock(storage, GROUP, { settleMs, waitMs: 10_000 });
				await lock.release();
			});
			await Promise.all(runs);
			expect(await locks(storage)).toEqual([]);
		});

		it('leaves none when it is cancelled meanwhile', async () => {
			const storage = new OverwritingStorage();
			const stop = new AbortController();
			const taking = acquireLock(storage, GROUP, { settleMs: 60_000, signal: stop.signal });
			setTimeout(() => stop.abort(), 100);
			await expect(taking).rejects.toMatchObject({ code: 'cancelled' });
			expect(await locks(storage)).toEqual([]);
		});
	});

	it('does not hold up other groups, even with a common name prefix', async () => {
		const storage = new MemoryStorage();
		await acquireLock(storage, 'app');
		await (await acquireLock(storage, 'app-staging')).release();
		await (await acquireLock(storage, 'app/inner')).release();
	});

	it('of a process that no longer exists is broken at once, and the run says so', async () => {
		const storage = new MemoryStorage();
		await leaveLock(storage, { host: THIS_HOST, pid: await deadPid() });
		const lock = await acquireLock(storage, GROUP);
		expect(lock.warnings).toEqual([
			expect.stringMatching(/^broke the lock of .* \(process \d+, backup\) since .*: that run no longer exists$/),
		]);
		await lock.release();
		expect(await locks(storage)).toEqual([]);
	});

	it('of an earlier process with our own pid is broken', async () => {
		const storage = new MemoryStorage();
		await leaveLock(storage, { host: THIS_HOST, pid: process.pid });
		expect((await acquireLock(storage, GROUP)).warnings).toHaveLength(1);
	});

	it('of another machine is kept while it sends heartbeats, and broken after', async () => {
		const storage = new MemoryStorage();
		await leaveLock(storage, { host: 'elsewhere', pid: 7 });
		await expect(acquireLock(storage, GROUP)).rejects.toMatchObject({ code: 'locked' });
		await sleep(600);
		await writeText(storage, `locks/${GROUP}.alive-earlier-1.json`, '{}');
		await expect(acquireLock(storage, GROUP, { staleAfterMs: 500 })).rejects.toMatchObject({ code: 'locked' });
		await sleep(600);
		const lock = await acquireLock(storage, GROUP, { staleAfterMs: 500 });
		expect(lock.warnings).toEqual([expect.stringContaining('sent no heartbeat')]);
		await lock.release();
		expect(await locks(storage)).toEqual([]);
	});

	it('that is dated in the future, with a right to break it that is, holds nobody up', async () => {
		const folder = mkdtempSync(join(tmpdir(), 'lock-'));
		try {
			const storage = new FolderStorage({ path: folder });
			const holder = { id: 'earlier', host: 'elsewhere', pid: 7, startedAt: '2099-01-01T00:00:00.000Z' };
			const right = { id: 'breaker', host: 'elsewhere', pid: 7 };
			for (const [name, content] of [
				['', { ...holder, purpose: 'retention' }],
				['.alive-earlier-1', {}],
				['.break-earlier', right],
			] as const) {
				await writeText(storage, `locks/${GROUP}${name}.json`, JSON.stringify(content));
				utimesSync(join(folder, `locks/${GROUP}${name}.json`), new Date('2099-01-01'), new Date('2099-01-01'));
			}
			const [found] = await findStaleLocks(storage);
			expect(found?.description).toContain('has only heartbeats that are dated in the future');
			const reading = await startReading(storage, GROUP, LABEL, { verb: 'restore' });
			await reading.stop();
			expect(reading.warnings).toEqual([expect.stringContaining('has only heartbeats that are dated in the future')]);
			await (await acquireLock(storage, GROUP)).release();
			expect(readdirSync(folder)).toEqual([]);
		} finally {
			rmSync(folder, { recursive: true });
		}
	});

	it('is broken by one of many, who then holds it alone', async () => {
		const storage = new MemoryStorage();
		await leaveLock(storage, { host: THIS_HOST, pid: await deadPid() });
		const results = await Promise.allSettled(Array.from({ length: 20 }, () => acquireLock(storage, GROUP)));
		expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
	});

	it('can be broken although runs died while breaking it, one after the other', async () => {
		const storage = new MemoryStorage();
		const pid = await deadPid();
		await leaveLock(storage, { host: THIS_HOST, pid });
		const right = { id: 'first', host: THIS_HOST, pid };
		await writeText(storage, `locks/${GROUP}.break-earlier.json`, JSON.stringify(right));
		await writeText(storage, `locks/${GROUP}.break-first.json`, JSON.stringify({ ...right, id: 'second' }));
		const results = await Promise.allSettled(Array.from({ length: 20 }, () => acquireLock(storage, GROUP)));
		const held = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
		expect(held).toHaveLength(1);
		await held[0]!.release();
		expect(await locks(storage)).toEqual([]);
	});

	it('leaves no right to break it for good, although the run that broke it was killed before it could remove that', async () => {
		const storage = new MemoryStorage();
		const pid = await deadPid();
		const right = { id: 'first', host: THIS_HOST, pid };
		await writeText(storage, `locks/${GROUP}.break-abcdefghjkmn.json`, JSON.stringify(right));
		await writeText(storage, `locks/${GROUP}.break-bcdefghjkmnp.json`, JSON.stringify({ ...right, host: 'elsewhere' }));
		const lock = await acquireLock(storage, GROUP);
		// As long as there is a lock, it might be part of breaking that one.
		expect(await removeStaleLocks(storage)).toEqual([]);
		await lock.release();
		expect(await removeStaleLocks(storage)).toEqual([
			{
				key: `locks/${GROUP}.break-abcdefghjkmn.json`,
				description: expect.stringContaining('left by a run of postgres/shop'),
			},
		]);
		// Of another machine only time can tell.
		expect(await locks(storage)).toEqual([`locks/${GROUP}.break-bcdefghjkmnp.json`]);
	});

	it('is left to who is breaking it just now, until that one sends no heartbeat', async () => {
		const storage = new MemoryStorage();
		await leaveLock(storage, { host: THIS_HOST, pid: await deadPid() });
		const right = { id: 'breaker', host: 'elsewhere', pid: 7 };
		await writeText(storage, `locks/${GROUP}.break-earlier.json`, JSON.stringify(right));
		await expect(acquireLock(storage, GROUP)).rejects.toMatchObject({ code: 'locked' });
		await sleep(30);
		await (await acquireLock(storage, GROUP, { staleAfterMs: 25 })).release();
		expect(await locks(storage)).toEqual([]);
	});

	it('is waited for as long as one likes, and who waits hears of the holder once', async () => {
		const storage = new MemoryStorage();
		const lock = await acquireLock(storage, GROUP, { purpose: 'copy' });
		const heard: unknown[] = [];
		const onWait = (holder: unknown) => heard.push(holder);
		const waiting = acquireLock(storage, GROUP, { waitMs: 60_000, onWait });
		while (heard.length === 0) await sleep(1);
		await expect(acquireLock(storage, GROUP, { waitMs: 300 })).rejects.toMatchObject({
			code: 'locked',
			message: expect.stringMatching(/^postgres\/shop is locked by .* \(process \d+, copy\) since /),
		});
		await lock.release();
		await (await waiting).release();
		expect(heard).toMatchObject([{ host: hostname(), pid: process.pid, purpose: 'copy' }]);
		expect(await locks(storage)).toEqual([]);
	});

	it('is no longer waited for by who was cancelled', async () => {
		const storage = new MemoryStorage();
		const lock = await acquireLock(storage, GROUP);
		const stop = new AbortController();
		const waiting = acquireLock(storage, GROUP, { waitMs: 60_000, signal: stop.signal, onWait: () => stop.abort() });
		await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
		await lock.assertHeld();
	});

	it('that was broken tells its holder, when asked and by itself', async () => {
		const storage = new MemoryStorage();
		const lock = await acquireLock(storage, GROUP, { beatMs: 5 });
		await lock.assertHeld();
		const lost = once(lock.lost, 'abort');
		await storage.remove(`locks/${GROUP}.json`);
		const other = await acquireLock(storage, GROUP, { purpose: 'retention' });
		await lost;
		await expect(lock.assertHeld()).rejects.toMatchObject({
			code: 'locked',
			message: expect.stringMatching(/was broken while this run held it; now it is held by .*, retention\)/),
			hint: expect.stringContaining('sent no heartbeat'),
		});
		// Its end does not take the other one's lock away.
		await lock.release();
		await other.assertHeld();
		await other.release();
		expect(await locks(storage)).toEqual([]);
	});

	it('does not live on by heartbeats of the one it was taken from', async () => {
		const storage = new MemoryStorage();
		await leaveLock(storage, { host: 'elsewhere', pid: 7 });
		await sleep(30);
		await writeText(storage, `locks/${GROUP}.alive-before-1.json`, '{}');
		const lock = await acquireLock(storage, GROUP, { staleAfterMs: 25 });
		expect(lock.warnings).toHaveLength(1);
	});

	it('sends heartbeats while it is held, one object at a time', async () => {
		const storage = new MemoryStorage();
		const lock = await acquireLock(storage, GROUP, { beatMs: 10 });
		const seen = new Set<string>();
		while (seen.size < 3) {
			const alive = (await locks(storage)).filter((key) => key.includes('.alive-'));
			expect(alive.length).toBeLessThanOrEqual(2);
			for (const key of alive) seen.add(key);
			await sleep(2);
		}
		await lock.release();
		expect(await locks(storage)).toEqual([]);
	});

	it.each([
		['damaged', '{"id":'],
		['too large to be one', 'x'.repeat(1024 * 1024 + 1)],
	])('that is %s is not broken: somebody has to look', async (_, text) => {
		const storage = new MemoryStorage();
		await storage.write(`locks/${GROUP}.json`, Readable.from([Buffer.from(text)]));
		await expect(acquireLock(storage, GROUP)).rejects.toMatchObject({
			code: 'locked',
			message: `the lock memory:/locks/${GROUP}.json is damaged`,
			hint: expect.stringContaining('remove that file'),
		});
	});
});
