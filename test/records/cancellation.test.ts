/** A run that somebody asks in its storage to stop. */
import { once } from 'node:events';
import { abortError, BackupError } from '../../core/base/errors';
import { MemoryStorage } from '../../core/storage/memory';
import { cancelRun } from '../../core/records/cancellation';
import { readRuns } from '../../core/records/journal/journal';
import { Repository } from '../../core/records/repository';
import { writeText } from '../../core/records/small-objects';
import { runVerb, type Run, alreadyOpen } from '../../core/verbs/run';
import { FaultyStorage } from '../support/faulty-storage';
import { keysIn } from '../support/journal';
import { until } from '../support/until';

const NEVER = new AbortController().signal;
const ALL = { from: new Date(0), to: new Date('2100-01-01') };

/** A run that lasts until its signal stops it. */
function startRun(repository: Repository, signal = NEVER): { begun: Promise<Run>; ended: Promise<unknown> } {
	const begun = Promise.withResolvers<Run>();
	const ended = runVerb(
		{ verb: 'backup', group: 'files/www', signal, advice: 'x', beatMs: 30, open: alreadyOpen(repository) },
		async (run) => {
			begun.resolve(run);
			await once(run.signal, 'abort');
			throw abortError(run.signal);
		},
		() => ({ outcome: 'ok', facts: {} }),
	);
	return { begun: begun.promise, ended };
}

async function idOf(storage: MemoryStorage | FaultyStorage): Promise<string> {
	return (await readRuns(storage, ALL)).at(-1)!.id;
}

it('stops at its next heartbeat, says who asked, and leaves nothing of the wish', async () => {
	const storage = new MemoryStorage();
	const repository = await Repository.open(storage, { create: true });
	const { begun, ended } = startRun(repository);
	await begun;
	const id = await idOf(storage);
	expect(await cancelRun(storage, id, { by: 'ann', signal: NEVER })).toMatchObject({ id, state: 'running' });
	expect(await cancelRun(storage, id, { by: 'bob', signal: NEVER })).toMatchObject({ id });
	await expect(ended).rejects.toMatchObject({ code: 'cancelled', message: 'stopped because it was cancelled by ann' });
	expect(await readRuns(storage, ALL)).toMatchObject([
		{ id, state: 'cancelled', code: 'cancelled', facts: { cancelledBy: 'ann' } },
	]);
	expect((await keysIn(storage)).filter((key) => key.includes('cancel') || key.includes('beat'))).toEqual([]);
});

it('that ended before it looked leaves a wish, which goes when somebody asks days later', async () => {
	const storage = new MemoryStorage();
	const repository = await Repository.open(storage, { create: true });
	const { begun, ended } = startRun(repository);
	await begun;
	const old = 'monitoring/cancel-aaaaaaaaaaaa.json';
	await writeText(storage, old, '{}');
	jest.spyOn(storage, 'list').mockImplementation(async function* (prefix, options) {
		for await (const object of MemoryStorage.prototype.list.call(storage, prefix, options)) {
			yield object.key === old ? { ...object, modifiedAt: new Date(0) } : object;
		}
	});
	await cancelRun(storage, await idOf(storage), { by: 'ann', signal: NEVER });
	await expect(ended).rejects.toMatchObject({ code: 'cancelled' });
	expect(await storage.stat(old)).toBeNull();
});

it('that has ended, or is none, is not asked', async () => {
	const storage = new MemoryStorage();
	const repository = await Repository.open(storage, { create: true });
	const stop = new AbortController();
	const { begun, ended } = startRun(repository, stop.signal);
	await begun;
	const id = await idOf(storage);
	stop.abort();
	await expect(ended).rejects.toMatchObject({ code: 'cancelled' });
	const before = await keysIn(storage);
	expect(await cancelRun(storage, id, { by: 'ann', signal: NEVER })).toMatchObject({ state: 'cancelled', facts: {} });
	expect(await cancelRun(storage, 'aaaaaaaaaaaa', { by: 'ann', signal: NEVER })).toBeNull();
	const isWanted = ({ group }: { group: string | null }) => group !== 'files/www';
	expect(await cancelRun(storage, id, { by: 'ann', signal: NEVER, isWanted })).toBeNull();
	expect(await keysIn(storage)).toEqual(before);
});

it('goes on, with its heartbeats, where nobody can look whether somebody asked', async () => {
	const storage = new FaultyStorage(new MemoryStorage());
	const repository = await Repository.open(storage, { create: true });
	const denied = new BackupError('access-denied', 'no');
	storage.plan.push({ on: 'stat', key: /monitoring\/cancel-/, then: { fail: denied } });
	const stop = new AbortController();
	const { begun, ended } = startRun(repository, stop.signal);
	await begun;
	const beats = () => storage.calls.filter(({ on, key }) => on === 'write' && key.includes('.beat-')).length;
	await until('its heartbeats go on', async () => beats() > 5);
	stop.abort();
	await expect(ended).rejects.toMatchObject({ message: 'stopped because it was cancelled' });
});
