/** What retention of other tools did to their users, and ours must not do: about what is removed, not about the plan. */
import { BackupError } from '../../../core/base/errors';
import { applyRetention, FailedRuns, type RetentionRequest, surveyRetention } from '../../../core/verbs/expire/expire';
import { readRuns, recordRun } from '../../../core/records/journal/journal';
import { startReading } from '../../../core/records/locks/read-marks';
import { Repository } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import { type RetentionPolicy, RISKS } from '../../../core/retention/policy';
import { readText, writeText } from '../../../core/records/small-objects';
import { MemoryStorage } from '../../../core/storage/memory';
import { verifyBackup } from '../../../core/verbs/verify/verify';
import { addEvidence, GROUP } from '../../support/build-backup';
import { addBackup, addDays, NEVER } from '../../support/dated-backups';
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
const labels = async (group = GROUP) => (await repository.list(group)).map(({ label }) => label);

/** Every backup that is there is whole: all bytes are as they were stored. */
async function expectWhole(): Promise<void> {
	for (const { group, label } of await repository.list()) {
		const verified = await verifyBackup({ repository, group, label, depth: 'stored', keys: null, signal: NEVER });
		expect(verified).toMatchObject({ outcome: 'ok', label });
	}
}

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
			{ verb: 'backup', group: GROUP },
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
			{ verb: 'backup', group: GROUP },
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
		const sound = await addBackup(repository, { at: '2026-11-20T03:00:00Z', bytes });
		const key = objectKey(GROUP, last, 'manifest.json');
		await repository.storage.remove(key);
		await writeText(repository.storage, key, '{"format":1');
		const result = await apply({ last: 1, minimum: 1 });
		expect(result.plan.warnings).toEqual(expect.arrayContaining([expect.stringContaining(last)]));
		expect(result.removed).toEqual([old]);
		expect(await labels()).toEqual([full, lost, last, sound]);
	});

	it('a key that may only put objects makes retention delete every backup: names fill no place', async () => {
		const days = await addDays(repository, 20, '2026-11-20');
		for (const day of days) {
			// One for each real one, newer, in the same period, and verified deeper by its name.
			const label = day.replace('T02', 'T09').replace(/....$/, 'evil');
			await writeText(repository.storage, objectKey(GROUP, label, 'dump.sql.zst'), 'x'.repeat(2000));
			await writeText(repository.storage, objectKey(GROUP, label, 'manifest.json'), '{}');
			await writeText(repository.storage, objectKey(GROUP, label, `verified-20261120T093000Z-restored-ok.json`), '');
		}
		const policy: RetentionPolicy = { daily: 12, minimum: 1 };
		const blocked = expect.arrayContaining([expect.objectContaining({ risk: 'failed' })]) as unknown;
		expect(await apply(policy)).toMatchObject({ removed: [], plan: { blocked } });
		const result = await apply({ ...policy, allow: [...RISKS] });
		expect(result).toMatchObject({ removed: [], plan: { blocked: [{ risk: 'unreadable' }] } });
		expect((await labels()).filter((label) => days.includes(label))).toEqual(days);
	});

	it('names that nobody can read fill no place, are named and stay; sound backups expire only for sound ones', async () => {
		const days = await addDays(repository, 8, '2026-11-20');
		const planted = days.slice(3, 6).map((day) => day.replace('T02', 'T09').replace(/....$/, 'evil'));
		for (const label of planted) {
			await writeText(repository.storage, objectKey(GROUP, label, 'manifest.json'), '{}');
			await writeText(repository.storage, objectKey(GROUP, label, `verified-20261119T093000Z-restored-ok.json`), '{}');
		}
		// Evidence of another backup, and a success that nobody wrote.
		const bad = days[7]!;
		const evidence = (label: string, at: string) => objectKey(GROUP, label, `verified-${at}-stored-ok.json`);
		await writeText(repository.storage, evidence(days[6]!, '20261119T100000Z'), '{"format":1}');
		await writeText(
			repository.storage,
			evidence(bad, '20261120T110000Z'),
			await readText(repository.storage, evidence(days[6]!, '20261119T020000Z')),
		);
		const result = await apply({ daily: 5, minimum: 1 });
		expect(result.plan.blocked).toEqual([]);
		expect(result.removed.sort()).toEqual(days.slice(0, 3));
		expect((await labels()).sort()).toEqual([...planted, ...days.slice(3)].sort());
		const warnings = result.plan.warnings.join('\n');
		expect(warnings).toMatch(/cannot be read, so kept and not counted: .*evil \(the manifest .* and 1 more/);
		expect(warnings).toMatch(/evidence that does not count: .*belongs to/);
	});

	it('a failure that nobody can read makes no sound backup expire', async () => {
		const days = await addDays(repository, 6, '2026-11-20');
		for (const label of days.slice(1, 5)) {
			await writeText(
				repository.storage,
				objectKey(GROUP, label, `verified-20261120T050000Z-stored-failed.json`),
				'{}',
			);
		}
		const result = await apply({ daily: 5, minimum: 1 });
		expect(result.plan.blocked).toEqual([]);
		expect(result.removed).toEqual([]);
		expect(await labels()).toEqual(days);
	});

	it('a backup without its data fills no place, whatever its evidence says', async () => {
		const days = await addDays(repository, 6, '2026-11-20', { bytes: 5000 });
		await repository.storage.remove(objectKey(GROUP, days[4]!, 'dump.sql.zst'));
		const result = await apply({ daily: 3, minimum: 1 });
		expect(result.removed.sort()).toEqual(days.slice(0, 2));
		expect(await labels()).toEqual(days.slice(2));
	});

	it('a storage that does not answer for a manifest removes nothing', async () => {
		const days = await addDays(repository, 6, '2026-11-20');
		const storage = new FaultyStorage(repository.storage, [
			{ on: 'read', key: /manifest/, then: { fail: new BackupError('connection-lost', 'the connection ended') } },
		]);
		const watched = await Repository.open(storage);
		await expect(apply(DAILY, { repository: watched })).rejects.toMatchObject({ code: 'connection-lost' });
		expect(await labels()).toEqual(days);
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
		const survey = await surveyRetention({ repository, groups: [wrong.group], policy: DAILY, signal: NEVER });
		const error = expect.objectContaining({ code: 'not-found', message: expect.stringContaining('shpo') }) as Error;
		expect(survey).toEqual({ groups: [], failures: [{ ...wrong, error }] });
	});

	it('a clock that jumps: a year ahead nothing goes, a year back nothing goes', async () => {
		const days = await addDays(repository, 8, '2026-11-20');
		for (const now of [new Date('2027-11-20T12:00:00Z'), new Date('2025-11-20T12:00:00Z')]) {
			expect(await apply(DAILY, { now })).toMatchObject({ removed: [] });
		}
		expect(await labels()).toEqual(days);
	});
});
