import { BackupError } from '../core/errors';
import { applyRetention, FailedRuns, type RetentionRequest, surveyRetention } from '../core/expire';
import { readRuns, recordRun } from '../core/journal';
import { acquireLock } from '../core/lock';
import { startReading } from '../core/reading';
import { objectKey, Repository } from '../core/repository';
import type { RetentionPolicy } from '../core/retention/policy';
import { writeText } from '../core/small-objects';
import { MemoryStorage } from '../core/storage/memory';
import { verifyBackup } from '../core/verify';
import { addBackup, addDays, addEvidence, addOrphan, GROUP, keysOf, NEVER } from './support/dated-backups';
import { FaultyStorage } from './support/faulty-storage';

const NOW = new Date('2026-11-20T12:00:00Z');
const DAILY: RetentionPolicy = { daily: 3, minimum: 1 };
const HOUR_MS = 3_600_000;

let repository: Repository;
beforeEach(async () => {
	repository = await Repository.open(new MemoryStorage(), { create: true });
});

const apply = async (policy: RetentionPolicy, more: Partial<RetentionRequest> = {}) =>
	await applyRetention({ repository, group: GROUP, policy, now: NOW, signal: NEVER, ...more });
const plan = async (policy: RetentionPolicy, now = NOW) =>
	(await surveyRetention({ repository, groups: [GROUP], policy, now, signal: NEVER })).groups[0]!;
const labels = async (group = GROUP) => (await repository.list(group)).map(({ label }) => label);

/** Every backup that is there is whole: all bytes are as they were stored. */
async function expectWhole(): Promise<void> {
	for (const { group, label } of await repository.list()) {
		const verified = await verifyBackup({ repository, group, label, depth: 'stored', keys: null, signal: NEVER });
		expect(verified).toMatchObject({ outcome: 'ok', label });
	}
}

describe('retention', () => {
	it('is shown without changing anything', async () => {
		await addDays(repository, 6, '2026-11-20');
		const before = await keysOf(repository);
		const { groups } = await surveyRetention({ repository, policy: DAILY, now: NOW, signal: NEVER });
		expect(groups).toHaveLength(1);
		expect(groups[0]!.backups.map(({ action }) => action)).toEqual([
			...Array<string>(3).fill('expire'),
			...Array<string>(3).fill('keep'),
		]);
		const all: string[] = [];
		for await (const { key } of repository.storage.list('')) all.push(key);
		expect(all).toEqual(before);
	});

	it('removes what the plan expires, all of it, and nothing else', async () => {
		const days = await addDays(repository, 6, '2026-11-20');
		const orphan = await addOrphan(repository, GROUP, new Date('2026-11-01T00:00:00Z'));
		await writeText(repository.storage, 'notes.txt', 'mine');
		const shown = await plan(DAILY);
		const result = await apply(DAILY);
		expect(result).toMatchObject({ group: GROUP, skipped: [], resumed: [], warnings: [], held: { backups: 0 } });
		expect(result.plan).toEqual(shown);
		expect(result.removed.sort()).toEqual(days.slice(0, 3));
		expect(result.freedBytes).toBe(shown.freedBytes);
		expect(await labels()).toEqual(days.slice(3));
		const left = await keysOf(repository);
		expect(left.filter((key) => days.slice(0, 3).some((label) => key.includes(label)))).toEqual([]);
		// An upload that was broken off and a file of somebody else are never counted and never removed.
		expect(left).toEqual(expect.arrayContaining(['notes.txt', objectKey(GROUP, orphan, 'dump.sql.zst')]));
		await expectWhole();
	});

	it('tells how far it is, and writes its run into the journal', async () => {
		await addDays(repository, 5, '2026-11-20');
		const seen: string[] = [];
		const onProgress: RetentionRequest['onProgress'] = ({ phase, removed, total }) =>
			seen.push(`${phase} ${removed}/${total}`);
		await apply(DAILY, { onProgress, actor: { via: 'script' } });
		expect(seen).toEqual(['removing 1/2', 'removing 2/2']);
		const now = Date.now();
		const span = { from: new Date(now - HOUR_MS), to: new Date(now + HOUR_MS) };
		expect(await readRuns(repository.storage, span)).toMatchObject([
			{ verb: 'expire', group: GROUP, state: 'ok', facts: { kept: 3, removed: 2, skipped: 0, held: 0, blocked: null } },
		]);
	});

	it('leaves other runs of the group alone', async () => {
		await addDays(repository, 5, '2026-11-20');
		const lock = await acquireLock(repository.storage, GROUP, { signal: NEVER });
		await expect(apply(DAILY)).rejects.toMatchObject({ code: 'locked' });
		expect(await labels()).toHaveLength(5);
		await lock.release();
	});

	it('stops when its lock was broken, and says what it had done', async () => {
		await addDays(repository, 20, '2026-11-20');
		const onProgress = () => void repository.storage.remove(`locks/${GROUP}.json`);
		const failed = await apply(DAILY, { onProgress }).catch((error: unknown) => error);
		expect(failed).toMatchObject({ code: 'locked', details: { removed: expect.any(Number) } });
		// Those that were just being removed are, and no further one.
		expect((await labels()).length).toBeGreaterThan(10);
		await expectWhole();
	});

	it('a policy that cannot be used is refused before anything is written', async () => {
		await addDays(repository, 5, '2026-11-20');
		const storage = new FaultyStorage(repository.storage);
		const watched = await Repository.open(storage);
		await expect(apply({}, { repository: watched })).rejects.toMatchObject({ code: 'invalid-input' });
		expect(storage.calls.filter(({ on }) => on === 'write' || on === 'remove')).toEqual([]);
	});
});

describe('an incident of other tools', () => {
	it('deleting everything when all had expired', async () => {
		const days = await addDays(repository, 10, '2026-08-01');
		const policy: RetentionPolicy = { withinHours: 24 };
		const blocked = await apply(policy);
		expect(blocked).toMatchObject({ removed: [], plan: { blocked: [{ risk: 'outdated' }] } });
		expect(await labels()).toEqual(days);
		await apply({ ...policy, allow: ['outdated'] });
		expect(await labels()).toEqual(days.slice(-3));
		await expectWhole();
	});

	it('going on deleting while the last N backups failed: their verification', async () => {
		const days = await addDays(repository, 8, '2026-11-20');
		for (const label of days.slice(-2)) await addEvidence(repository, label, { at: '2026-11-20T03:00:00Z', ok: false });
		const result = await apply(DAILY);
		expect(result.removed).toEqual([]);
		expect(result.plan.blocked.length).toBeGreaterThan(0);
		expect(await labels()).toEqual(days);
	});

	it('going on deleting while the last N backups failed: their runs', async () => {
		// The journal goes by the real time.
		const now = new Date();
		const days: string[] = [];
		for (let day = 8; day > 0; day--) {
			days.push(await addBackup(repository, { at: new Date(now.getTime() - (day * 24 - 22) * HOUR_MS).toISOString() }));
		}
		const failing = recordRun(
			repository.storage,
			{ verb: 'dump', group: GROUP },
			async () => await Promise.reject(new Error('the source is away')),
			() => ({ outcome: 'ok', facts: {} }),
		);
		await expect(failing).rejects.toThrow('away');
		const result = await apply(DAILY, { now: undefined });
		expect(result).toMatchObject({ removed: [], plan: { blocked: [{ risk: 'failed' }] } });
		expect(await labels()).toEqual(days);
		const taken = await apply({ ...DAILY, allow: ['failed'] }, { now: undefined });
		expect(taken.removed.length).toBeGreaterThan(0);
	});

	it('going on deleting while the last N backups failed: one that only found another run at work is no failure', async () => {
		const now = new Date();
		for (let day = 8; day > 0; day--) {
			await addBackup(repository, { at: new Date(now.getTime() - (day * 24 - 22) * HOUR_MS).toISOString() });
		}
		const locked = recordRun(
			repository.storage,
			{ verb: 'dump', group: GROUP },
			async () => await Promise.reject(new BackupError('locked', 'locked by another run')),
			() => ({ outcome: 'ok', facts: {} }),
		);
		await expect(locked).rejects.toMatchObject({ code: 'locked' });
		expect((await apply(DAILY, { now: undefined })).removed.length).toBeGreaterThan(0);
	});

	it('going on deleting while the last N backups failed: the journal is read once for the groups of one command', async () => {
		for (const group of ['app', 'crm', 'shop']) await addDays(repository, 5, '2026-11-20', { group });
		const storage = new FaultyStorage(repository.storage);
		const watched = await Repository.open(storage);
		const failedRuns = new FailedRuns(storage);
		const days = () => storage.calls.filter(({ on, key }) => on === 'list' && key.startsWith('runs/')).length;
		const counts: number[] = [];
		for (const group of ['app', 'crm', 'shop']) {
			const before = days();
			await apply(DAILY, { repository: watched, group, failedRuns });
			counts.push(days() - before);
		}
		const alone = days();
		await apply(DAILY, { repository: watched, group: 'shop' });
		expect(counts[0]).toBeGreaterThan(counts[1]!);
		expect(counts[2]).toBe(counts[1]);
		expect(days() - alone).toBeGreaterThan(counts[1]!);
	});

	it('two jobs with a common name prefix (app, app-staging) eating each other', async () => {
		for (const group of ['app', 'app-staging', 'app/eu']) await addDays(repository, 5, '2026-11-20', { group });
		const [staging, nested] = [await labels('app-staging'), await labels('app/eu')];
		const result = await apply({ last: 1, minimum: 1 }, { group: 'app' });
		expect(result.removed).toHaveLength(4);
		expect(await labels('app')).toHaveLength(1);
		expect(await labels('app-staging')).toEqual(staging);
		expect(await labels('app/eu')).toEqual(nested);
	});

	it('retention removing what a copy is reading', async () => {
		const days = await addDays(repository, 6, '2026-11-20');
		const reading = await startReading(repository.storage, GROUP, days[1]!, { verb: 'copy', signal: NEVER });
		const result = await apply(DAILY);
		expect(result.skipped).toEqual([{ label: days[1], why: expect.stringMatching(/^copy on \S+ has been reading/) }]);
		expect(await labels()).toEqual([days[1], ...days.slice(3)]);
		await expectWhole();
		await reading.stop();
		expect(await apply(DAILY)).toMatchObject({ removed: [days[1]], skipped: [] });
	});

	it('retention removing what a copy is reading: nor what that backup needs', async () => {
		const full = await addBackup(repository, { at: '2026-11-01T02:00:00Z' });
		const first = await addBackup(repository, { at: '2026-11-02T02:00:00Z', type: 'incremental', parents: [full] });
		const second = await addBackup(repository, {
			at: '2026-11-03T02:00:00Z',
			type: 'incremental',
			parents: [first, full],
		});
		const days = await addDays(repository, 3, '2026-11-20');
		const reading = await startReading(repository.storage, GROUP, first, { verb: 'restore', signal: NEVER });
		const result = await apply(DAILY);
		expect(result.removed).toEqual([second]);
		expect(result.skipped.map(({ label }) => label)).toEqual([first, full]);
		expect(result.skipped[1]!.why).toContain(`${first} needs it`);
		expect(await labels()).toEqual([full, first, ...days]);
		await reading.stop();
	});

	it('counting incrementals as fulls and ending with no full', async () => {
		const full = await addBackup(repository, { at: '2026-11-01T02:00:00Z' });
		const chain = [full];
		for (let day = 2; day <= 20; day++) {
			const at = `2026-11-${String(day).padStart(2, '0')}T02:00:00Z`;
			chain.push(await addBackup(repository, { at, type: 'incremental', parents: [...chain].reverse() }));
		}
		expect(await apply({ last: 2, minimum: 1 })).toMatchObject({ removed: [] });
		expect(await labels()).toEqual(chain);
	});

	it('a lifecycle rule on the bucket breaking chains: a manifest that cannot be read keeps all it may need', async () => {
		// Large enough that a manifest more or less is no sign of anything.
		const bytes = 10_000;
		const old = await addBackup(repository, { at: '2026-10-01T02:00:00Z', bytes });
		const full = await addBackup(repository, { at: '2026-11-18T02:00:00Z', bytes });
		const chain = { type: 'incremental' as const, bytes };
		const lost = await addBackup(repository, { at: '2026-11-19T02:00:00Z', ...chain, parents: [full] });
		const last = await addBackup(repository, { at: '2026-11-20T02:00:00Z', ...chain, parents: [lost, full] });
		const key = objectKey(GROUP, last, 'manifest.json');
		await repository.storage.remove(key);
		await writeText(repository.storage, key, '{"format":1');
		const result = await apply({ last: 1, minimum: 1 });
		expect(result.plan.warnings).toEqual(expect.arrayContaining([expect.stringContaining(last)]));
		expect(result.removed).toEqual([old]);
		expect(await labels()).toEqual([full, lost, last]);
	});

	it('deleting nothing, for months: it is in the result and in the journal, with how much waits', async () => {
		const days = await addDays(repository, 90, '2026-11-20', { verified: null });
		const result = await apply(DAILY);
		expect(result).toMatchObject({ removed: [], freedBytes: 0, plan: { blocked: [{ risk: 'unverified' }] } });
		expect(result.held.backups).toBeGreaterThan(80);
		expect(result.held.bytes).toBeGreaterThan(0);
		expect(result.plan.blocked[0]).toMatchObject({ message: expect.any(String), hint: expect.any(String) });
		expect(await labels()).toEqual(days);
		const now = Date.now();
		const [run] = await readRuns(repository.storage, { from: new Date(now - HOUR_MS), to: new Date(now + HOUR_MS) });
		expect(run).toMatchObject({ state: 'degraded', facts: { blocked: 'unverified', held: result.held.backups } });
	});

	it('deleting nothing, for months: a name of no group is an error', async () => {
		await addDays(repository, 3, '2026-11-20');
		const wrong = { group: 'postgres/shpo' };
		await expect(apply(DAILY, wrong)).rejects.toMatchObject({ code: 'not-found' });
		const survey = surveyRetention({ repository, groups: [wrong.group], policy: DAILY, signal: NEVER });
		await expect(survey).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining('shpo') });
	});

	it('a clock that jumps: a year ahead nothing goes, a year back nothing goes', async () => {
		const days = await addDays(repository, 8, '2026-11-20');
		for (const now of [new Date('2027-11-20T12:00:00Z'), new Date('2025-11-20T12:00:00Z')]) {
			expect(await apply(DAILY, { now })).toMatchObject({ removed: [] });
		}
		expect(await labels()).toEqual(days);
	});
});

describe('what an expiry that was broken off has left', () => {
	it('is finished by the next one, also when the plan is blocked', async () => {
		const days = await addDays(repository, 4, '2026-11-20', { verified: null });
		await writeText(repository.storage, objectKey(GROUP, days[0]!, 'expired.json'), '{}');
		await repository.storage.remove(objectKey(GROUP, days[0]!, 'manifest.json'));
		const result = await apply(DAILY);
		expect(result).toMatchObject({ resumed: [days[0]], removed: [], plan: { blocked: [{ risk: 'unverified' }] } });
		expect(result.freedBytes).toBeGreaterThan(0);
		expect((await keysOf(repository)).filter((key) => key.includes(days[0]!))).toEqual([]);
	});

	it('is a whole backup where the manifest is still there, and loses its mark when it is kept now', async () => {
		const days = await addDays(repository, 4, '2026-11-20');
		await writeText(repository.storage, objectKey(GROUP, days[1]!, 'expired.json'), '{}');
		expect((await repository.list(GROUP)).map(({ expiring }) => expiring)).toEqual([false, true, false, false]);
		await apply(DAILY);
		expect((await repository.list(GROUP)).map(({ label, expiring }) => [label, expiring])).toEqual(
			days.slice(1).map((label) => [label, false]),
		);
	});

	it('is removed when the rest of a removal is all there is of a group', async () => {
		const label = await addBackup(repository, { at: '2026-11-20T02:00:00Z' });
		await writeText(repository.storage, objectKey(GROUP, label, 'expired.json'), '{}');
		await repository.storage.remove(objectKey(GROUP, label, 'manifest.json'));
		expect(await apply(DAILY)).toMatchObject({ resumed: [label], plan: { backups: [] } });
		expect(await keysOf(repository)).toEqual(['repository.json']);
	});
});
