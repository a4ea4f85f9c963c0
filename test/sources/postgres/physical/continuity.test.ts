/** Each way in which a server's log may cease to follow what is stored is named, and nothing that does not belong together is joined. */
import fs from 'node:fs';
import path from 'node:path';
import { Repository } from '../../../../core/records/repository';
import { verifyBackup } from '../../../../core/verbs/verify/verify';
import { ClusterBackups, LOG_GROUP, NEVER, reachableFolder, startRestored } from '../../../support/clusters';
import { type Major, type OwnServer, sql, startPostgres } from '../../../support/postgres';
import { rounds } from '../../../support/soak';
import { until } from '../../../support/until';

let top: string;
const servers: OwnServer[] = [];

beforeEach(() => {
	top = reachableFolder();
});
afterEach(async () => {
	await Promise.all(servers.splice(0).map(async (server) => await server.stop()));
	fs.rmSync(top, { recursive: true, force: true });
});

async function started(major: Major, settings: Record<string, string> = {}): Promise<OwnServer> {
	const server = await startPostgres(major, { settings: { synchronous_commit: 'on', ...settings } });
	servers.push(server);
	return server;
}

async function rows(server: OwnServer): Promise<number> {
	return (await sql<{ count: number }>(server.target(), 'SELECT count(*)::int FROM ledger'))[0]!.count;
}

it.each(rounds<Major[]>([18], [13, 18]))(
	'a PostgreSQL %i that was restored to the newest moment goes on where the log ended',
	async (major) => {
		const first = await started(major);
		const backups = new ClusterBackups();
		await sql(first.target(), 'CREATE TABLE ledger (id int)');
		await backups.log(first.target());
		await backups.base(first.target());
		await sql(first.target(), 'INSERT INTO ledger VALUES (1)');
		await backups.log(first.target());
		await first.stop();

		await backups.restore({ kind: 'newest' }, { to: path.join(top, 'second') });
		const second = await startRestored(major, path.join(top, 'second'), first.password);
		servers.push(second);
		await sql(second.target(), 'SET LOCAL synchronous_commit = on; INSERT INTO ledger VALUES (2)');
		const over = await backups.log(second.target());
		expect(over!.parts.filter(({ role }) => role === 'data').map(({ name }) => name.split('.')[0])).toEqual([
			expect.stringMatching(/^00000001-/),
			'00000002',
			expect.stringMatching(/^00000002-/),
		]);
		expect(over!.warnings).toContainEqual(expect.stringContaining('was gone; it was made anew'));
		await second.stop();

		await backups.restore({ kind: 'newest' }, { to: path.join(top, 'third') });
		const third = await startRestored(major, path.join(top, 'third'), first.password);
		servers.push(third);
		expect(await rows(third)).toBe(2);
		await third.stop();

		const repository = await Repository.open(backups.storage, { signal: NEVER });
		for (const { group, label } of await repository.list()) {
			const request = {
				repository,
				group,
				label,
				depth: 'readable' as const,
				keys: await backups.keys(),
				signal: NEVER,
			};
			expect(await verifyBackup(request)).toMatchObject({ outcome: 'ok' });
		}
	},
);

it('a server that was restored to an earlier moment is another history: refused, until somebody says to start over', async () => {
	const first = await started(18);
	const backups = new ClusterBackups();
	await sql(first.target(), 'CREATE TABLE ledger (id int)');
	await backups.log(first.target());
	const base = await backups.base(first.target());
	await sql(first.target(), 'INSERT INTO ledger SELECT generate_series(1, 10000)');
	await backups.log(first.target());
	await backups.restore({ kind: 'base' }, { to: path.join(top, 'earlier') });
	const earlier = await startRestored(18, path.join(top, 'earlier'), first.password);
	servers.push(earlier);

	await expect(backups.log(earlier.target())).rejects.toMatchObject({
		code: 'broken-log',
		hint: expect.stringContaining('Start over'),
	});
	// Its log lies at the same places as that of the timeline it has left, of which nothing belongs to it.
	const between = await backups.base(earlier.target());
	expect(await backups.plan({ kind: 'newest' }, between)).toMatchObject({ log: null, restorableUntil: null });
	const anew = await backups.log(earlier.target(), { startOver: true });
	expect(anew).toMatchObject({ source: { details: { newBeginning: true, timeline: 2 } } });
	expect(anew!.warnings).toContainEqual(expect.stringContaining('make a base backup now'));
	// What was made of the first history is still there, up to its end, and nothing of the second is joined to it.
	const plan = await backups.plan({ kind: 'newest' }, base);
	expect(plan.log!.labels).not.toContain(anew!.label);
});

it('a server whose disk was put back is refused; log from before and after it is never replayed together', async () => {
	const first = await started(18);
	const backups = new ClusterBackups();
	await sql(first.target(), 'CREATE TABLE ledger (id int)');
	await backups.log(first.target());
	await backups.base(first.target());
	await backups.restore({ kind: 'base' }, { to: path.join(top, 'data') });
	await first.stop();
	// From here on with a server whose disk is ours.
	const disk = path.join(top, 'data');
	const start = async () => {
		const server = await startRestored(18, disk, first.password);
		servers.push(server);
		return server;
	};
	let server = await start();
	await backups.log(server.target(), { startOver: true });
	await server.stop();
	fs.cpSync(disk, `${disk}-snapshot`, { recursive: true });
	server = await start();
	// Into files behind the one in which a base backup will end.
	for (let n = 0; n < 3; n++) {
		await sql(server.target(), 'INSERT INTO ledger SELECT n FROM generate_series(1, 20000) n');
		await sql(server.target(), 'SELECT pg_switch_wal()');
	}
	await backups.log(server.target());
	await server.stop();
	fs.rmSync(disk, { recursive: true });
	fs.cpSync(`${disk}-snapshot`, disk, { recursive: true });
	fs.chmodSync(disk, 0o700);

	server = await start();
	await sql(server.target(), 'INSERT INTO ledger VALUES (1), (2), (3)');
	await expect(backups.log(server.target())).rejects.toMatchObject({ code: 'broken-log' });
	// Made by its own schedule, before anybody has started over: at its places, the log of the other state lies.
	const between = await backups.base(server.target());
	const wrong = { code: 'broken-log', message: expect.stringContaining('of another history') };
	const joined = backups.restore({ kind: 'newest' }, { to: path.join(top, 'joined'), label: between });
	await expect(joined).rejects.toMatchObject(wrong);
	expect(fs.existsSync(path.join(top, 'joined'))).toBe(false);
	await backups.restore({ kind: 'base' }, { to: path.join(top, 'alone'), label: between });
	const last = fs.readdirSync(path.join(top, 'alone', 'pg_wal')).findLast((name) => /^[0-9A-F]{24}$/.test(name))!;
	await expect(backups.fetch(between, last, path.join(top, 'alone'))).rejects.toMatchObject(wrong);
	await backups.log(server.target(), { startOver: true });
	await backups.base(server.target());
	await sql(server.target(), 'SET LOCAL synchronous_commit = on; INSERT INTO ledger VALUES (4)');
	await backups.log(server.target());
	await server.stop();
	// It was restored itself, to another target than the one that counts now.
	await backups.restore({ kind: 'newest' }, { to: path.join(top, 'back') });
	const back = await startRestored(18, path.join(top, 'back'), first.password);
	servers.push(back);
	expect(await rows(back)).toBe(4);
});

it('another server is refused in the group of the first', async () => {
	const [first, other] = await Promise.all([started(18), started(18)]);
	const backups = new ClusterBackups();
	await backups.log(first.target());
	await expect(backups.log(other.target())).rejects.toMatchObject({ code: 'another-server' });
	await backups.base(first.target());
	await expect(backups.base(other.target())).rejects.toMatchObject({ code: 'another-server' });
});

it('log that the server removed before it was stored is a gap that is told, and starting over goes on', async () => {
	const sizes = { max_slot_wal_keep_size: '16MB', max_wal_size: '32MB', min_wal_size: '32MB' };
	const server = await started(18, sizes);
	const backups = new ClusterBackups();
	await backups.log(server.target());
	for (let n = 0; n < 6; n++) await sql(server.target(), `CREATE TABLE t${n} AS SELECT 1 AS n; SELECT pg_switch_wal()`);
	await sql(server.target(), 'CHECKPOINT');
	await expect(backups.log(server.target())).rejects.toMatchObject({
		code: 'broken-log',
		message: expect.stringContaining('has already been removed'),
	});
	const anew = await backups.log(server.target(), { startOver: true });
	expect(anew).toMatchObject({ source: { details: { newBeginning: true } } });
});

it('a slot that PostgreSQL 18 took away because nobody used it for long is made anew; log that is still there goes on without a gap', async () => {
	const server = await started(18, { idle_replication_slot_timeout: '1s' });
	const backups = new ClusterBackups();
	await backups.base(server.target());
	await backups.log(server.target());
	await sql(server.target(), 'CREATE TABLE ledger (id int)');
	await backups.log(server.target());
	await until('the slot is taken away', async () => {
		await sql(server.target(), 'CHECKPOINT');
		const [slot] = await sql<{ reason: string | null }>(
			server.target(),
			'SELECT invalidation_reason AS reason FROM pg_replication_slots',
		);
		return slot!.reason === 'idle_timeout';
	});
	const stored = await backups.log(server.target());
	expect(stored).toMatchObject({ source: { details: { newBeginning: false } } });
	expect(stored!.warnings).toContainEqual(expect.stringContaining('made anew'));

	await sql(server.target(), 'INSERT INTO ledger VALUES (1)');
	await backups.log(server.target());
	await backups.restore({ kind: 'newest' }, { to: path.join(top, 'restored') });
	const restored = await startRestored(18, path.join(top, 'restored'), server.password);
	servers.push(restored);
	expect(await rows(restored)).toBe(1);
});

it('a crash within a record that goes on in the next file is no gap: what the server writes in its place is replayed', async () => {
	const first = await started(18);
	const backups = new ClusterBackups();
	await backups.base(first.target());
	await backups.restore({ kind: 'base' }, { to: path.join(top, 'data') });
	await first.stop();
	// From here on with a server whose disk is ours.
	let server = await startRestored(18, path.join(top, 'data'), first.password);
	servers.push(server);
	await sql(server.target(), 'CREATE TABLE ledger (id int)');
	await backups.log(server.target());
	const label = await backups.base(server.target());
	await backups.log(server.target());

	// As PostgreSQL's own test does it: a record begins at the end of a file, and of the next file nothing has reached the disk.
	await sql(
		server.target(),
		`DO $$ BEGIN
			WHILE 16777216 - pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') % 16777216 > 3 * 8192 LOOP
				PERFORM pg_logical_emit_message(true, '', repeat('a', 8192));
			END LOOP;
		END $$`,
	);
	await sql(server.target(), "SELECT pg_logical_emit_message(true, '', repeat('xyzxz', 123456))");
	const [place] = await sql<{ file: string }>(
		server.target(),
		'SELECT pg_walfile_name(pg_current_wal_insert_lsn()) AS file',
	);
	await server.kill();
	const replaced = path.join(top, 'data', 'pg_wal', place!.file);
	fs.rmSync(replaced, { force: true });
	server = await startRestored(18, path.join(top, 'data'), first.password);
	servers.push(server);
	// Servers of tests answer before it is on the disk.
	await sql(server.target(), 'SET LOCAL synchronous_commit = on; INSERT INTO ledger VALUES (1)');
	await backups.log(server.target());

	await backups.restore({ kind: 'newest' }, { to: path.join(top, 'again'), label });
	const again = await startRestored(18, path.join(top, 'again'), first.password);
	servers.push(again);
	expect(await rows(again)).toBe(1);
	// XLP_FIRST_IS_OVERWRITE_CONTRECORD in the flags of its first page: this is what was to be tried.
	expect(fs.readFileSync(replaced).readUInt16LE(2) & 8).toBe(8);
});

it('two runs of one group do not get in each other’s way', async () => {
	const server = await started(18);
	const backups = new ClusterBackups();
	await backups.log(server.target());
	await sql(server.target(), 'CREATE TABLE ledger (id int)');
	const runs = await Promise.allSettled([backups.log(server.target()), backups.log(server.target())]);
	const codes = runs.map((run) => (run.status === 'fulfilled' ? 'stored' : (run.reason as { code: string }).code));
	expect(codes.sort()).toEqual(['locked', 'stored']);
	const labels = (await (await Repository.open(backups.storage, { signal: NEVER })).list(LOG_GROUP)).map(
		({ label }) => label,
	);
	expect(labels).toHaveLength(2);
});

it('a role needs nothing but to replicate, and one that may not is told how', async () => {
	const server = await started(18);
	await sql(
		server.target(),
		"CREATE ROLE backup LOGIN REPLICATION PASSWORD 'secret-1'; CREATE ROLE reader LOGIN PASSWORD 'secret-1'",
	);
	const backups = new ClusterBackups();
	const as = (user: string) => ({ ...server.target(), user, password: 'secret-1' });
	await expect(backups.base(as('reader'))).rejects.toMatchObject({
		code: 'access-denied',
		hint: expect.stringContaining('ALTER ROLE "reader" REPLICATION;'),
	});
	await backups.log(as('backup'));
	await backups.base(as('backup'));
});
