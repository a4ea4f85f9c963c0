import { postgresDrill } from '../../../core/sources/postgres/drill/drill';
import { BackupError } from '../../../core/base/errors';
import { type Depth, parseEvidence } from '../../../core/records/evidence';
import type { DatabaseTarget } from '../../../core/sources/postgres/connection/target';
import { type BackupEntry, Repository } from '../../../core/records/repository';
import { chooseForVerification, verifyBackup } from '../../../core/verbs/verify/verify';
import { FaultyStorage } from '../../support/faulty-storage';
import { sharedPostgres, sql } from '../../support/postgres';
import { bytesOf, GROUP, makeSmallBackup, requestFor, type SmallBackup } from '../../support/small-backup';

let target: DatabaseTarget;
let backup: SmallBackup;
beforeAll(async () => {
	target = await (await sharedPostgres(17)).createDatabase();
	await sql(target, 'CREATE TABLE secret_table AS SELECT i AS id FROM generate_series(1, 5) i');
	backup = await makeSmallBackup(target);
}, 120_000);

describe('a good backup', () => {
	it('is stored without any key, and readable with it', async () => {
		expect(await verifyBackup(requestFor(backup, 'stored', { keys: null }))).toMatchObject({
			outcome: 'ok',
			code: null,
			hint: null,
			comparison: null,
			restoreSeconds: null,
			evidence: expect.stringMatching(/^verified-\d{8}T\d{6}Z-stored-ok\.json$/),
		});
		expect(await verifyBackup(requestFor(backup, 'readable'))).toMatchObject({ outcome: 'ok', warnings: [] });
	});

	it('gets evidence that every reader of the storage may read', async () => {
		const scratch = { kind: 'server', target: (await sharedPostgres(17)).target() } as const;
		const assertions = [{ name: 'secret_question', sql: 'SELECT count(*) = 5 FROM secret_table' }];
		const result = await verifyBackup(requestFor(backup, 'restored', { scratch, assertions }));
		const text = (await bytesOf(backup, result.evidence!)).toString();
		expect(parseEvidence(text, 'here')).toMatchObject({
			group: GROUP,
			label: backup.label,
			depth: 'restored',
			outcome: 'ok',
			failure: null,
			manifestSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
			facts: {
				tables: 1,
				rows: 5,
				different: 0,
				assertions: 1,
				assertionsFailed: 0,
				restoreSeconds: expect.any(Number),
			},
		});
		expect(text).not.toContain('secret');
	});

	it('does not count as verified when the evidence cannot be stored', async () => {
		const denied = new BackupError('access-denied', 'may not write', { hint: 'Allow it.' });
		const storage = new FaultyStorage(backup.repository.storage, [
			{ on: 'write', key: /verified/, then: { fail: denied } },
		]);
		const repository = await Repository.open(storage);
		const result = await verifyBackup(requestFor({ ...backup, repository }, 'stored'));
		expect(result).toMatchObject({ outcome: 'environment', code: 'access-denied', evidence: null, hint: 'Allow it.' });
	});

	it('in a storage that cannot be reached is not called bad', async () => {
		const gone = new BackupError('unreachable', 'no route', { hint: 'Look.' });
		const storage = new FaultyStorage(backup.repository.storage, [{ on: 'read', key: /dump/, then: { fail: gone } }]);
		const storageless = { ...backup, repository: await Repository.open(storage) };
		const result = await verifyBackup(requestFor(storageless, 'stored'));
		expect(result).toMatchObject({ outcome: 'environment', code: 'unreachable', evidence: null });
	});
});

describe('a verification', () => {
	it('that is cancelled says so', async () => {
		const signal = AbortSignal.abort();
		await expect(verifyBackup(requestFor(backup, 'stored', { signal }))).rejects.toMatchObject({ code: 'cancelled' });
	});

	it.each([
		['no place to restore to', { depth: 'restored' as const }],
		['a drill at depth stored', { drills: [postgresDrill({ scratch: { kind: 'embedded' } })] }],
		['a label that is none', { label: 'newest' }],
		['a group that is none', { group: '../x' }],
	])('with %s is wrong use', async (_, change) => {
		const request = { ...requestFor(backup, 'stored'), ...change };
		await expect(verifyBackup(request)).rejects.toMatchObject({ code: 'invalid-input' });
	});
});

describe('choosing', () => {
	const entry = (group: string, day: number, ...verified: Array<[Depth, boolean]>): BackupEntry => ({
		group,
		label: `202611${String(day).padStart(2, '0')}T020000Z-full-abcd`,
		type: 'full',
		startedAt: Date.UTC(2026, 10, day, 2),
		storedBytes: 1,
		dataBytes: 1,
		parents: [],
		approved: false,
		pinned: false,
		tags: [],
		expiring: false,
		verifications: verified.map(([depth, ok]) => ({ at: Date.now(), depth, ok })),
	});
	const entries = [
		entry('a', 1, ['stored', true]),
		entry('a', 2, ['restored', false]),
		entry('a', 3, ['restored', true]),
		entry('b', 1),
		entry('b', 2, ['readable', true]),
	];
	const names = (chosen: BackupEntry[]) =>
		chosen.map(({ group, startedAt }) => `${group}${new Date(startedAt).getUTCDate()}`);

	it('takes the newest of each group', () => {
		expect(names(chooseForVerification(entries, { kind: 'newest' }, 'stored'))).toEqual(['a3', 'b2']);
		expect(names(chooseForVerification(entries, { kind: 'newest', groups: ['b'] }, 'stored'))).toEqual(['b2']);
	});

	it.each<[Depth, string[]]>([
		['stored', ['a2', 'b1']],
		['readable', ['a1', 'a2', 'b1']],
		['restored', ['a1', 'a2', 'b1', 'b2']],
	])('takes all that were not found good at depth %s or deeper', (depth, expected) => {
		expect(names(chooseForVerification(entries, { kind: 'unverified' }, depth))).toEqual(expected);
	});

	it('takes the one that is named', () => {
		const { group, label } = entries[3]!;
		expect(chooseForVerification(entries, { kind: 'label', group, label }, 'stored')).toEqual([entries[3]]);
	});

	it('takes every backup exactly once in as many days as there are shares, whatever comes and goes', () => {
		const many = Array.from({ length: 300 }, (_, i) => entry(`g${i}`, 1 + (i % 28)));
		for (const parts of [1, 7, 30]) {
			const seen = new Map<BackupEntry, number>();
			for (let day = 0; day < parts; day++) {
				const some = day === 3 ? [...many, entry('new', 5)] : many;
				const when = new Date(Date.UTC(2026, 10, 25 + day, 23, 59));
				const share = chooseForVerification(some, { kind: 'share', parts, day: when }, 'stored');
				for (const backup of share) seen.set(backup, (seen.get(backup) ?? 0) + 1);
				expect(share.length).toBeLessThan((2.5 * many.length) / parts + 2);
			}
			expect(many.map((backup) => seen.get(backup))).toEqual(many.map(() => 1));
		}
	});

	it.each([0, -1, 1.5, Number.NaN])('refuses %s shares', (parts) => {
		const choice = { kind: 'share', parts, day: new Date() } as const;
		expect(() => chooseForVerification(entries, choice, 'stored')).toThrow(
			expect.objectContaining({ code: 'invalid-input' }),
		);
	});
});
