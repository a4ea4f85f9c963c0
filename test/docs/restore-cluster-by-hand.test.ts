/** docs/restore-cluster-by-hand.md: each of its commands, on real clusters, with age, zstd, tar and dd alone. */
import fs from 'node:fs';
import path from 'node:path';
import { FolderStorage } from '../../core/storage/folder/folder';
import { ClusterBackups, CLUSTER_GROUP, reachableFolder, startRestored } from '../support/clusters';
import { giveToServer } from '../../scripts/lib/postgres.mjs';
import { Document, sh } from '../support/document';
import { type Major, sql, startPostgres } from '../support/postgres';

const document = new Document('docs/restore-cluster-by-hand.md');
const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' };

it.each<Major>([15, 18])('brings PostgreSQL %i back as of a moment, with its tablespace', async (major) => {
	const top = reachableFolder();
	const server = await startPostgres(major, { settings: { synchronous_commit: 'on' } });
	try {
		const space = path.join(top, 'space');
		fs.mkdirSync(space);
		await giveToServer(space);
		await sql(server.target(), `CREATE TABLESPACE fast LOCATION '${space}'`);
		const shop = await server.createDatabase('shop');
		await sql(shop, 'CREATE TABLE ledger TABLESPACE fast AS SELECT n FROM generate_series(1, 1000) n');
		const cwd = path.join(top, 'storage');
		fs.mkdirSync(cwd);
		const backups = new ClusterBackups(new FolderStorage({ path: cwd }));
		await backups.log(shop);
		const label = await backups.base(shop);
		// More than one file of the log.
		await sql(shop, 'INSERT INTO ledger SELECT n FROM generate_series(1001, 300000) n');
		await backups.log(shop);
		await sql(shop, 'INSERT INTO ledger VALUES (0)');
		const [{ now }] = (await sql<{ now: Date }>(shop, 'SELECT clock_timestamp() AS now')) as [{ now: Date }];
		await new Promise((resolve) => setTimeout(resolve, 50));
		await sql(shop, 'DROP TABLE ledger');
		await backups.log(shop);
		await server.stop();
		fs.writeFileSync(path.join(cwd, 'key.txt'), `${(await backups.keys()).identities[0]}\n`);

		const base = { 'cluster/main/20261127T020000Z-full-k3f9': `${CLUSTER_GROUP}/${label}` };
		await sh(document.block('mkdir -m 700 data', base), { cwd, env });
		await sh(document.block('tablespace_map', base), { cwd, env });
		await sh(document.block('oflag=seek_bytes'), { cwd, env });
		const moment = now.toISOString().replace('T', ' ').replace('Z', '+00');
		await sh(document.block('recovery.signal', { '2026-11-27 14:29:59.500+00': moment }), { cwd, env });
		for (const name of fs.readdirSync(cwd))
			if (name.startsWith('tablespace-')) await giveToServer(path.join(cwd, name));
		const restored = await startRestored(major, path.join(cwd, 'data'), server.password);
		try {
			expect(await sql(restored.target('shop'), 'SELECT count(*)::int FROM ledger')).toEqual([{ count: 300_001 }]);
			expect(
				await sql(
					restored.target(),
					'SELECT pg_tablespace_location(oid) AS at FROM pg_tablespace ORDER BY oid DESC LIMIT 1',
				),
			).toEqual([{ at: expect.stringContaining(`${cwd}/tablespace-`) }]);
		} finally {
			await restored.stop();
		}
	} finally {
		await server.stop();
		fs.rmSync(top, { recursive: true, force: true });
	}
});

it('has no other commands, and no dead links', () => {
	expect(document.unused()).toEqual([]);
	expect(document.brokenLinks()).toEqual([]);
	expect(new Document('docs/point-in-time.md').brokenLinks()).toEqual([]);
});
