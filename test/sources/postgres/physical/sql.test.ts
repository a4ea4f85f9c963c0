/** Clusters read over plain SQL, of servers that give no connection for replication: the same backups, the same log, restored and looked at. */
import fs from 'node:fs';
import path from 'node:path';
import type { Client } from 'pg';
import type { Manifest } from '../../../../core/records/manifest';
import { Repository } from '../../../../core/records/repository';
import { connect, connectForReplication, disconnect } from '../../../../core/sources/postgres/connection/connection';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { PageCheck, PageJudge } from '../../../../core/sources/postgres/physical/base/page-check';
import { checkCluster } from '../../../../core/sources/postgres/physical/check';
import { parseLsn } from '../../../../core/sources/postgres/physical/lsn';
import { readPieces } from '../../../../core/sources/postgres/physical/sql/read-files';
import { readWhole } from '../../../../core/sources/postgres/physical/sql/read-whole';
import { MemoryStorage } from '../../../../core/storage/memory';
import { verifyBackup } from '../../../../core/verbs/verify/verify';
import { giveToServer } from '../../../../scripts/lib/postgres.mjs';
import { ClusterBackups, CLUSTER_GROUP, NEVER, reachableFolder, startRestored } from '../../../support/clusters';
import { PROJECT } from '../../../support/document';
import { type Major, type OwnServer, sql, startPostgres } from '../../../support/postgres';
import { rounds } from '../../../support/soak';

/** Of 18, the only connection for replication can be taken, and given back. */
const SERVERS = rounds<Array<[Major, number]>>(
	[
		[13, 0],
		[18, 1],
	],
	[
		[13, 0],
		[15, 0],
		[17, 0],
		[18, 1],
	],
);

/** Those that are restored to a time as well as to the end. */
const TO_A_TIME = rounds<Major[]>([18], [13, 15, 17, 18]);
const TEST_MS = 400_000;

/** The statement of the docs that gives a role the rights. */
function grantOfDocs(major: Major): string {
	const text = fs.readFileSync(path.join(PROJECT, 'docs/point-in-time.md'), 'utf8');
	const [newer, older] = text.match(/GRANT EXECUTE ON FUNCTION [^;]*;/g)!;
	return (major >= 15 ? newer : older)!.replace('TO backup;', 'TO nobody;');
}

describe.each(SERVERS)('of PostgreSQL %i', (major, senders) => {
	let top: string;
	let server: OwnServer;
	let shop: DatabaseTarget;
	let taken: Client | null = null;
	const spaces = ['fast', 'slow'];
	const restoredServers: OwnServer[] = [];

	beforeAll(async () => {
		top = reachableFolder();
		const kept = { max_slot_wal_keep_size: '1GB', wal_keep_size: '256MB' };
		const settings = { synchronous_commit: 'on', max_wal_senders: String(senders), ...kept };
		server = await startPostgres(major, { settings });
		shop = await server.createDatabase('shop');
		for (const name of spaces) {
			fs.mkdirSync(path.join(top, name));
			await giveToServer(path.join(top, name));
			await sql(server.target(), `CREATE TABLESPACE ${name} LOCATION '${path.join(top, name)}'`);
			await sql(shop, `CREATE TABLE in_${name} TABLESPACE ${name} AS SELECT n FROM generate_series(1, 20000) n`);
		}
		await sql(server.target(), "CREATE ROLE nobody LOGIN PASSWORD 'secret-1'");
		await sql(shop, 'CREATE TABLE ledger (id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())');
		await sql(shop, 'CREATE UNLOGGED TABLE forgotten AS SELECT n FROM generate_series(1, 1000) n');
		if (senders > 0) taken = await connectForReplication(server.target(), { signal: NEVER });
	});
	afterAll(async () => {
		if (taken) await disconnect(taken);
		await Promise.all([...restoredServers, server].map(async (each) => await each?.stop()));
		fs.rmSync(top, { recursive: true, force: true });
	});

	const as = (user: string): DatabaseTarget => ({ ...shop, user, password: 'secret-1' });
	const manifestOf = async (backups: ClusterBackups, label: string): Promise<Manifest> =>
		await (await Repository.open(backups.storage, { signal: NEVER })).readManifest(CLUSTER_GROUP, label);

	async function restored(backups: ClusterBackups, name: string, time: Date | null): Promise<OwnServer> {
		const folder = path.join(top, name);
		const tablespaces = Object.fromEntries(
			spaces.map((space) => [path.join(top, space), path.join(top, `${name}-${space}`)]),
		);
		await backups.restore(time ? { kind: 'time', time } : { kind: 'newest' }, { to: folder, tablespaces });
		for (const to of Object.values(tablespaces)) await giveToServer(to);
		const back = await startRestored(major, folder, server.password);
		restoredServers.push(back);
		return back;
	}

	/** A storage that does something when the first archive is written, which is when all files are listed. */
	function storageThat(does: () => Promise<void>): MemoryStorage {
		const storage = new MemoryStorage();
		const write = storage.write.bind(storage);
		let done = false;
		storage.write = async (...given) => {
			if (!done && given[0].includes('.tar')) {
				done = true;
				await does();
			}
			return await write(...given);
		};
		return storage;
	}

	const STATE = `SELECT (SELECT count(*)::int FROM ledger) AS ledger, (SELECT count(*)::int FROM in_fast) AS fast,
		(SELECT count(*)::int FROM in_slow) AS slow, (SELECT count(*)::int FROM forgotten) AS forgotten,
		to_regclass('dropped')::text AS dropped, (SELECT sum(n)::int FROM grown) AS grown, (SELECT count(*)::int FROM made) AS made,
		(SELECT count(*)::int FROM pg_database WHERE datname = 'gone') AS gone`;

	it(
		'what changes while it is read comes back as it was, at a time and at the end, with two tablespaces',
		async () => {
			const many = 'AS SELECT n FROM generate_series(1, 50000) n';
			await sql(shop, `CREATE TABLE dropped ${many}; CREATE TABLE cut ${many}; CREATE TABLE grown ${many}`);
			await server.createDatabase('gone');
			const backups = new ClusterBackups(
				storageThat(async () => {
					await sql(shop, `DROP TABLE dropped; TRUNCATE cut; CREATE TABLE made ${many}`);
					await sql(shop, 'INSERT INTO grown SELECT 1 FROM generate_series(1, 50000)');
					await sql(server.target(), 'DROP DATABASE gone');
					// Only now are the files of what was dropped removed.
					await sql(server.target(), 'CHECKPOINT');
				}),
			);
			const first = await backups.log(shop);
			const because = 'read over plain SQL, because no connection for replication is free (max_wal_senders)';
			expect(first).toMatchObject({
				warnings: [because],
				source: { details: { transport: 'sql', newBeginning: true } },
			});
			await sql(shop, 'INSERT INTO ledger DEFAULT VALUES');
			const { warnings, source, parts } = await manifestOf(backups, await backups.base(shop));
			expect({ warnings, details: source.details }).toMatchObject({
				warnings: [because],
				details: { transport: 'sql', tablespaces: 2, timeline: 1 },
			});
			expect(parts.map(({ name }) => name.split('.')[0])).toEqual([
				expect.stringMatching(/^\d+$/),
				expect.stringMatching(/^\d+$/),
				...['base', 'backup_manifest', 'contents'],
			]);
			await sql(shop, 'INSERT INTO ledger DEFAULT VALUES');
			const [{ now }] = (await sql<{ now: Date }>(shop, 'SELECT clock_timestamp() AS now')) as [{ now: Date }];
			await new Promise((resolve) => setTimeout(resolve, 20));
			// More than one file of the log.
			await sql(shop, 'INSERT INTO in_fast SELECT n FROM generate_series(1, 300000) n');
			expect(await backups.log(shop)).toMatchObject({ warnings: [], source: { details: { newBeginning: false } } });
			const [end] = await sql(shop, STATE);

			// What nobody logged comes back empty.
			const expected = { ...end, forgotten: 0 };
			const back = await restored(backups, 'newest', null);
			const there = { ...back.target('shop') };
			expect(await sql(there, STATE)).toEqual([expected]);
			if (TO_A_TIME.includes(major)) {
				const atTime = await restored(backups, 'time', now);
				expect(await sql(atTime.target('shop'), STATE)).toEqual([{ ...expected, fast: 20000 }]);
				await atTime.stop();
			}

			// Its log goes on over the change of the timeline.
			const busy = senders > 0 ? await connectForReplication(there, { signal: NEVER }) : null;
			await sql(there, 'INSERT INTO ledger DEFAULT VALUES');
			const over = await backups.log(there);
			if (busy) await disconnect(busy);
			expect(over!.source.details).toMatchObject({ transport: 'sql', timeline: 2, newBeginning: false });
			expect(over!.parts.filter(({ role }) => role === 'data').map(({ name }) => name.split('.')[0])).toEqual([
				expect.stringMatching(/^00000001-/),
				'00000002',
				expect.stringMatching(/^00000002-/),
			]);
			await back.stop();
			const repository = await Repository.open(backups.storage, { signal: NEVER });
			for (const { group, label } of await repository.list()) {
				const keys = await backups.keys();
				const verification = await verifyBackup({ repository, group, label, depth: 'readable', keys, signal: NEVER });
				expect(verification).toMatchObject({ outcome: 'ok' });
			}
		},
		TEST_MS,
	);

	it('a role with the rights is enough, which a refusal names; without slots it says what that means', async () => {
		const backups = new ClusterBackups();
		const refused = await backups.base(as('nobody')).catch((error: unknown) => error as { hint: string });
		const grant = /in the database shop: (GRANT EXECUTE ON FUNCTION [^;]*;)/.exec((refused as { hint: string }).hint);
		expect(grant?.[1]?.match(/pg_catalog\./g)).toHaveLength(5);
		await sql(shop, grantOfDocs(major));
		await sql(shop, `REVOKE EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) FROM nobody`);
		await expect(backups.log(as('nobody'))).rejects.toMatchObject({
			hint: expect.stringContaining('GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO nobody;'),
		});
		await sql(shop, grant![1]!);

		// That of the test before.
		await sql(shop, 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
		const first = await backups.log(as('nobody'));
		expect(first).toMatchObject({
			warnings: [
				expect.stringContaining('read over plain SQL'),
				expect.stringContaining('ALTER ROLE nobody REPLICATION;'),
			],
			source: { details: { transport: 'sql' } },
		});
		expect(first!.source.details).not.toHaveProperty('slot');
		const label = await backups.base(as('nobody'));
		const incremental = await backups.base(as('nobody'), { type: 'incremental' });
		expect(await manifestOf(backups, incremental)).toMatchObject({
			type: 'full',
			warnings: [
				expect.stringMatching(
					major < 17 ? 'makes no incremental backups' : 'made a full backup, because the server keeps no summaries',
				),
			],
		});
		await sql(shop, 'INSERT INTO ledger DEFAULT VALUES');
		const next = await backups.log(as('nobody'));
		expect(next).toMatchObject({ warnings: [] });
		expect((await backups.plan({ kind: 'newest' }, label)).log!.labels.at(-1)).toBe(next!.label);

		const { findings } = await checkCluster(as('nobody'), backups.slot, NEVER);
		expect(findings).toMatchObject(
			expect.arrayContaining([expect.objectContaining({ check: 'transport', warning: true })]),
		);
		expect(findings.filter(({ ok }) => !ok)).toEqual([]);
		expect(findings.find(({ check }) => check === 'slots')!.message).toContain('wal_keep_size');
		await expect(checkCluster({ ...shop, password: 'wrong' }, backups.slot, NEVER)).resolves.toMatchObject({
			findings: [{ check: 'connection', ok: false, code: 'wrong-credentials' }],
		});
	});

	it('a connection that ends in the middle leaves no backup, no session and no slot', async () => {
		const OURS =
			"FROM pg_stat_activity WHERE application_name = 'n8n-nodes-backup' AND backend_type = 'client backend'";
		const backups = new ClusterBackups(
			storageThat(async () => void (await sql(server.target(), `SELECT pg_terminate_backend(pid) ${OURS}`))),
		);
		await expect(backups.base(shop)).rejects.toMatchObject({ code: 'connection-lost' });
		expect(await (await Repository.open(backups.storage, { signal: NEVER })).list()).toEqual([]);
		expect(await sql(server.target(), `SELECT pid ${OURS}`)).toEqual([]);
		expect(await sql(server.target(), 'SELECT slot_name FROM pg_replication_slots WHERE temporary')).toEqual([]);
		// And so does one that somebody stops.
		const stop = new AbortController();
		const stopped = new ClusterBackups(storageThat(async () => stop.abort()));
		await expect(stopped.base(shop, { signal: stop.signal })).rejects.toMatchObject({ code: 'cancelled' });
		expect(await (await Repository.open(stopped.storage, { signal: NEVER })).list()).toEqual([]);
	});

	if (senders === 0) return;

	it('log goes on over replication when a connection for it is free, and over SQL again, without a gap', async () => {
		const backups = new ClusterBackups();
		await backups.log(shop);
		await backups.base(shop);
		await disconnect(taken!);
		taken = null;
		const write = async () => void (await sql(shop, 'INSERT INTO ledger DEFAULT VALUES'));
		await write();
		const replicated = await backups.log(shop);
		expect(replicated).toMatchObject({ warnings: [], source: { details: { transport: 'replication' } } });
		taken = await connectForReplication(shop, { signal: NEVER });
		await write();
		const last = await backups.log(shop);
		expect(last).toMatchObject({ warnings: [expect.stringContaining('read over plain SQL')] });
		const [slot] = await sql<{ restart: string }>(
			shop,
			`SELECT restart_lsn AS restart FROM pg_replication_slots WHERE slot_name = '${backups.slot}'`,
		);
		// Moved to where the log before ended, and never behind what is stored.
		expect(parseLsn(slot!.restart)).toBe(parseLsn(String(last!.source.details.walStart)));
		const { labels } = (await backups.plan({ kind: 'newest' })).log!;
		expect(labels.slice(-2)).toEqual([replicated!.label, last!.label]);
	});

	it('the end of a file of 5 GB is read like any other piece', async () => {
		const [{ folder }] = (await sql<{ folder: string }>(
			server.target(),
			"SELECT current_setting('data_directory') AS folder",
		)) as [{ folder: string }];
		const file = path.join(folder, 'large');
		// A hole, and a word at its end.
		const offset = 5_000_000_000;
		fs.writeFileSync(file, '');
		fs.truncateSync(file, offset);
		fs.appendFileSync(file, 'the end');
		const client = await connect(server.target(), { signal: NEVER });
		try {
			const pieces = [0, offset, offset + 3].map((at) => ({ path: 'large', offset: at, length: 8 }));
			const read = await readPieces(client, pieces);
			expect(read.map((bytes) => bytes!.toString())).toEqual(['\0'.repeat(8), 'the end', ' end']);
		} finally {
			await disconnect(client);
			fs.rmSync(file);
		}
	});

	it('a page that was written while it was read is read again; one that stays damaged is named, and no backup', async () => {
		await sql(shop, 'CREATE TABLE pages AS SELECT n FROM generate_series(1, 1000) n');
		await sql(shop, 'CHECKPOINT');
		const [of] = await sql<{ file: string; folder: string; lsn: string }>(
			shop,
			"SELECT pg_relation_filepath('pages') AS file, current_setting('data_directory') AS folder, pg_current_wal_lsn() AS lsn",
		);
		const { file, folder, lsn } = of!;
		const onDisk = path.join(folder, file);
		const good = fs.readFileSync(onDisk);
		const torn = Buffer.from(good).fill(0x55, 8192 + 4096, 8192 + 5000);
		const client = await connect(shop, { signal: NEVER });
		const read = async () => {
			const check = new PageCheck(parseLsn(lsn));
			const pages = { judge: new PageJudge(parseLsn(lsn)), check };
			const listed = { path: file, isFolder: false, size: good.length, mtime: 0 };
			const pieces: Buffer[] = [];
			for await (const { bytes } of readWhole(client, [listed], pages)) pieces.push(bytes!);
			return { bytes: Buffer.concat(pieces), damaged: check.examples };
		};
		const put = (bytes: Buffer) => {
			const descriptor = fs.openSync(onDisk, 'r+');
			fs.writeSync(descriptor, bytes, 0, bytes.length, 0);
			fs.closeSync(descriptor);
		};
		try {
			put(torn);
			const reading = read();
			setTimeout(() => put(good), 50);
			const { bytes, damaged } = await reading;
			expect(damaged).toEqual([]);
			expect(bytes.equals(good)).toBe(true);
			put(torn);
			expect((await read()).damaged).toEqual([`${file} block 1`]);
			await expect(new ClusterBackups().base(shop)).rejects.toMatchObject({
				code: 'damaged',
				message: expect.stringContaining(`1 page whose checksum is wrong: ${file} block 1`),
			});
		} finally {
			put(good);
			await disconnect(client);
		}
	});
});
