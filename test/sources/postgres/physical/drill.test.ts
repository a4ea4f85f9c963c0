/** A base backup is proved by a server that starts in what was restored; nobody can reach it, and nothing of it stays. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Client } from 'pg';
import { Repository } from '../../../../core/records/repository';
import { checkRelations } from '../../../../core/sources/postgres/physical/drill/amcheck';
import { clusterDrill, logDrill } from '../../../../core/sources/postgres/physical/drill/drill';
import { serverAccount } from '../../../../core/sources/postgres/physical/drill/programs';
import { PrivateServer } from '../../../../core/sources/postgres/physical/drill/server';
import { assertAskable } from '../../../../core/sources/postgres/physical/drill/asking';
import { formatRecovery } from '../../../../core/sources/postgres/physical/restore/recovery';
import { rounds } from '../../../support/soak';
import { logBehind } from '../../../../core/sources/postgres/physical/drill/log-behind';
import { openerOf } from '../../../../core/verbs/restore/alongside';
import type { VerifyRequest, VerifyResult } from '../../../../core/verbs/verify/types';
import { verifyBackup } from '../../../../core/verbs/verify/verify';
import { thisHost } from '../../../../core/base/process-identity';
import { FolderStorage } from '../../../../core/storage/folder/folder';
import { start } from '../../../support/command-line';
import { until } from '../../../support/until';
import { giveToServer } from '../../../../scripts/lib/postgres.mjs';
import { CLUSTER_GROUP, ClusterBackups, LOG_GROUP, NEVER, reachableFolder } from '../../../support/clusters';
import { type OwnServer, sql, startPostgres } from '../../../support/postgres';

const PROGRAMS = path.resolve(__dirname, '../../../../node_modules/pg18/native/bin');
let top: string;
let server: OwnServer;
let backups: ClusterBackups;
let base: string;
let log: string;

beforeAll(async () => {
	top = reachableFolder();
	// Whatever its name, the superuser that initdb made is who looks.
	server = await startPostgres(18, { superuser: 'keeper', settings: { synchronous_commit: 'on' } });
	const space = path.join(top, 'space');
	fs.mkdirSync(space);
	await giveToServer(space);
	await sql(server.target(), `CREATE TABLESPACE fast LOCATION '${space}'`);
	const shop = await server.createDatabase('shop');
	// Functions of users, which would run as the superuser who looks.
	await sql(
		shop,
		`CREATE FUNCTION logged_in() RETURNS event_trigger LANGUAGE plpgsql AS
			$$ BEGIN IF inet_server_addr() IS NULL THEN RAISE EXCEPTION 'a function of a user was run'; END IF; END $$;
		CREATE EVENT TRIGGER logins ON login EXECUTE FUNCTION logged_in();
		ALTER EVENT TRIGGER logins ENABLE ALWAYS`,
	);
	await sql(shop, 'CREATE TABLE orders TABLESPACE fast AS SELECT generate_series(1, 1000) AS n');
	fs.mkdirSync(path.join(top, 'open'));
	await giveToServer(path.join(top, 'open'));
	// Whoever can change a backup could name any program here.
	await sql(server.target(), `ALTER SYSTEM SET recovery_end_command = 'touch ${top}/open/obeyed'`);
	await sql(server.target(), `ALTER SYSTEM SET archive_command = 'touch ${top}/open/obeyed'`);
	backups = new ClusterBackups();
	await backups.log(shop);
	// A library that is not there keeps everybody out who loads it.
	await sql(server.target(), "ALTER DATABASE shop SET session_preload_libraries = 'of_somebody'");
	base = await backups.base(server.target());
	await sql(server.target(), 'ALTER DATABASE shop RESET session_preload_libraries');
	await sql(shop, 'CREATE TABLE customers (id int)');
	log = (await backups.log(shop))!.label;
});
afterAll(async () => {
	await server?.stop();
	fs.rmSync(top, { recursive: true, force: true });
});

beforeEach(() => {
	process.env.N8N_BACKUP_PG_BIN = PROGRAMS;
});
afterEach(() => {
	delete process.env.N8N_BACKUP_PG_BIN;
	expect(leftBehind()).toEqual([]);
});

/** Folders of drills, and processes that work in one. */
function leftBehind(): string[] {
	const ours = `n8n-backup-scratch-${process.pid}-`;
	const folders = fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith(ours));
	const processes = fs.readdirSync('/proc').filter((pid) => {
		try {
			return /^\d+$/.test(pid) && fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(ours);
		} catch {
			return false; // it has just ended
		}
	});
	return [...folders, ...processes];
}

async function verify(group: string, label: string, more: Partial<VerifyRequest> = {}): Promise<VerifyResult> {
	const repository = await Repository.open(backups.storage, { signal: NEVER });
	const keys = await backups.keys();
	const drills = [clusterDrill({ logBehind: logBehind(repository, openerOf({ repository, keys })) }), logDrill()];
	return await verifyBackup({ repository, group, label, depth: 'restored', keys, drills, signal: NEVER, ...more });
}

it('starts what was restored with all log behind it, counts, and obeys nothing of the configuration that came along', async () => {
	const result = await verify(CLUSTER_GROUP, base);
	expect(result).toMatchObject({
		...{ outcome: 'ok', code: null, scratch: 'a server in a temporary folder', warnings: [] },
		message: expect.stringMatching(
			/restored in \d+\.\d s: \d+ files of .* and .* of log; a server started in them: 3 databases with 2 tables, \d+ of their tables and indexes sound, the last transaction of 20/,
		),
		comparison: { ok: true, figures: { databases: 3, tables: 2 } },
		evidence: expect.stringContaining('-restored-ok.json'),
	});
	expect(result.restoreSeconds).toBeGreaterThan(0);
	// The catalogs of three databases, at least.
	expect(result.comparison!.figures.relations).toBeGreaterThan(500);
	expect(fs.existsSync(path.join(top, 'open/obeyed'))).toBe(false);
});

it('says nothing against a backup where no server program is, or where only log was asked about', async () => {
	process.env.N8N_BACKUP_PG_BIN = '';
	const repository = await Repository.open(backups.storage, { signal: NEVER });
	const drills = [
		clusterDrill({ logBehind: logBehind(repository, openerOf({ repository, keys: await backups.keys() })) }),
	];
	const PATH = process.env.PATH;
	process.env.PATH = top;
	try {
		expect(await verify(CLUSTER_GROUP, base, { drills })).toMatchObject({
			...{ outcome: 'environment', code: 'engine-not-found', evidence: null },
			message: 'no server program of PostgreSQL 18 is here to start what is restored',
			hint: expect.stringContaining('N8N_BACKUP_PG_BIN'),
		});
	} finally {
		process.env.PATH = PATH;
	}
	expect(await verify(LOG_GROUP, log)).toMatchObject({
		...{ outcome: 'environment', message: `${LOG_GROUP}/${log} is log, which is restored with a base backup` },
		hint: expect.stringContaining(`Verify ${CLUSTER_GROUP} to depth "restored"`),
	});
});

/** A drill with what a user asks. */
async function ask(sql: string, database?: string): Promise<VerifyResult> {
	const questions = { assertions: [{ name: 'question', sql }], database };
	return await verify(CLUSTER_GROUP, base, { drills: [clusterDrill({ questions })] });
}

it('asks what the user wants to know, as a role that may read everything and change nothing', async () => {
	expect(
		await ask(
			`SELECT count(*) = 1000 AND (SELECT NOT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) FROM orders`,
		),
	).toMatchObject({ outcome: 'ok', assertions: [{ name: 'question', ok: true }] });
	expect(await ask('SELECT count(*) > 1000 FROM public.orders', 'shop')).toMatchObject({
		...{ outcome: 'bad', assertions: [{ ok: false, message: 'it answered false' }] },
	});
	// Nobody restores that without knowing; who names it may, and so may the next drill.
	const why = expect.stringContaining('failed a verification (restored)') as string;
	await expect(backups.plan({ kind: 'newest' })).rejects.toMatchObject({ code: 'damaged', message: why });
	expect((await backups.plan({ kind: 'newest' }, base)).warnings).toContainEqual(why);
	// That it cannot be asked says nothing about the backup.
	expect(await ask("SELECT pg_read_file('/etc/passwd')")).toMatchObject({ outcome: 'environment' });
	expect(await ask('SELECT true', 'nowhere')).toMatchObject({
		...{ outcome: 'environment', message: expect.stringContaining('no database "nowhere"') },
	});
	expect(await ask('DROP TABLE orders')).toMatchObject({ outcome: 'environment' });
	expect(await ask('SELECT count(*) = 1000 FROM public.orders', 'shop')).toMatchObject({ outcome: 'ok' });
	expect((await backups.plan({ kind: 'newest' })).warnings).toEqual([]);
	expect(() => assertAskable(13, { assertions: [{ name: '', sql: '' }] })).toThrow('PostgreSQL 14');
	expect(() => assertAskable(13, { assertions: [] })).not.toThrow();
});

it('restores to any moment between the end of the base backup and the newest log', async () => {
	const mine = new ClusterBackups();
	const shop = server.target('shop');
	await sql(shop, 'CREATE TABLE ledger (id serial)');
	await mine.log(shop);
	const label = await mine.base(shop);
	for (let piece = 0; piece < 3; piece++) {
		for (let n = 0; n < 5; n++) await sql(shop, 'INSERT INTO ledger DEFAULT VALUES');
		await mine.log(shop);
	}
	const repository = await Repository.open(mine.storage, { signal: NEVER });
	const keys = await mine.keys();
	const question = 'SELECT count(*) >= 5 AND count(*) < 15 AND max(id) = count(*) FROM ledger';
	for (let round = 0; round < rounds(1, 20); round++) {
		const drill = clusterDrill({
			logBehind: logBehind(repository, openerOf({ repository, keys }), 'random'),
			questions: { assertions: [{ name: 'ledger', sql: question }] },
		});
		const request = { repository, group: CLUSTER_GROUP, label, depth: 'restored' as const, keys, signal: NEVER };
		expect(await verifyBackup({ ...request, drills: [drill] })).toMatchObject({
			...{ outcome: 'ok', assertions: [{ ok: true }] },
		});
	}
});

it('a server that outlives its killed program is stopped by the next drill, and what it had is removed', async () => {
	const storage = path.join(top, 'killed-storage');
	const temporary = path.join(top, 'temporary');
	for (const folder of [storage, temporary]) fs.mkdirSync(folder, { mode: 0o755 });
	const mine = new ClusterBackups(new FolderStorage({ path: storage }));
	const label = await mine.base(server.target());
	const key = path.join(top, 'key.txt');
	fs.writeFileSync(key, (await mine.keys()).identities[0]!, { mode: 0o600 });
	const args = ['verify', `${CLUSTER_GROUP}/${label}`, '--depth', 'restored', '--storage', `file://${storage}`];
	const env = { N8N_BACKUP_PG_BIN: PROGRAMS, TMPDIR: temporary };
	const drill = () => start([...args, '--identity', key], env);
	const postmaster = () => {
		const [folder] = fs.readdirSync(temporary);
		const file = path.join(temporary, folder ?? '', 'data/postmaster.pid');
		return fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8').split('\n')[0]) : 0;
	};
	const { child, finished } = drill();
	await until('a server has started', () => postmaster() > 0);
	child.kill('SIGKILL');
	await finished;
	const left = postmaster();
	const [folder] = fs.readdirSync(temporary);
	expect(fs.readFileSync(`/proc/${left}/cmdline`, 'utf8')).toContain(folder);

	// Of a process that is not gone, or of another machine, nothing is touched.
	for (const [name, mark] of [
		['1-aaaaaa', { host: 'elsewhere', pid: 1, self: '' }],
		['2-bbbbbb', { host: thisHost(), pid: process.pid, self: '' }],
	] as const) {
		fs.mkdirSync(path.join(temporary, `n8n-backup-scratch-${name}`));
		fs.writeFileSync(path.join(temporary, `n8n-backup-scratch-${name}`, 'drill.json'), JSON.stringify(mark));
	}
	expect(await drill().finished).toMatchObject({ code: 0 });
	expect(fs.existsSync(`/proc/${left}`)).toBe(false);
	expect(fs.readdirSync(temporary).sort()).toEqual(['n8n-backup-scratch-1-aaaaaa', 'n8n-backup-scratch-2-bbbbbb']);
});

it.each(['restoring', 'starting a server', 'looking'])(
	'that is cancelled while it is %s leaves nothing',
	async (phase) => {
		const stop = new AbortController();
		const onProgress: VerifyRequest['onProgress'] = (now) => {
			if (now.phase === phase) stop.abort();
		};
		await expect(verify(CLUSTER_GROUP, base, { signal: stop.signal, onProgress })).rejects.toMatchObject({
			code: 'cancelled',
		});
	},
);

/** Starts a server as a drill does. @param folder of its own, with the restored cluster in `data` */
async function startIn(folder: string): Promise<PrivateServer> {
	return await PrivateServer.start({
		...{ program: path.join(PROGRAMS, 'postgres'), data: path.join(folder, 'data'), folder },
		...{ account: await serverAccount(), settings: {}, superuser: 'keeper', major: 18, signal: NEVER },
	});
}

it.each<[string, (data: string) => void, object]>([
	['without its control file', (data) => fs.rmSync(path.join(data, 'global/pg_control')), { code: 'restore-failed' }],
	[
		'without its log',
		(data) => {
			const folder = path.join(data, 'pg_wal');
			for (const name of fs.readdirSync(folder)) if (/^[0-9A-F]{24}$/.test(name)) fs.rmSync(path.join(folder, name));
		},
		{ code: 'damaged', message: expect.stringMatching(/could not locate (?:a valid|required) checkpoint/) },
	],
])('a server that does not start %s says why', async (name, spoil, expected) => {
	const folder = path.join(top, name.replaceAll(' ', '-'));
	const data = path.join(folder, 'data');
	fs.mkdirSync(folder);
	const tablespaces = { [path.join(top, 'space')]: path.join(folder, 'fast') };
	await backups.restore({ kind: 'base' }, { to: data, tablespaces });
	spoil(data);
	await giveToServer(folder);
	await expect(startIn(folder)).rejects.toMatchObject(expected);
});

it('looks at every table and index, and names those that are damaged', async () => {
	const [{ at }] = (await sql<{ at: string }>(
		server.target('shop'),
		"SELECT pg_relation_filepath('orders') AS at",
	)) as [{ at: string }];
	const folder = path.join(top, 'damaged');
	const data = path.join(folder, 'data');
	fs.mkdirSync(folder);
	await backups.restore(
		{ kind: 'base' },
		{ to: data, tablespaces: { [path.join(top, 'space')]: path.join(folder, 'fast') } },
	);
	const file = path.join(folder, 'fast', at.split('/').slice(2).join('/'));
	const bytes = fs.readFileSync(file);
	bytes[8000]! ^= 1;
	fs.writeFileSync(file, bytes);
	// As a drill does: where the server listened is among its settings.
	fs.writeFileSync(path.join(data, 'postgresql.auto.conf'), formatRecovery({ kind: 'base' }));
	await giveToServer(folder);
	const started = await startIn(folder);
	const warnings: string[] = [];
	const run = { signal: NEVER, warn: (text: string) => void warnings.push(text) };
	try {
		// With a standby that answers, this could be any moment of the replay.
		const client = await started.connect('postgres');
		const { rows } = await client.query('SELECT pg_is_in_recovery() AS replays, current_setting($1) AS standby', [
			'hot_standby',
		]);
		await client.end();
		expect(rows).toEqual([{ replays: false, standby: 'off' }]);
		await expect(checkRelations(started, ['postgres', 'shop'], run)).rejects.toMatchObject({
			...{ code: 'damaged', hint: expect.stringContaining('pg_amcheck') },
			message: expect.stringMatching(
				/^a table or index is not sound.*: public\.orders of shop, .*invalid page in block 0/,
			),
		});
		expect(await checkRelations(started, ['postgres'], run)).toBeGreaterThan(100);
		expect(warnings).toEqual([]);
	} finally {
		await started.stop();
	}
	// A server without the extension, as packages without contrib have it.
	const bare = { query: () => ({ rows: [] }), end: async () => await Promise.resolve() };
	const without = { connect: async () => await Promise.resolve(bare as unknown as Client) };
	expect(await checkRelations(without, ['shop'], run)).toBeNull();
});
