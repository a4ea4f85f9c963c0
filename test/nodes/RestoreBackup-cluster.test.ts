/** Restore Backup: Restore Cluster, from the backups of a real server into folders in which a server starts; n8n itself is in test/e2e. */
import fs from 'node:fs';
import path from 'node:path';
import { createStorage } from '../../core/storage/create';
import { RestoreBackup } from '../../nodes/RestoreBackup/RestoreBackup.node';
import { ClusterBackups, reachableFolder, startRestored } from '../support/clusters';
import { type FakeNode, fakeContext } from '../support/fake-node';
import { giveToServer } from '../../scripts/lib/postgres.mjs';
import { type OwnServer, sql, startPostgres } from '../support/postgres';
import { from, type Json, reportOn } from '../support/report-items';

const node = new RestoreBackup();
let top: string;
let server: OwnServer;
let space: string;
let before: Date;
let label: string;
let credentials: FakeNode['credentials'];

beforeAll(async () => {
	top = reachableFolder();
	server = await startPostgres(18, { settings: { synchronous_commit: 'on' } });
	space = path.join(top, 'space');
	fs.mkdirSync(space);
	await giveToServer(space);
	await sql(server.target(), `CREATE TABLESPACE fast LOCATION '${space}'`);
	await sql(server.target(), 'CREATE TABLE orders TABLESPACE fast AS SELECT generate_series(1, 1000) AS n');
	const storage = path.join(top, 'storage');
	fs.mkdirSync(storage);
	const backups = new ClusterBackups(createStorage({ type: 'folder', path: storage }));
	await backups.log(server.target());
	label = await backups.base(server.target());
	await sql(server.target(), 'INSERT INTO orders VALUES (1001)');
	[{ now: before }] = (await sql<{ now: Date }>(server.target(), 'SELECT clock_timestamp() AS now')) as [{ now: Date }];
	await sql(server.target(), 'SELECT pg_sleep(0.05)');
	await sql(server.target(), 'DROP TABLE orders');
	await backups.log(server.target());
	const [identity] = (await backups.keys()).identities;
	credentials = {
		backupStorageApi: { type: 'folder', path: storage },
		backupEncryptionApi: { method: 'recipients', recipients: '', identity: identity! },
	};
});
afterAll(async () => {
	await server?.stop();
	fs.rmSync(top, { recursive: true, force: true });
});

async function restore(name: string, parameters: Record<string, unknown> = {}, more: Partial<FakeNode> = {}) {
	const tablespaces = { tablespace: [{ from: space, to: path.join(top, `${name}-fast`) }] };
	const fake = fakeContext({
		parameters: {
			...{ operation: 'restoreCluster', group: 'cluster/main', encryption: 'age', upTo: 'newest', options: {} },
			...{ folder: path.join(top, name), tablespaces, ...parameters },
		},
		credentials,
		...more,
	});
	const [items] = await node.execute.call(fake.context);
	return { item: items![0]!.json as Json, hints: fake.hints.map(({ message }) => message) };
}

it('gives a dropped table back as of the moment before', async () => {
	const to = path.join(top, 'data');
	const { item, hints } = await restore('data', { upTo: 'time', moment: before.toISOString() });
	expect(item).toMatchObject({
		summary: expect.stringMatching(
			/data: cluster\/main restored to 20.*Z, \d+ files of .* start it with PostgreSQL 18$/,
		),
		...{ ok: true, restoredTo: to, upTo: 'time', postgresVersion: 18, label, countsMatch: true },
		...{ start: `pg_ctl -D ${to} start`, warnings: [] },
	});
	expect(item.files).toBeGreaterThan(900);
	expect(hints).toEqual([]);
	expect(reportOn(from('restore', item))).toMatchObject({ ok: true, counts: { restored: 1 } });
	await giveToServer(path.join(top, 'data-fast'));
	const restored = await startRestored(18, to, server.password);
	try {
		expect(await sql(restored.target(), 'SELECT count(*)::int FROM orders')).toEqual([{ count: 1001 }]);
	} finally {
		await restored.stop();
	}
});

it.each<[string, Record<string, unknown>, string]>([
	['a moment that is not stored', { upTo: 'time', moment: '2099-01-01T00:00:00Z' }, 'nothing is stored of 2099'],
	[
		'a moment before all base backups',
		{ upTo: 'time', moment: '2020-01-01T00:00:00Z' },
		'no base backup of cluster/main',
	],
	['no moment', { upTo: 'time', moment: '' }, '"Moment" is not a valid time'],
	['what is no place', { upTo: 'lsn', lsn: 'yesterday' }, '"yesterday" is no place in the write-ahead log'],
	['a place that is not stored', { upTo: 'lsn', lsn: 'FF/0' }, 'the log that is stored ends at'],
	['a restore point that nobody made', { upTo: 'restorePoint', restorePoint: 'x' }, 'has a restore point "x"'],
	['an unknown way', { upTo: 'whatever' }, 'Up To'],
	['a group of something else', { group: 'postgres/shop' }, '"postgres/shop" is no group for base backups'],
	['a label that is not there', { options: { baseBackup: '20200101T000000Z-full-aaaa' } }, 'there is no backup'],
	['to allow without a label', { options: { allowUnsigned: true } }, 'no backup is chosen by its label'],
	['no folder', { folder: ' ' }, '"To Folder" is empty'],
	['a tablespace without a folder', { tablespaces: {} }, 'has no folder to be restored to'],
])('refuses %s, and writes nothing', async (_, parameters, message) => {
	await expect(restore('refused', parameters)).rejects.toThrow(message);
	expect(fs.readdirSync(top).filter((name) => name.startsWith('refused'))).toEqual([]);
});

it('refuses a folder with something in it, and folders that n8n may not use', async () => {
	await expect(restore('storage')).rejects.toThrow('storage is not empty');
	const elsewhere = { allowedFolder: '/home/node/.n8n-files' };
	await expect(restore('outside', {}, elsewhere)).rejects.toThrow('n8n may not use the folder');
	const inside = { allowedFolder: path.join(top, 'outside-data') };
	await expect(restore('outside', { folder: path.join(top, 'outside-data') }, inside)).rejects.toThrow(
		`n8n may not use the folder ${path.join(top, 'outside-fast')}`,
	);
	expect(fs.readdirSync(top).filter((name) => name.startsWith('outside'))).toEqual([]);
});

it('leaves the log to a command of the server, where one is given', async () => {
	const fetchLogBy = "wal-get --storage 's3://it%27s/backups'";
	const { item } = await restore('fetching', { options: { fetchLogBy } });
	expect(item).toMatchObject({ ok: true, logBytes: 0 });
	const configuration = fs.readFileSync(path.join(top, 'fetching/postgresql.auto.conf'), 'utf8');
	expect(configuration).toContain(
		`restore_command = 'wal-get --storage ''s3://it%%27s/backups'' --up-to-gap cluster/main/${label} "%f" "%p"'\n`,
	);
	await expect(restore('refused', { options: { fetchLogBy: 'one\ntwo' } })).rejects.toThrow('no line breaks');
	expect(fs.existsSync(path.join(top, 'refused'))).toBe(false);
});

it('restores the base backup alone, with a label', async () => {
	const { item } = await restore('base', { upTo: 'baseOnly', options: { baseBackup: label } });
	expect(item).toMatchObject({ upTo: 'base', label, logBytes: 0, lastCommit: null });
});
