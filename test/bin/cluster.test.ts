/** n8n-backup base, wal, slot, and restore of a cluster, as processes of their own. */
import fs from 'node:fs';
import path from 'node:path';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { generateIdentity } from '../../core/codecs/age/keys';
import { reachableFolder, startRestored } from '../support/clusters';
import { databaseUrl, type Finished, run, start } from '../support/command-line';
import { type OwnServer, sql, startPostgres } from '../support/postgres';
import { until } from '../support/until';

let top: string;
let server: OwnServer;
let shop: DatabaseTarget;
let keys: { recipient: string; identity: string };
let key: string;

beforeAll(async () => {
	top = reachableFolder();
	server = await startPostgres(18, { settings: { synchronous_commit: 'on' } });
	shop = await server.createDatabase('shop');
	keys = await generateIdentity();
	key = path.join(top, 'key');
	fs.writeFileSync(key, keys.identity, { mode: 0o600 });
	fs.mkdirSync(path.join(top, 'storage'));
});
afterAll(async () => {
	await server?.stop();
	fs.rmSync(top, { recursive: true, force: true });
});

async function backup(command: string, group: string, ...more: string[]): Promise<Finished> {
	const from = ['--database', databaseUrl(shop), '--group', group, '--storage', `file://${top}/storage`];
	return await run([command, ...from, '--recipient', keys.recipient, ...more], { PGPASSWORD: shop.password });
}

async function restore(to: string, ...more: string[]): Promise<Finished> {
	const place = ['--storage', `file://${top}/storage`, '--to', path.join(top, to), '--identity', key];
	return await run(['restore', 'cluster/main', ...place, ...more]);
}

async function slot(what: string): Promise<Finished> {
	const of = ['--database', databaseUrl(shop), '--group', 'wal/main', '--storage', `file://${top}/storage`];
	return await run(['slot', what, ...of], { PGPASSWORD: shop.password });
}

it('backs a cluster up, and gives a dropped table back as of the second before', async () => {
	expect(await slot('show')).toMatchObject({ code: 1, stderr: expect.stringContaining('has no slot') });
	expect(await backup('wal', 'wal/main')).toMatchObject({ code: 0, stdout: expect.stringContaining('wal/main/') });
	await sql(shop, 'CREATE TABLE orders AS SELECT n AS id FROM generate_series(1, 1000) n');
	expect(await backup('base', 'cluster/main')).toMatchObject({ code: 0, stdout: expect.stringContaining('MB as') });
	await sql(shop, 'INSERT INTO orders VALUES (1001)');
	const [{ now }] = (await sql<{ now: Date }>(shop, 'SELECT clock_timestamp() AS now')) as [{ now: Date }];
	await new Promise((resolve) => setTimeout(resolve, 50));
	await sql(shop, 'DROP TABLE orders');
	const collected = await backup('wal', 'wal/main');
	expect(collected).toMatchObject({
		code: 0,
		stdout: expect.stringMatching(/up to \w+\/\w+, the last transaction of 20/),
	});
	expect(await slot('show')).toMatchObject({
		code: 0,
		stdout: expect.stringMatching(/^n8n_backup_[0-9a-f]{16}: from /),
	});

	const restored = await restore('data', '--until', now.toISOString());
	expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining(`pg_ctl -D ${top}/data start`) });
	const again = await startRestored(18, path.join(top, 'data'), server.password);
	try {
		expect(await sql(again.target('shop'), 'SELECT count(*)::int FROM orders')).toEqual([{ count: 1001 }]);
	} finally {
		await again.stop();
	}

	const refused = async (to: string, ...more: string[]) => {
		const { code, stderr } = await restore(to, ...more);
		return { code, stderr, left: fs.existsSync(path.join(top, to)) };
	};
	expect(await refused('early', '--until', '2020-01-01T00:00:00Z')).toMatchObject({
		...{ code: 1, left: false, stderr: expect.stringContaining('no base backup of cluster/main had ended by then') },
	});
	expect(await refused('late', '--until', '2100-01-01T00:00:00Z')).toMatchObject({
		...{ code: 2, left: false, stderr: expect.stringContaining('nothing is stored of 2100-01-01') },
	});
	expect(await refused('far', '--lsn', 'FF/0')).toMatchObject({
		...{ code: 2, left: false, stderr: expect.stringContaining('the log that is stored ends at') },
	});
	expect(await refused('unnamed', '--restore-point', 'nobody made it')).toMatchObject({
		...{ code: 1, left: false, stderr: expect.stringContaining('has a restore point "nobody made it"') },
	});
	expect(await refused('two', '--lsn', '0/1', '--base-only')).toMatchObject({
		...{ code: 2, left: false, stderr: expect.stringContaining('more than one moment') },
	});
	expect(await restore('data')).toMatchObject({ stderr: expect.stringContaining('is not empty') });

	// The log is replayed with the base backup, and so is no backup of its own here.
	const proved = await run(
		['verify', '--newest', '--depth', 'restored', '--storage', `file://${top}/storage`, '--identity', key],
		{ N8N_BACKUP_PG_BIN: path.resolve(__dirname, '../../node_modules/pg18/native/bin') },
	);
	expect(proved).toMatchObject({
		code: 0,
		stdout: expect.stringMatching(/^cluster\/main\/\S+: ok: restored in .*\nnot authenticated: .*\n$/),
	});

	// As a service, over one connection: a quiet moment is no run, and what is written is stored soon.
	const { child, finished } = start(
		[
			...['wal', '--every', '1', '--database', databaseUrl(shop), '--group', 'wal/main'],
			...['--storage', `file://${top}/storage`, '--recipient', keys.recipient],
		],
		{ PGPASSWORD: shop.password },
	);
	let told = '';
	child.stdout!.on('data', (text: Buffer) => (told += text.toString()));
	const lines = () => told.split('wal/main').length - 1;
	await until('it has looked', () => lines() > 0);
	const before = lines();
	await sql(shop, 'CREATE TABLE later (id int)');
	await until('that is stored', () => lines() > before);
	child.kill('SIGTERM');
	expect(await finished).toMatchObject({ code: 0, stderr: '' });

	expect(await slot('drop')).toMatchObject({ code: 0, stdout: expect.stringContaining('dropped the slot') });
	const anew = await backup('wal', 'wal/main');
	expect(anew).toMatchObject({ code: 0, stderr: expect.stringContaining('was gone; it was made anew') });
});
