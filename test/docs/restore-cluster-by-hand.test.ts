/** docs/restore-cluster-by-hand.md: each of its commands, on real clusters, with age, zstd, tar and dd alone. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { FolderStorage } from '../../core/storage/folder/folder';
import { ClusterBackups, CLUSTER_GROUP, reachableFolder, startRestored } from '../support/clusters';
import { giveToServer } from '../../scripts/lib/postgres.mjs';
import { unpackBackupPrograms } from '../support/debian-postgres';
import { Document, sh } from '../support/document';
import { type Major, type OwnServer, sql, startPostgres } from '../support/postgres';

const document = new Document('docs/restore-cluster-by-hand.md');
const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' };

/** Makes a tablespace `fast` in a folder, and a database. */
async function prepare(server: OwnServer, top: string): Promise<{ shop: DatabaseTarget; space: string }> {
	const space = path.join(top, 'space');
	fs.mkdirSync(space);
	await giveToServer(space);
	await sql(server.target(), `CREATE TABLESPACE fast LOCATION '${space}'`);
	return { shop: await server.createDatabase('shop'), space };
}

it.each<Major>([15, 18])('brings PostgreSQL %i back as of a moment, with its tablespace', async (major) => {
	const top = reachableFolder();
	const server = await startPostgres(major, { settings: { synchronous_commit: 'on' } });
	try {
		const { shop } = await prepare(server, top);
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

it('combines incremental base backups of PostgreSQL 17 by its own program, byte for byte as our restore does', async () => {
	const top = reachableFolder();
	const server = await startPostgres(17, { settings: { synchronous_commit: 'on', summarize_wal: 'on' } });
	try {
		const { shop, space } = await prepare(server, top);
		await sql(shop, 'CREATE TABLE ledger TABLESPACE fast AS SELECT n FROM generate_series(1, 200000) n');
		await sql(
			shop,
			'CREATE TABLE shrinks AS SELECT n FROM generate_series(1, 200000) n; CREATE TABLE goes AS SELECT 1',
		);
		const cwd = path.join(top, 'storage');
		fs.mkdirSync(cwd);
		const backups = new ClusterBackups(new FolderStorage({ path: cwd }));
		await backups.log(shop);
		const full = await backups.base(shop);
		await sql(
			shop,
			'UPDATE ledger SET n = -n WHERE n % 50000 = 0; DROP TABLE goes; CREATE TABLE comes AS SELECT 2 AS n',
		);
		const first = await backups.base(shop, { type: 'incremental' });
		await sql(shop, 'DELETE FROM shrinks WHERE n > 10');
		await sql(shop, 'VACUUM shrinks');
		await sql(shop, 'INSERT INTO ledger SELECT n FROM generate_series(1, 50000) n');
		const second = await backups.base(shop, { type: 'incremental' });
		await server.stop();

		fs.writeFileSync(path.join(cwd, 'key.txt'), `${(await backups.keys()).identities[0]}\n`);
		const programs = { ...env, PATH: `${await unpackBackupPrograms()}:${env.PATH}` };
		const labels = { '20261127T020000Z-full-k3f9': full, '20261127T033700Z-incremental-m2x4': `${first} ${second}` };
		await sh(document.block('pg_combinebackup', labels), { cwd, env: programs });
		const [tablespace] = fs.readdirSync(cwd).filter((name) => name.startsWith('tablespace-'));
		const ours = { data: path.join(top, 'ours'), fast: path.join(top, 'ours-fast') };
		const tablespaces = { [space]: ours.fast };
		await backups.restore({ kind: 'base' }, { to: ours.data, label: second, tablespaces });
		// What both write for themselves: which backup it is, how it is to be started, and what should be there.
		const own = ['backup_label', 'backup_manifest', 'tablespace_map', 'postgresql.auto.conf', 'recovery.signal'];
		const combined = digests(path.join(cwd, 'data'), own);
		expect(digests(ours.data, own)).toEqual(combined);
		expect(Object.keys(combined).length).toBeGreaterThan(1000);
		expect(digests(ours.fast)).toEqual(digests(path.join(cwd, tablespace!)));

		await giveToServer(path.join(cwd, tablespace!));
		const restored = await startRestored(17, path.join(cwd, 'data'), server.password);
		try {
			expect(await sql(restored.target('shop'), COUNTS)).toEqual([{ ledger: 250_000, shrinks: 10, comes: 1 }]);
		} finally {
			await restored.stop();
		}
	} finally {
		await server.stop();
		fs.rmSync(top, { recursive: true, force: true });
	}
});

const COUNTS = `SELECT (SELECT count(*)::int FROM ledger) AS ledger, (SELECT count(*)::int FROM shrinks) AS shrinks,
	(SELECT count(*)::int FROM comes) AS comes`;

/** The SHA-256 of every file below a folder, by its path; folders have none. @param without names of files that are left out */
function digests(folder: string, without: readonly string[] = []): Record<string, string> {
	const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true });
	return Object.fromEntries(
		entries
			.filter((entry) => !without.includes(entry.name))
			.map((entry) => [path.join(entry.parentPath, entry.name), entry] as const)
			.map(([file, entry]) => [
				path.relative(folder, file),
				entry.isFile() ? createHash('sha256').update(fs.readFileSync(file)).digest('hex') : '',
			]),
	);
}

it('has no other commands, and no dead links', () => {
	expect(document.unused()).toEqual([]);
	expect(document.brokenLinks()).toEqual([]);
	expect(new Document('docs/point-in-time.md').brokenLinks()).toEqual([]);
});
