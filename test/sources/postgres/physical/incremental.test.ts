/** Incremental base backups of PostgreSQL 17 and 18: a chain is restored, starts, and has what was there at its end. */
import fs from 'node:fs';
import path from 'node:path';
import { Repository } from '../../../../core/records/repository';
import { ClusterBackups, CLUSTER_GROUP, NEVER, reachableFolder, startRestored } from '../../../support/clusters';
import { type Major, type OwnServer, sql, startPostgres } from '../../../support/postgres';
import { rounds } from '../../../support/soak';

let top: string;
const servers: OwnServer[] = [];
beforeEach(() => {
	top = reachableFolder();
});
afterEach(async () => {
	await Promise.all(servers.splice(0).map(async (server) => await server.stop()));
	fs.rmSync(top, { recursive: true, force: true });
});

const STATE = `SELECT (SELECT count(*)::int FROM big) AS big, (SELECT md5(string_agg(t, ',' ORDER BY id)) FROM big) AS digest,
	to_regclass('dropped')::text AS dropped, (SELECT count(*)::int FROM made) AS made, (SELECT count(*)::int FROM shrunk) AS shrunk`;

it.each(rounds<Major[]>([18], [17, 18]))(
	'of PostgreSQL %i hold only what changed, and come back whole',
	async (major) => {
		const server = await startPostgres(major, { settings: { synchronous_commit: 'on', summarize_wal: 'on' } });
		servers.push(server);
		const shop = await server.createDatabase('shop');
		await sql(
			shop,
			"CREATE TABLE big AS SELECT n AS id, md5(n::text) || repeat('x', 200) AS t FROM generate_series(1, 60000) n",
		);
		await sql(
			shop,
			'CREATE TABLE dropped AS SELECT 1 AS n; CREATE TABLE shrunk AS SELECT generate_series(1, 50000) AS n',
		);
		await sql(shop, 'CREATE INDEX ON big (id)');
		const backups = new ClusterBackups();
		await backups.log(shop);
		await backups.base(shop);
		await sql(
			shop,
			"UPDATE big SET t = 'changed' WHERE id % 10000 = 0; DROP TABLE dropped; CREATE TABLE made AS SELECT 1 AS n",
		);
		const first = await backups.base(shop, { type: 'incremental' });
		await sql(shop, 'DELETE FROM shrunk WHERE n > 10');
		await sql(shop, 'VACUUM shrunk');
		await sql(shop, "INSERT INTO made VALUES (2); UPDATE big SET t = 'again' WHERE id = 7");
		const second = await backups.base(shop, { type: 'incremental' });
		const state = await sql(shop, STATE);
		await backups.log(shop);

		const repository = await Repository.open(backups.storage, { signal: NEVER });
		const manifests = await Promise.all(
			[first, second].map(async (label) => await repository.readManifest(CLUSTER_GROUP, label)),
		);
		expect(manifests.flatMap(({ warnings }) => warnings)).toEqual([]);
		expect(manifests.map(({ type, parents }) => ({ type, parents: parents.length }))).toEqual([
			{ type: 'incremental', parents: 1 },
			{ type: 'incremental', parents: 2 },
		]);
		const sizes = (await repository.list(CLUSTER_GROUP)).map(({ storedBytes }) => storedBytes);
		expect(Math.max(...sizes.slice(1))).toBeLessThan(sizes[0]! / 2);

		for (const kind of ['base', 'newest'] as const) {
			await backups.restore({ kind }, { to: path.join(top, kind), label: second });
			const restored = await startRestored(major, path.join(top, kind), server.password);
			servers.push(restored);
			expect(await sql(restored.target('shop'), STATE)).toEqual(state);
			await sql(restored.target('shop'), 'CREATE EXTENSION IF NOT EXISTS amcheck');
			expect(
				await sql(
					restored.target('shop'),
					"SELECT bt_index_check(oid) FROM pg_class WHERE relkind = 'i' AND relname LIKE 'big%'",
				),
			).toHaveLength(1);
			await restored.stop();
		}
	},
);

it.each<[Major, Record<string, string>, string]>([
	[15, {}, 'PostgreSQL 15 makes no incremental backups'],
	[18, {}, 'ALTER SYSTEM SET summarize_wal = on'],
])('of PostgreSQL %i become full ones where the server cannot make them, and say why', async (major, settings, why) => {
	const server = await startPostgres(major, { settings });
	servers.push(server);
	const backups = new ClusterBackups();
	await backups.base(server.target());
	const label = await backups.base(server.target(), { type: 'incremental' });
	const repository = await Repository.open(backups.storage, { signal: NEVER });
	expect(await repository.readManifest(CLUSTER_GROUP, label)).toMatchObject({
		...{ type: 'full', parents: [], warnings: [expect.stringContaining(why)] },
	});
});
