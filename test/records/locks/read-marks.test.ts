/** Readers and retention: one always sees the other, whoever comes first, and a storage that can only be read still restores. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { BackupError } from '../../../core/base/errors';
import { acquireLock, findStaleLocks, removeStaleLocks } from '../../../core/records/locks/lock';
import { thisHost } from '../../../core/base/process-identity';
import { listReaders, startReading } from '../../../core/records/locks/read-marks';
import { writeText } from '../../../core/records/small-objects';
import { MemoryStorage } from '../../../core/storage/memory';
import { FaultyStorage } from '../../support/faulty-storage';
import { keysIn } from '../../support/journal';
import { until } from '../../support/until';

const GROUP = 'postgres/shop';
const LABEL = '20261120T020000Z-full-k3f9';
const ID = 'abcdefghjkmn';

async function leaveMark(storage: MemoryStorage, holder: { host: string; pid: number }): Promise<void> {
	const mark = { id: ID, label: LABEL, verb: 'copy', startedAt: new Date(0), ...holder };
	await writeText(storage, `locks/${GROUP}.reading-${ID}.json`, JSON.stringify(mark));
}

describe('a reader', () => {
	it('is seen by retention for as long as it reads, and leaves nothing', async () => {
		const storage = new MemoryStorage();
		const reading = await startReading(storage, GROUP, LABEL, { verb: 'restore', beatMs: 5 });
		expect(await listReaders(storage, GROUP)).toEqual([
			{ label: LABEL, verb: 'restore', host: thisHost().split(' ')[0], since: expect.stringMatching(/Z$/) },
		]);
		expect(await listReaders(storage, 'postgres')).toEqual([]);
		await until('it sent a heartbeat', async () => (await keysIn(storage)).some((key) => /-\d+\.json$/.test(key)));
		expect(await listReaders(storage, GROUP)).toHaveLength(1);
		await reading.stop();
		expect(reading.warnings).toEqual([]);
		expect(await keysIn(storage)).toEqual([]);
	});

	it('waits for retention that runs, and goes on when it has ended', async () => {
		const storage = new MemoryStorage();
		const lock = await acquireLock(storage, GROUP, { purpose: 'retention' });
		let isReading = false;
		const reading = startReading(storage, GROUP, LABEL, { verb: 'verify' }).then((started) => {
			isReading = true;
			return started;
		});
		await until('retention sees it', async () => (await listReaders(storage, GROUP)).length === 1);
		expect(isReading).toBe(false);
		await lock.release();
		await (await reading).stop();
		expect(await keysIn(storage)).toEqual([]);
	});

	it('gives up waiting in time, says for whom it waited, and leaves nothing', async () => {
		const storage = new MemoryStorage();
		const lock = await acquireLock(storage, GROUP, { purpose: 'retention' });
		await expect(startReading(storage, GROUP, LABEL, { verb: 'verify', waitMs: 20 })).rejects.toMatchObject({
			code: 'locked',
			message: expect.stringMatching(/^postgres\/shop is locked by .* \(process \d+, retention\) since /),
			hint: expect.stringContaining(`If there is no such run, remove ${storage.location}/locks/${GROUP}.json.`),
		});
		await lock.release();
		expect(await keysIn(storage)).toEqual([]);
	});

	it('stops waiting when it is cancelled', async () => {
		const storage = new MemoryStorage();
		const lock = await acquireLock(storage, GROUP, { purpose: 'retention' });
		const stop = new AbortController();
		const reading = startReading(storage, GROUP, LABEL, { verb: 'verify', signal: stop.signal });
		stop.abort();
		await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
		await lock.release();
		expect(await keysIn(storage)).toEqual([]);
	});

	it('does not wait for a backup or a copy into the group', async () => {
		for (const purpose of ['backup', 'copy'] as const) {
			const storage = new MemoryStorage();
			const lock = await acquireLock(storage, GROUP, { purpose });
			await (await startReading(storage, GROUP, LABEL, { verb: 'verify' })).stop();
			await lock.assertHeld();
		}
	});

	it('breaks the lock of retention that stands still, so that it removes nothing when it goes on', async () => {
		const storage = new MemoryStorage();
		const lock = await acquireLock(storage, GROUP, { purpose: 'retention' });
		await delay(20);
		const reading = await startReading(storage, GROUP, LABEL, { verb: 'verify', staleAfterMs: 10 });
		expect(reading.warnings).toEqual([
			expect.stringMatching(/^broke the lock of .*, retention\) since .* no heartbeat/),
		]);
		await expect(lock.assertHeld()).rejects.toMatchObject({ code: 'locked' });
		expect(lock.lost.aborted).toBe(true);
		await reading.stop();
	});

	it('of a process that is gone, or that no longer sends heartbeats, does not count', async () => {
		const storage = new MemoryStorage();
		const child = spawn('true');
		await once(child, 'exit');
		await leaveMark(storage, { host: thisHost(), pid: child.pid! });
		expect(await listReaders(storage, GROUP)).toEqual([]);
		expect(await removeStaleLocks(storage)).toEqual([
			{ key: `locks/${GROUP}.reading-${ID}.json`, description: expect.stringContaining('is gone') },
		]);
		await leaveMark(storage, { host: 'elsewhere', pid: 7 });
		expect(await listReaders(storage, GROUP)).toMatchObject([{ host: 'elsewhere', verb: 'copy' }]);
		expect(await findStaleLocks(storage)).toEqual([]);
		await delay(20);
		expect(await listReaders(storage, GROUP, { staleAfterMs: 10 })).toEqual([]);
		expect(await removeStaleLocks(storage, { staleAfterMs: 10 })).toHaveLength(1);
		expect(await keysIn(storage)).toEqual([]);
	});

	it('whose mark cannot be read keeps retention away: somebody reads, and nobody knows what', async () => {
		const storage = new MemoryStorage();
		await writeText(storage, `locks/${GROUP}.reading-${ID}.json`, '{"id":');
		await expect(listReaders(storage, GROUP)).rejects.toMatchObject({ code: 'damaged' });
	});
});

describe('a storage that can only be read', () => {
	const denied = new BackupError('access-denied', 'cannot write');

	it('takes no mark, which is a warning and no failure', async () => {
		const storage = new FaultyStorage(new MemoryStorage(), [{ on: 'write', then: { fail: denied } }]);
		const reading = await startReading(storage, GROUP, LABEL, { verb: 'restore' });
		expect(reading.warnings).toEqual(['retention cannot be told that this backup is being read: cannot write']);
		await reading.stop();
		expect(storage.calls).toEqual([{ on: 'write', key: expect.stringContaining('.reading-') }]);
	});

	it('that does not answer holds a reader up for seconds only', async () => {
		const storage = new FaultyStorage(new MemoryStorage(), [{ on: 'write', then: 'hang' }]);
		const start = performance.now();
		const reading = await startReading(storage, GROUP, LABEL, { verb: 'restore' });
		expect(performance.now() - start).toBeLessThan(10_000);
		expect(reading.warnings).toEqual([expect.stringContaining('did not answer within 5 seconds')]);
	});

	it('whose locks cannot be read does not fail a restore', async () => {
		const plan = [{ on: 'read', key: /^locks\//, then: { fail: denied } }] as const;
		const storage = new FaultyStorage(new MemoryStorage(), [...plan]);
		const reading = await startReading(storage, GROUP, LABEL, { verb: 'restore' });
		expect(reading.warnings).toEqual([expect.stringContaining('could not be seen')]);
		await reading.stop();
		expect(await keysIn(storage.inner)).toEqual([]);
	});
});

describe('retention removing what a copy is reading', () => {
	it('cannot happen, whoever comes first: the reader sees the lock, or retention sees the mark', async () => {
		for (let round = 0; round < 50; round++) {
			const storage = new MemoryStorage();
			const wait = async () => await delay(Math.random() * 2);
			// Each call takes as long as it likes.
			for (const name of ['write', 'read', 'stat'] as const) {
				const real = storage[name].bind(storage) as (...args: unknown[]) => Promise<unknown>;
				Object.assign(storage, { [name]: async (...args: unknown[]) => (await wait(), await real(...args)) });
			}
			let removes = false;
			let reads = false;
			const reader = async () => {
				const reading = await startReading(storage, GROUP, LABEL, { verb: 'copy', waitMs: 1 });
				reads = true;
				expect(removes).toBe(false);
				await wait();
				reads = false;
				await reading.stop();
			};
			const retention = async () => {
				const lock = await acquireLock(storage, GROUP, { purpose: 'retention' });
				if ((await listReaders(storage, GROUP)).length === 0) {
					removes = true;
					expect(reads).toBe(false);
					await wait();
					removes = false;
				}
				await lock.release();
			};
			const [, read] = await Promise.allSettled([retention(), reader()]);
			if (read.status === 'rejected') expect(read.reason).toMatchObject({ code: 'locked' });
		}
	});
});
