/** Log stays exactly as long as a base backup needs it. */
import { planLog, type KeptBase, type LogEnd } from '../../../core/retention/log';
import type { BackupFacts } from '../../../core/retention/facts';
import { applyRetention } from '../../../core/verbs/expire/expire';
import { Repository } from '../../../core/records/repository';
import { ClusterBackups, CLUSTER_GROUP, LOG_GROUP, NEVER } from '../../support/clusters';
import { type OwnServer, sql, startPostgres } from '../../support/postgres';

function facts(count: number, pinned: number[] = []): BackupFacts[] {
	return Array.from({ length: count }, (_, n) => ({
		...{ group: LOG_GROUP, label: `2026112${n}T000000Z-full-aaaa`, type: 'full', startedAt: n, parents: [] },
		...{ storedBytes: 10, dataBytes: 10, expiring: false, pinned: pinned.includes(n), tags: [], verifications: [] },
	})) as unknown as BackupFacts[];
}

function plan(bases: KeptBase[] | null, ends: Array<LogEnd | null>, pinned: number[] = []): string {
	const members = facts(ends.length, pinned);
	const { backups } = planLog(
		LOG_GROUP,
		members.toReversed(),
		bases,
		new Map(members.map(({ label }, n) => [label, ends[n]!])),
	);
	return backups.map(({ action }) => (action === 'keep' ? 'k' : '-')).join('');
}

const base = (start: bigint, server = 'a'): KeptBase => ({ label: `base-${start}`, server, start });
const log = (end: bigint, server = 'a'): LogEnd => ({ server, end });

it.each<[string, KeptBase[] | null, Array<LogEnd | null>, string]>([
	[
		'from the piece in which the oldest base begins',
		[base(25n), base(45n)],
		[log(10n), log(20n), log(30n), log(50n)],
		'--kk',
	],
	['not the piece that ends where a base begins', [base(20n)], [log(10n), log(20n), log(30n)], '--k'],
	['all of it where there is no base', [], [log(10n), log(20n)], 'kk'],
	['all of it where a base cannot be read', null, [log(10n), log(20n)], 'kk'],
	['from a piece on that cannot be read', [base(25n)], [log(10n), null, log(30n)], '-kk'],
	['none of another cluster', [base(5n, 'b')], [log(10n), log(20n), log(7n, 'b')], '--k'],
	[
		'only the newest, behind which the next run goes on, where all of it is older',
		[base(99n)],
		[log(10n), log(20n)],
		'-k',
	],
])('keeps %s', (_, bases, ends, expected) => {
	expect(plan(bases, ends)).toBe(expected);
});

it('keeps what is pinned', () => {
	expect(plan([base(99n)], [log(10n), log(20n), log(30n)], [0])).toBe('k-k');
});

describe('of a real cluster', () => {
	let server: OwnServer;
	beforeAll(async () => {
		server = await startPostgres(18, { settings: { synchronous_commit: 'on' } });
	});
	afterAll(async () => await server?.stop());

	it('removes log once the base backup before it is gone, whatever its age', async () => {
		const shop = await server.createDatabase('shop');
		const backups = new ClusterBackups();
		const labels: string[] = [];
		const work = async (name: string) => {
			await sql(shop, `CREATE TABLE ${name} AS SELECT n FROM generate_series(1, 1000) n`);
			labels.push((await backups.log(shop))!.label);
		};
		const first = await backups.log(shop);
		await backups.base(shop);
		await work('one');
		const second = await backups.base(shop);
		await work('two');
		const repository = await Repository.open(backups.storage, { signal: NEVER });
		const policy = { last: 1, minimum: 1, trust: 'stored', allow: ['unverified'] } as const;
		const expire = async (group: string) =>
			(await applyRetention({ repository, group, policy: { ...policy, allow: [...policy.allow] }, signal: NEVER }))
				.removed;
		// It ends before the first base begins, which brings the log that it needs itself.
		expect(await expire(LOG_GROUP)).toEqual([first!.label]);
		expect(await expire(CLUSTER_GROUP)).toHaveLength(1);
		expect((await repository.list(CLUSTER_GROUP)).map(({ label }) => label)).toEqual([second]);
		expect(await expire(LOG_GROUP)).toEqual([labels[0]]);
		expect((await backups.plan({ kind: 'newest' })).log?.labels).toEqual([labels[1]]);
	});
});
