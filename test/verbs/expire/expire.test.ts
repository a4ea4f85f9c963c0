import { BackupError } from '../../../core/base/errors';
import { applyRetention, type RetentionRequest, surveyRetention } from '../../../core/verbs/expire/expire';
import { readRuns } from '../../../core/records/journal/journal';
import { acquireLock } from '../../../core/records/locks/lock';
import { Repository } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import type { RetentionPolicy } from '../../../core/retention/policy';
import { writeText } from '../../../core/records/small-objects';
import { MemoryStorage } from '../../../core/storage/memory';
import { verifyBackup } from '../../../core/verbs/verify/verify';
import { GROUP } from '../../support/build-backup';
import { addBackup, addDays, addOrphan, keysOf, NEVER } from '../../support/dated-backups';
import { FaultyStorage } from '../../support/faulty-storage';

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

	it('says on a full disk that it needs a little room itself, and changes nothing', async () => {
		await addDays(repository, 6, '2026-11-20');
		const before = await keysOf(repository);
		const full = new BackupError('storage-full', 'cannot write: no space left', { hint: 'Remove old backups.' });
		const storage = new FaultyStorage(repository.storage, [{ on: 'write', then: { fail: full } }]);
		await expect(apply(DAILY, { repository: await Repository.open(storage) })).rejects.toMatchObject({
			code: 'storage-full',
			hint: 'Remove old backups. To remove backups takes a few kilobytes itself, for a lock and the journal: make room for them by hand, and run this again.',
		});
		expect(await keysOf(repository)).toEqual(before);
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
