/** Verdicts on real repositories in memory: each thing that can be wrong, and that nothing is said where all is well. */
import { createHash } from 'node:crypto';
import { BackupError } from '../../../core/base/errors';
import { recordRun } from '../../../core/records/journal/journal';
import { objectKey } from '../../../core/records/layout';
import { Repository } from '../../../core/records/repository';
import { readStorage, unreachable } from '../../../core/report/status/read';
import { judge, type Status, type StatusRequest } from '../../../core/report/status/status';
import { parsePolicy } from '../../../core/retention/policy';
import { MemoryStorage } from '../../../core/storage/memory';
import { addEvidence, type BuildOptions, buildBackup } from '../../support/build-backup';
import { NEVER } from '../../support/dated-backups';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const GROUP = 'postgres/shop';

let storage: MemoryStorage;
let repository: Repository;
beforeEach(async () => {
	storage = new MemoryStorage('memory:first');
	repository = await Repository.open(storage, { create: true });
});

const ago = (milliseconds: number) => new Date(Date.now() - milliseconds);

/** One backup each `every`, the newest one `newest` ago. @returns labels, oldest first */
async function addSeries(count: number, every: number, newest: number, more: BuildOptions = {}): Promise<string[]> {
	const labels: string[] = [];
	for (let at = count - 1; at >= 0; at--) {
		const options = { bytes: 100, verified: 'stored' as const, ...more };
		labels.push(await buildBackup(repository, { ...options, at: ago(newest + at * every) }));
	}
	return labels;
}

async function status(request: Partial<StatusRequest> = {}, others: readonly MemoryStorage[] = []): Promise<Status> {
	const now = new Date();
	const facts = [];
	for (const each of [storage, ...others]) {
		const opened = await Repository.open(each);
		facts.push(await readStorage(opened, { now, signal: NEVER }));
	}
	return judge(facts, { now, ...request });
}

async function failRun(group = GROUP, code: 'broken-log' | 'dump-failed' | 'locked' = 'dump-failed'): Promise<void> {
	const fail = async () => {
		throw new BackupError(code, 'no connection');
	};
	await expect(
		recordRun(storage, { verb: 'backup', group }, fail, () => ({ outcome: 'ok', facts: {} })),
	).rejects.toThrow();
}

const codes = ({ groups }: Status, at = 0) => groups[at]!.reasons.map(({ code, severity }) => `${code} ${severity}`);

it('says that all can be restored, and nothing else, where all is well', async () => {
	await addSeries(10, DAY, HOUR);
	const { verdict, sentence, groups, counts } = await status();
	expect({ verdict, sentence }).toEqual({ verdict: 'ok', sentence: 'The one source can be restored.' });
	expect(counts).toEqual({ groups: 1, restorable: 1, ok: 1, warning: 0, critical: 0, running: 0 });
	expect(groups[0]).toMatchObject({
		...{ group: GROUP, kind: 'postgres', restorable: true, reasons: [], backups: 10, failuresInARow: 0 },
		...{ rhythm: { everyMs: DAY, learnt: true }, proved: { depth: 'stored' }, attempt: null, encrypted: false },
	});
	expect(groups[0]!.rpoMs).toBeGreaterThanOrEqual(HOUR);
});

it('a group is not late where its last run found that nothing is new', async () => {
	await addSeries(10, HOUR, 2.1 * HOUR);
	expect(codes(await status())).toEqual(['late warning']);
	const nothing = () => ({ outcome: 'ok' as const, facts: { unchanged: true } });
	await recordRun(storage, { verb: 'backup', group: GROUP }, async () => undefined, nothing);
	expect(codes(await status())).toEqual([]);
});

it('a slot that holds back much log is a reason, until a run finds that nothing is new', async () => {
	const slot = {
		...{ slot: 'n8n_backup_0123456789abcdef', slotStatus: 'extended', slotHeldBytes: 9e9, slotSafeBytes: 1e9 },
		...{ forgottenSlot: null, forgottenBytes: 0 },
	};
	await addSeries(10, HOUR, HOUR, { details: { piece: true, ...slot } });
	const found = await status();
	expect(codes(found)).toEqual(['slot critical', 'slot warning']);
	expect(found.groups[0]!.reasons[0]!.text).toContain('ALTER SYSTEM SET max_slot_wal_keep_size');
	const nothing = () => ({ outcome: 'ok' as const, facts: { unchanged: true } });
	await recordRun(storage, { verb: 'backup', group: GROUP }, async () => undefined, nothing);
	expect(codes(await status())).toEqual([]);
});

it('an hourly group is late after two hours, and cannot be restored to what it should be after three', async () => {
	await addSeries(10, HOUR, 1.9 * HOUR);
	expect(codes(await status())).toEqual([]);
	storage = new MemoryStorage();
	repository = await Repository.open(storage, { create: true });
	await addSeries(10, HOUR, 2.1 * HOUR);
	expect(codes(await status())).toEqual(['late warning']);
	storage = new MemoryStorage();
	repository = await Repository.open(storage, { create: true });
	await addSeries(10, HOUR, 72 * HOUR);
	const late = await status();
	expect(codes(late)).toEqual(['late critical', 'not-proved critical']);
	expect(late.sentence).toBe('0 of 1 sources can be restored. postgres/shop cannot: last proved backup 3 days ago.');
	expect(late.groups[0]!.reasons[0]!.text).toBe(
		'the newest backup is 3 days old; usually there is one every 60 minutes',
	);
});

it('what is expected counts more than what is usual, and what never came is critical', async () => {
	await addSeries(4, 7 * DAY, 2 * DAY);
	expect(codes(await status())).toEqual([]);
	const expectations = [
		{ group: 'postgres/*', everyHours: 30 },
		{ group: 'files/www', everyHours: null },
	];
	const found = await status({ expectations });
	expect(found.groups.map(({ group, verdict }) => [group, verdict])).toEqual([
		['files/www', 'critical'],
		[GROUP, 'warning'],
	]);
	expect(codes(found)).toEqual(['missing critical']);
	expect(codes(found, 1)).toEqual(['late warning']);
	expect(found.sentence).toBe('1 of 2 sources can be restored. files/www cannot: no proved backup. 1 needs a look.');
});

it.each<[string, string[], (labels: string[]) => Promise<unknown>]>([
	[
		'a newest backup found bad',
		['bad critical'],
		async ([, , , , label]) => {
			await addEvidence(repository, label!, { at: new Date().toISOString(), depth: 'readable', ok: false });
		},
	],
	[
		'a backup that builds on one that is gone',
		['chain-broken critical'],
		async () => {
			await buildBackup(repository, {
				...{
					type: 'incremental',
					parents: ['20260101T000000Z-full-aaaa'],
					verified: 'stored',
					bytes: 100,
					at: ago(60_000),
				},
			});
		},
	],
	[
		'a manifest that cannot be read',
		['unreadable critical'],
		async (labels) => {
			const key = `${GROUP}/${labels.at(-1)!}/manifest.json`;
			await storage.remove(key);
			const { Readable } = await import('node:stream');
			await storage.write(key, Readable.from([Buffer.from('{}')]));
		},
	],
	[
		'a backup that shrank to a tenth',
		['shrunk critical'],
		async () => {
			await buildBackup(repository, { bytes: 1, verified: 'stored', at: ago(60_000) });
		},
	],
	['one failed run', ['failed warning'], async () => await failRun()],
	['log that cannot be joined', ['failed critical'], async () => await failRun(GROUP, 'broken-log')],
	[
		'three failed runs',
		['failed critical'],
		async () => {
			for (let run = 0; run < 3; run++) await failRun();
		},
	],
	['a run that found another one at work', [], async () => await failRun(GROUP, 'locked')],
])('%s: %j', async (_, expected, change) => {
	const labels = await addSeries(5, DAY, HOUR, { bytes: 50_000 });
	await addSeries(1, DAY, 5 * DAY + HOUR, { bytes: 50_000 });
	await change(labels);
	expect(codes(await status())).toEqual(expected);
});

it('nothing proved is a warning at first, and critical after three backups', async () => {
	await addSeries(1, DAY, HOUR, { verified: null });
	expect(codes(await status())).toEqual(['not-proved warning']);
	await addSeries(2, DAY, DAY + HOUR, { verified: null });
	const found = await status();
	expect(codes(found)).toEqual(['not-proved critical']);
	expect(found.sentence).toBe('0 of 1 sources can be restored. postgres/shop cannot: no proved backup.');
});

it('evidence whose name alone says so proves nothing', async () => {
	const [label] = await addSeries(1, DAY, HOUR, { verified: null });
	const { Readable } = await import('node:stream');
	await storage.write(
		`${GROUP}/${label}/verified-20261101T000000Z-restored-ok.json`,
		Readable.from([Buffer.from('{}')]),
	);
	expect((await status()).groups[0]).toMatchObject({ restorable: false, proved: null });
});

it('targets: what would be lost, and how long a restore took', async () => {
	const [label] = await addSeries(3, 2 * HOUR, HOUR);
	const text = await repository.readManifestText(GROUP, label!);
	expect(text.manifest.label).toBe(label);
	expect(codes(await status({ targets: { rpoMs: HOUR / 2 } }))).toEqual(['rpo critical']);
	expect(codes(await status({ targets: { rpoMs: 2 * HOUR, rtoMs: 1 } }))).toEqual([]);
});

it('a policy tells what expires next, or why nothing does', async () => {
	await addSeries(10, DAY, HOUR);
	const policies = [{ group: '*', policy: parsePolicy('daily=5') }];
	expect((await status({ policies })).groups[0]!.retention).toMatchObject({
		nextExpiry: expect.any(Number),
		blocked: null,
	});
	await failRun();
	const found = await status({ policies });
	expect(codes(found)).toEqual(['failed warning', 'retention-blocked warning']);
});

it('copies: where each backup is, and a destination that lags behind', async () => {
	const second = new MemoryStorage('memory:second');
	const other = await Repository.open(second, { create: true });
	const labels = await addSeries(10, DAY, HOUR);
	for (const label of labels.slice(0, 7)) await copyObjects(second, label);
	const found = await status({}, [second]);
	expect(found.groups[0]!.copies).toMatchObject([
		{ storage: 'memory:first', primary: true, missing: 0, backups: 10 },
		{ storage: 'memory:second', primary: false, missing: 3, backups: 7, newest: { label: labels[6] } },
	]);
	expect(codes(found)).toEqual(['copy-missing warning']);
	expect(other.id).not.toBe(repository.id);
	expect(found.storages).toHaveLength(2);
});

it('the newest backups that are gone where they were made, and lie in a copy, were removed', async () => {
	const second = new MemoryStorage('memory:second');
	await Repository.open(second, { create: true });
	const labels = await addSeries(6, DAY, HOUR);
	for (const label of labels) {
		await copyObjects(second, label);
		// A copy keeps the id of the repository where it was made.
		const copied = await Repository.open(second);
		const manifest = await copied.readManifest(GROUP, label);
		await second.remove(objectKey(GROUP, label, 'manifest.json'));
		await copied.writeManifest({ ...manifest, repository: repository.id! });
	}
	expect(codes(await status({}, [second]))).toEqual([]);
	for (const label of labels.slice(-2)) {
		for (const { key } of await repository.objects(GROUP, label)) await storage.remove(key);
	}
	const found = await status({}, [second]);
	expect(codes(found)).toContain('rolled-back critical');
	const text = 'memory:second has 2 backups that were made here, after the newest one that is here now';
	expect(found.groups[0]!.reasons[0]).toMatchObject({ text });
});

it('a manifest that was exchanged for another one is told by the one after it', async () => {
	const [first, second] = await addSeries(2, DAY, HOUR);
	const { manifest, text } = await repository.readManifestText(GROUP, first!);
	const after = await repository.readManifest(GROUP, second!);
	const previous = { label: first!, sha256: createHash('sha256').update(text).digest('hex') };
	await storage.remove(objectKey(GROUP, second!, 'manifest.json'));
	await repository.writeManifest({ ...after, previous });
	expect(codes(await status())).toEqual([]);
	await storage.remove(objectKey(GROUP, first!, 'manifest.json'));
	await repository.writeManifest({ ...manifest, warnings: ['another one'] });
	// Its evidence is about the other one.
	expect(codes(await status())).toEqual(['exchanged critical', 'not-proved warning']);
});

async function copyObjects(to: MemoryStorage, label: string): Promise<void> {
	for (const { key } of await repository.objects(GROUP, label)) await to.write(key, await storage.read(key));
}

it('runs that are under way are told with their progress', async () => {
	await addSeries(3, DAY, HOUR);
	await recordRun(
		storage,
		{ verb: 'backup', group: GROUP, beatMs: 20 },
		async (run) => {
			run.progress('storing', 500, 1000);
			await new Promise((resolve) => setTimeout(resolve, 80));
			const found = await status();
			expect(found.running).toMatchObject([
				{ verb: 'backup', group: GROUP, phase: 'storing', bytes: 500, totalBytes: 1000 },
			]);
			expect(found.counts.running).toBe(1);
		},
		() => ({ outcome: 'ok', facts: {} }),
	);
	expect((await status()).running).toEqual([]);
});

it('storage: what is used, by group, and when it is full', async () => {
	await addSeries(20, DAY, HOUR, { bytes: 1000 });
	const [found] = (await status({ capacities: [100_000] })).storages;
	expect(found).toMatchObject({ location: 'memory:first', groups: [{ group: GROUP, backups: 20 }], leftovers: 0 });
	expect(found!.usedBytes).toBeGreaterThan(20_000);
	expect(found!.daysUntilFull).toBeGreaterThan(1);
	const full = await status({ capacities: [found!.usedBytes + 100] });
	expect(full.storages[0]!.reasons.map(({ code, severity }) => `${code} ${severity}`)).toEqual([
		'nearly-full critical',
	]);
	expect(full.verdict).toBe('critical');
});

it('a storage that cannot be looked at is critical, and the others are told all the same', async () => {
	await addSeries(3, DAY, HOUR);
	const now = new Date();
	const facts = await readStorage(repository, { now, signal: NEVER });
	const down = unreachable('s3://away', new BackupError('unreachable', 'no answer'), now);
	const found = judge([facts, down], { now });
	expect(found.verdict).toBe('critical');
	expect(found.sentence).toBe('The one source can be restored. s3://away cannot be looked at: no answer.');
	expect(found.storages[1]!.reasons).toMatchObject([{ code: 'unreachable', severity: 'critical' }]);
});

it('nothing at all is critical', async () => {
	expect(await status()).toMatchObject({ verdict: 'critical', sentence: 'There are no backups.', groups: [] });
});

it('a hundred thousand backups take seconds', async () => {
	const entries = 2000;
	await addSeries(5, HOUR, HOUR / 2);
	const now = new Date();
	const facts = await readStorage(repository, { now, signal: NEVER });
	const [one] = facts.groups;
	const groups = Array.from({ length: 50 }, (_, number) => ({
		...one!,
		group: `postgres/db${number}`,
		entries: Array.from({ length: entries }, (__, at) => ({
			...one!.entries[0]!,
			...{ group: `postgres/db${number}`, label: `l${at}`, startedAt: now.getTime() - (entries - at) * HOUR },
		})),
	}));
	const began = performance.now();
	expect(
		judge([{ ...facts, groups }], { now, policies: [{ group: '*', policy: parsePolicy('thirtyDays') }] }).groups,
	).toHaveLength(50);
	expect(performance.now() - began).toBeLessThan(20_000);
});
