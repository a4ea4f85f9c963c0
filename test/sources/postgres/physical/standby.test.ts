/** A real standby: what can be had of it, and that log goes on where it was when the standby takes over from its primary. */
import fs from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { zstdDecompressSync } from 'node:zlib';
import type { DatabaseFacts } from '../../../../core/sources/postgres/dump/contents';
import { DEFAULT_DUMP_OPTIONS, postgresSource } from '../../../../core/sources/postgres/dump/dump';
import { objectKey } from '../../../../core/records/layout';
import { Repository } from '../../../../core/records/repository';
import { backUp } from '../../../../core/verbs/backup/backup';
import { verifyBackup } from '../../../../core/verbs/verify/verify';
import { MemoryStorage } from '../../../../core/storage/memory';
import { ClusterBackups, CLUSTER_GROUP, NEVER, reachableFolder, startRestored } from '../../../support/clusters';
import { type OwnServer, sql, startPostgres } from '../../../support/postgres';
import { until } from '../../../support/until';

/** As a server is that somebody depends on: without it, nothing can be copied of a standby. */
const SAFE = { synchronous_commit: 'on', full_page_writes: 'on' };

let top: string;
let primary: OwnServer;
let standby: OwnServer;
const servers: OwnServer[] = [];
const backups = new ClusterBackups();

/** What a standby is: a restored cluster that asks its primary for more log, and does not end that. */
async function startStandby(): Promise<OwnServer> {
	const folder = path.join(top, 'standby');
	await backups.restore({ kind: 'newest' }, { to: folder });
	fs.renameSync(path.join(folder, 'recovery.signal'), path.join(folder, 'standby.signal'));
	const { host, port, superuser, password } = primary;
	const to = `host=${host} port=${port} user=${superuser} password=${password}`;
	// A restored cluster lets nobody in before its log is replayed, which a standby never ends.
	fs.appendFileSync(path.join(folder, 'postgresql.auto.conf'), `primary_conninfo = '${to}'\nhot_standby = on\n`);
	return await startPostgres(18, {
		restored: { folder, password },
		// Whoever reads is in the way of what the primary has removed, and is told to go at once.
		settings: { ...SAFE, max_standby_streaming_delay: 0 },
	});
}

/** Waits until the standby has all that the primary has. */
async function caughtUp(): Promise<void> {
	const [place] = await sql<{ lsn: string }>(primary.target(), 'SELECT pg_current_wal_flush_lsn()::text AS lsn');
	await until('the standby has caught up', async () => {
		const query = `SELECT pg_last_wal_replay_lsn() >= '${place!.lsn}'::pg_lsn AS there`;
		return (await sql<{ there: boolean }>(standby.target(), query))[0]!.there;
	});
}

async function count(server: OwnServer): Promise<number> {
	return (await sql<{ count: number }>(server.target(), 'SELECT count(*)::int FROM ledger'))[0]!.count;
}

beforeAll(async () => {
	top = reachableFolder();
	primary = await startPostgres(18, { replication: true, settings: SAFE });
	servers.push(primary);
	await sql(primary.target(), 'CREATE TABLE ledger AS SELECT n FROM generate_series(1, 1000) n');
	await backups.log(primary.target());
	await backups.base(primary.target());
	await backups.log(primary.target());
	standby = await startStandby();
	servers.push(standby);
	await sql(primary.target(), 'INSERT INTO ledger VALUES (1001)');
	await caughtUp();
});
afterAll(async () => {
	await Promise.all(servers.map(async (server) => await server.stop()));
	fs.rmSync(top, { recursive: true, force: true });
});

it('gives a dump, with the counts of its own snapshot', async () => {
	const storage = new MemoryStorage();
	const source = postgresSource(standby.target(), DEFAULT_DUMP_OPTIONS);
	const { manifest } = await backUp({ storage, group: 'postgres/main', source, encryption: null, signal: NEVER });
	const { name } = manifest.parts.find(({ role }) => role === 'contents')!;
	const stored = await buffer(await storage.read(objectKey(manifest.group, manifest.label, name)));
	const [table] = (JSON.parse(zstdDecompressSync(stored).toString()) as DatabaseFacts).tables;
	expect(table).toMatchObject({ name: 'ledger', rows: 1001 });
});

it('gives a base backup that can be read, and no log: that is its primary’s', async () => {
	const label = await backups.base(standby.target());
	const repository = await Repository.open(backups.storage, { signal: NEVER });
	const request = { repository, group: CLUSTER_GROUP, label, depth: 'readable' as const, signal: NEVER };
	expect(await verifyBackup({ ...request, keys: await backups.keys() })).toMatchObject({ outcome: 'ok' });
	await expect(backups.log(standby.target())).rejects.toMatchObject({
		code: 'unsupported',
		message: expect.stringContaining('is a standby'),
	});
});

it('gives a base backup that ends within a file of the log, whose beginning is not fetched but comes with it', async () => {
	await sql(primary.target(), 'CREATE TABLE early AS SELECT n FROM generate_series(1, 5000) n');
	await backups.log(primary.target());
	// The base backup begins behind what has been stored, in the middle of a file.
	await sql(primary.target(), 'CHECKPOINT');
	await caughtUp();
	await sql(standby.target(), 'CHECKPOINT');
	const label = await backups.base(standby.target());
	await sql(primary.target(), 'CREATE TABLE later AS SELECT n FROM generate_series(1, 5000) n');
	await backups.log(primary.target());
	const folder = path.join(top, 'fetching');
	await backups.restore({ kind: 'base' }, { to: folder, label });
	const log = path.join(folder, 'pg_wal');
	const file = fs.readdirSync(log).findLast((name) => /^[0-9A-F]{24}$/.test(name))!;
	const fetched = (await backups.fetch(label, file, folder))!;
	const brought = fs.readFileSync(path.join(log, file));
	await backups.restore({ kind: 'newest' }, { to: path.join(top, 'written'), label });
	expect(fetched.equals(fs.readFileSync(path.join(top, 'written', 'pg_wal', file)))).toBe(true);
	expect(fetched.equals(brought)).toBe(false);
	// Without it, the end of the base backup must not be taken for that of the log.
	fs.rmSync(path.join(log, file));
	await expect(backups.fetch(label, file, folder)).rejects.toMatchObject({
		message: expect.stringContaining('the log that the base backup brought is not in'),
	});
});

it('says in the server’s own words when the primary’s changes end a dump, and that it may be tried again', async () => {
	// More than what is on its way at one time.
	await sql(
		primary.target(),
		'CREATE TABLE wide AS SELECT n, repeat(md5(n::text), 60) AS t FROM generate_series(1, 30000) n',
	);
	await caughtUp();
	const storage = new MemoryStorage();
	const write = storage.write.bind(storage);
	jest.spyOn(storage, 'write').mockImplementation(async (key, body, options) => {
		if (key.includes('dump.sql')) {
			// Its tables are locked by now; the standby cannot keep what the primary has no longer.
			await sql(primary.target(), 'DROP TABLE wide');
			await caughtUp();
		}
		return await write(key, body, options);
	});
	const source = postgresSource(standby.target(), DEFAULT_DUMP_OPTIONS);
	const run = backUp({ storage, group: 'postgres/main', source, encryption: null, signal: NEVER });
	await expect(run).rejects.toMatchObject({ message: expect.stringContaining('conflict with recovery') });
	expect(await (await Repository.open(storage, { signal: NEVER })).list('postgres/main')).toEqual([]);
});

it('takes over: log goes on on its timeline, and nothing that it had is missing', async () => {
	await backups.log(primary.target());
	// Nobody has collected this one when the primary is gone.
	await sql(primary.target(), 'INSERT INTO ledger VALUES (1002)');
	await caughtUp();
	await primary.kill();
	await sql(standby.target(), 'SELECT pg_promote()');
	await sql(standby.target(), 'INSERT INTO ledger VALUES (1003)');
	const over = await backups.log(standby.target());
	expect(over!.parts.map(({ name }) => name)).toContainEqual(expect.stringMatching(/^00000002\.history/));
	expect(over!.warnings).toContainEqual(expect.stringContaining('was gone; it was made anew'));
	await standby.stop();

	await backups.restore({ kind: 'newest' }, { to: path.join(top, 'again') });
	const again = await startRestored(18, path.join(top, 'again'), primary.password);
	servers.push(again);
	expect(await count(again)).toBe(1003);
});
