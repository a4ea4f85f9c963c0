/** Base Backup of Postgres on a real server, as a role that may replicate and nothing else; n8n itself is in test/e2e. */
import path from 'node:path';
import { generateIdentity } from '../../core/codecs/age/keys';
import { Repository } from '../../core/records/repository';
import { createStorage } from '../../core/storage/create';
import { PostgresBaseBackup } from '../../nodes/PostgresBaseBackup/PostgresBaseBackup.node';
import { type FakeNode, fakeContext } from '../support/fake-node';
import { createFolder, removeFolder } from '../support/folders';
import { type OwnServer, sql, startPostgres } from '../support/postgres';
import { from, type Json, reportOn } from '../support/report-items';
import { until } from '../support/until';

const PASSWORD = 'not-in-any-item';
/** A server may archive its log itself as well. */
const ARCHIVES = { archive_mode: 'on', archive_command: '/bin/true' };
const node = new PostgresBaseBackup();
let server: OwnServer;
let folder: string;
let credentials: FakeNode['credentials'];

beforeAll(async () => {
	server = await startPostgres(18, { settings: { synchronous_commit: 'on', max_wal_senders: 3, ...ARCHIVES } });
	await sql(server.target(), `CREATE ROLE backup LOGIN REPLICATION PASSWORD '${PASSWORD}'`);
	await sql(server.target(), `CREATE ROLE nobody LOGIN PASSWORD '${PASSWORD}'`);
	await sql(server.target(), 'CREATE TABLE orders AS SELECT n AS id FROM generate_series(1, 1000) n');
});
afterAll(async () => await server?.stop());
beforeEach(async () => {
	folder = createFolder('base-backup');
	const { identity, recipient } = await generateIdentity();
	credentials = {
		postgres: as('backup'),
		backupStorageApi: { type: 'folder', path: folder },
		backupEncryptionApi: { method: 'recipients', recipients: recipient, identity },
	};
});
afterEach(() => removeFolder(folder));

const as = (user: string) => ({
	...{ host: server.host, port: server.port, database: 'postgres', user, password: PASSWORD, ssl: 'disable' },
});

const DEFAULTS = {
	...{ cluster: 'main', type: 'full', fullEvery: 7, maxChain: 30, otherwise: 'full', startOver: false, goOnFor: 0 },
	...{ encryption: 'age', verifyAfterwards: 'no', verifyUpTo: 100, keep: 'everything', options: {} },
};

async function run(operation: string, parameters: Record<string, unknown> = {}, more: Partial<FakeNode> = {}) {
	const fake = fakeContext({ parameters: { ...DEFAULTS, operation, ...parameters }, credentials, ...more });
	const [items] = await node.execute.call(fake.context);
	expect(JSON.stringify([items, fake.hints, fake.messages])).not.toContain(PASSWORD);
	return { item: items![0]!.json as Json, hints: fake.hints.map(({ message }) => message) };
}

it('collects log and backs the cluster up, as a role that may replicate; an idle run stores nothing; a dropped slot ends it', async () => {
	const first = await run('collectLog', { verifyAfterwards: 'deepest' });
	expect(first.item).toMatchObject({
		summary: expect.stringMatching(/^wal\/main: .* of log as .*, up to \w+\/\w+/),
		...{ ok: true, status: 'collected', group: 'wal/main', newBeginning: true, encrypted: true },
		verification: { ok: true, depth: 'readable' },
	});
	process.env.N8N_BACKUP_PG_BIN = path.resolve(__dirname, '../../node_modules/pg18/native/bin');
	const kept = { verifyAfterwards: 'deepest', keep: 'thirtyDays' };
	const { item: base } = await run('backUpCluster', kept);
	delete process.env.N8N_BACKUP_PG_BIN;
	expect(base).toMatchObject({
		summary: expect.stringMatching(/^cluster\/main: full base backup of PostgreSQL 18\.\d+, .* MB backed up as /),
		...{
			status: 'stored',
			group: 'cluster/main',
			type: 'full',
			parents: 0,
			tablespaces: 0,
			proved: true,
			warnings: [],
		},
	});
	await sql(server.target(), 'INSERT INTO orders VALUES (1001)');
	const next = await run('collectLog');
	expect(next).toMatchObject({ hints: [], item: { newBeginning: false, warnings: [] } });
	expect(Date.parse(String(next.item.lastCommit))).toBeLessThanOrEqual(Date.now());

	// A server may write something of its own at any moment.
	let idle = await run('collectLog');
	for (let n = 0; n < 20 && idle.item.status !== 'unchanged'; n++) idle = await run('collectLog');
	expect(idle.item).toEqual({
		...{ summary: 'wal/main: nothing new', ok: true, status: 'unchanged', group: 'wal/main', newBeginning: false },
		slot: first.item.slot,
	});
	const report = reportOn(from('dump', first.item, next.item, idle.item));
	expect(report).toMatchObject({ ok: true, tell: false, counts: { stored: 0, otherItems: 0 } });

	expect((await run('dropSlot')).item).toMatchObject({ status: 'dropped', slot: first.item.slot });
	await expect(run('dropSlot')).rejects.toThrow(`the server has no slot ${String(first.item.slot)}`);
});

it('stays connected for as long as it is told, gives one item, and ends at once when n8n stops it', async () => {
	await run('collectLog');
	const write = async () => void (await sql(server.target(), 'INSERT INTO orders VALUES (2000)'));
	const writing = setInterval(() => void write(), 300);
	const { item } = await run('collectLog', { goOnFor: 3, storeEvery: 1, verifyAfterwards: 'stored' });
	clearInterval(writing);
	expect(item).toMatchObject({
		summary: expect.stringMatching(/^wal\/main: .* of log as .* in [2-4] pieces, up to .*, the last transaction of 20/),
		...{ ok: true, status: 'collected', newBeginning: false, warnings: [], verification: { ok: true } },
	});
	expect(item.pieces).toBeGreaterThanOrEqual(2);
	expect(item.seconds).toBeGreaterThan(1);

	// Nothing new in all that time is one item as well.
	let idle = await run('collectLog', { goOnFor: 1, storeEvery: 1 });
	for (let n = 0; n < 10 && idle.item.status !== 'unchanged'; n++) {
		idle = await run('collectLog', { goOnFor: 1, storeEvery: 1 });
	}
	expect(idle.item).toMatchObject({ status: 'unchanged', ok: true });

	const stop = new AbortController();
	const startedAt = performance.now();
	const running = run('collectLog', { goOnFor: 600, storeEvery: 300 }, { signal: stop.signal });
	setTimeout(() => stop.abort(), 1000);
	await running.catch(() => undefined);
	expect(performance.now() - startedAt).toBeLessThan(20_000);
	await expect(run('collectLog', { goOnFor: -1 })).rejects.toThrow('Go On For');
	await expect(run('collectLog', { goOnFor: 5, storeEvery: 0 })).rejects.toThrow('Store Every');
	await run('dropSlot');
});

it('makes an incremental backup where the server can, and none or a full one where it cannot', async () => {
	const hourly = { type: 'incremental', otherwise: 'nothing' };
	await run('backUpCluster');
	expect((await run('backUpCluster', hourly)).item).toMatchObject({
		...{ status: 'skipped', group: 'cluster/main', ok: true },
		summary: expect.stringContaining('run ALTER SYSTEM SET summarize_wal = on'),
	});
	const full = await run('backUpCluster', { type: 'incremental' });
	expect(full.item).toMatchObject({ status: 'stored', type: 'full' });
	expect(full.hints).toEqual([expect.stringContaining('made a full backup, because the server keeps no summaries')]);

	await sql(server.target(), 'ALTER SYSTEM SET summarize_wal = on');
	await sql(server.target(), 'SELECT pg_reload_conf()');
	// From here on there are summaries.
	await run('backUpCluster');
	await sql(server.target(), 'INSERT INTO orders VALUES (1002)');
	const { item } = await run('backUpCluster', hourly);
	expect(item).toMatchObject({ status: 'stored', type: 'incremental', parents: 1 });
	const recipientsOnly = { ...credentials.backupEncryptionApi, identity: '' } as FakeNode['credentials'][string];
	const blind = await run('backUpCluster', hourly, {
		credentials: { ...credentials, backupEncryptionApi: recipientsOnly },
	});
	expect(blind.item).toMatchObject({ status: 'skipped', summary: expect.stringContaining('add a host key') });
	await expect(run('backUpCluster', { ...hourly, otherwise: 'whatever' })).rejects.toThrow('Where It Cannot Be');
});

it('checks what is there, and says what is missing with the SQL that grants it', async () => {
	const { item, hints } = await run('check');
	expect(item).toMatchObject({ ok: true, clusterBytes: expect.any(Number) });
	expect(item.clusterBytes).toBeGreaterThan(10_000_000);
	expect(hints).toContainEqual(expect.stringContaining("ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'"));
	const findings = item.findings as Array<{ check: string; message: string }>;
	expect(findings.find(({ check }) => check === 'connection')!.message).toContain('"backup" may replicate');
	expect(findings.find(({ check }) => check === 'slots')!.message).toContain('the first run makes the slot');
	expect(findings.find(({ check }) => check === 'checksums')!.message).toContain('data pages have');

	const archive = async () => {
		const { item: again } = await run('check');
		return (again.findings as typeof findings).find(({ check }) => check === 'archive')!.message;
	};
	expect(await archive()).toBe('archive_mode is on: the server archives its log itself as well');
	await setArchiving('/bin/false');
	await sql(server.target(), 'CREATE TABLE archived (); SELECT pg_switch_wal()');
	await until('archiving has failed', async () => (await archive()).includes('has failed'));
	expect(await archive()).toMatch(
		/has failed \d+ times, last with [0-9A-F]{24} at 20.*Z: .*ALTER SYSTEM SET archive_command/,
	);
	await setArchiving('/bin/true');

	const noRight = { credentials: { ...credentials, postgres: as('nobody') } };
	await expect(run('check', {}, noRight)).rejects.toMatchObject({
		description: expect.stringContaining('ALTER ROLE "nobody" REPLICATION;'),
	});
	expect((await run('check', { onFinding: 'result' }, noRight)).item).toMatchObject({ ok: false });
	await expect(run('backUpCluster', {}, noRight)).rejects.toMatchObject({
		description: expect.stringContaining('ALTER ROLE "nobody" REPLICATION;'),
	});
});

it('checks the slot, and names one that is lost', async () => {
	const slot = String((await run('collectLog')).item.slot);
	const found = await run('check');
	expect(found.item.findings).toContainEqual(
		expect.objectContaining({ check: 'slots', message: expect.stringMatching(/reserved|extended/) }),
	);
	const storage = createStorage({ type: 'folder', path: folder });
	const repository = await Repository.open(storage);
	const [stored] = await repository.list('wal/main');
	const { source } = await repository.readManifest('wal/main', stored!.label);
	expect(source.details).toMatchObject({ slot, slotStatus: 'reserved', slotSafeBytes: null, forgottenSlot: null });
	await sql(server.target(), "SELECT pg_create_physical_replication_slot('n8n_backup_00000000000000ab', true)");
	await sql(server.target(), 'INSERT INTO orders VALUES (1004)');
	await run('collectLog');
	const newest = (await repository.list('wal/main')).at(-1)!;
	const { details } = (await repository.readManifest('wal/main', newest.label)).source;
	expect(details).toMatchObject({ slotHeldBytes: expect.any(Number), forgottenSlot: 'n8n_backup_00000000000000ab' });
	expect(details.slotHeldBytes).toBeGreaterThan(0);
	await sql(server.target(), "SELECT pg_drop_replication_slot('n8n_backup_00000000000000ab')");
	await loseSlots();
	await expect(run('check')).rejects.toThrow(`the slot ${slot} is lost`);
	await expect(run('collectLog')).rejects.toThrow('has already been removed');
	const anew = await run('collectLog', { startOver: true });
	expect(anew.item).toMatchObject({ newBeginning: true });
	expect(anew.hints).toContainEqual(expect.stringContaining('make a base backup now'));
	await run('dropSlot');

	await keepPerSlot('-1');
	const running = run('backUpCluster', { options: { rateLimit: 1 } });
	const failing = expect(running).rejects.toMatchObject({
		description: expect.stringContaining('max_slot_wal_keep_size'),
	});
	await until('the backup holds log', async () => {
		const slots = await sql(server.target(), 'SELECT FROM pg_replication_slots WHERE temporary AND active');
		return slots.length === 1;
	});
	await loseSlots();
	await failing;
	await keepPerSlot('-1');
});

async function setArchiving(command: string): Promise<void> {
	await sql(server.target(), `ALTER SYSTEM SET archive_command = '${command}'`);
	await sql(server.target(), 'SELECT pg_reload_conf()');
}

async function keepPerSlot(limit: string): Promise<void> {
	await sql(server.target(), `ALTER SYSTEM SET max_slot_wal_keep_size = '${limit}'`);
	await sql(server.target(), 'SELECT pg_reload_conf()');
}

/** Writes more than slots may keep, until none keeps anything. The server notices at its checkpoints. */
async function loseSlots(): Promise<void> {
	await keepPerSlot('1MB');
	await until('the slots are lost', async () => {
		await sql(server.target(), 'INSERT INTO orders VALUES (1003)');
		await sql(server.target(), 'SELECT pg_switch_wal()');
		await sql(server.target(), 'CHECKPOINT');
		const left = await sql(server.target(), "SELECT FROM pg_replication_slots WHERE wal_status <> 'lost'");
		return left.length === 0;
	});
}

it('takes no name that is empty, and ends when n8n stops it, with nothing stored', async () => {
	await expect(run('collectLog', { cluster: ' ' })).rejects.toThrow('"Cluster Name" is empty');
	await expect(run('whatever')).rejects.toThrow('Operation');
	const stop = new AbortController();
	const running = run('backUpCluster', { options: { rateLimit: 1 } }, { signal: stop.signal });
	setTimeout(() => stop.abort(), 1500);
	await expect(running).rejects.toThrow(/stop|cancel/i);
	expect((await run('check', { onFinding: 'result' })).item.ok).toBe(true);
	const [{ count }] = (await sql<{ count: number }>(
		server.target(),
		'SELECT count(*)::int FROM pg_stat_replication',
	)) as [{ count: number }];
	expect(count).toBe(0);
});
