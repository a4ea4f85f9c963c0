/** Log that is collected again and again over one connection, of a real server. */
import type { Manifest } from '../../../../core/records/manifest';
import { parseLsn } from '../../../../core/sources/postgres/physical/lsn';
import { ClusterBackups, LOG_GROUP, NEVER } from '../../../support/clusters';
import { type OwnServer, sql, startPostgres } from '../../../support/postgres';
import { until } from '../../../support/until';

let server: OwnServer;
beforeAll(async () => {
	server = await startPostgres(18, { settings: { synchronous_commit: 'on', max_slot_wal_keep_size: '1GB' } });
	await sql(server.target(), 'CREATE TABLE ledger (id int)');
});
afterAll(async () => await server?.stop());

/** The connections for replication, by the numbers of their processes. */
async function senders(): Promise<number[]> {
	const query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender'";
	return (await sql<{ pid: number }>(server.target(), query)).map(({ pid }) => pid);
}

const write = async (n: number) => void (await sql(server.target(), `INSERT INTO ledger VALUES (${n})`));
const endOf = (manifest: Manifest | undefined) => parseLsn(String(manifest!.source.details.walEnd));

it('stores what is written while it goes on, over one connection, and the server keeps what is not stored', async () => {
	const backups = new ClusterBackups();
	const stop = new AbortController();
	const stored: Manifest[] = [];
	const running = backups.follow(server.target(), { everyMs: 50, signal: stop.signal }, (manifest) => {
		if (manifest) stored.push(manifest);
	});
	try {
		await until('the first run has ended', () => stored.length > 0);
		const connections = await senders();
		expect(connections).toHaveLength(1);
		for (let n = 1; n <= 5; n++) {
			const before = stored.length;
			await write(n);
			await until(`row ${n} is stored`, () => stored.length > before);
			const [slot] = await sql<{ restart: string }>(
				server.target(),
				`SELECT restart_lsn AS restart FROM pg_replication_slots WHERE slot_name = '${backups.slot}'`,
			);
			expect(parseLsn(slot!.restart)).toBeLessThanOrEqual(endOf(stored.at(-1)));
			expect(await senders()).toEqual(connections);
		}

		// A connection that somebody ends is made anew.
		await sql(server.target(), `SELECT pg_terminate_backend(${connections[0]})`);
		const before = stored.length;
		await write(6);
		await until('the row after that is stored', () => stored.length > before);
		expect(await senders()).not.toEqual(connections);
	} finally {
		stop.abort();
		await running;
	}
	await until('the connection is closed', async () => (await senders()).length === 0);
	// Each piece begins where what is stored before it is compared again.
	for (const [n, { source }] of stored.entries()) {
		if (n > 0) expect(parseLsn(String(source.details.walStart))).toBeLessThanOrEqual(endOf(stored[n - 1]));
	}
});

it('ends after its time with what was written last; a quiet server is asked, and no run is made of it', async () => {
	const backups = new ClusterBackups();
	await backups.log(server.target());
	await until('the server is quiet', async () => (await backups.log(server.target())) === null);
	let runs = 0;
	await backups.follow(server.target(), { everyMs: 20, forMs: 400, signal: NEVER }, () => void runs++);
	expect(runs).toBeLessThan(4);

	const last: Array<Manifest | null> = [];
	const running = backups.follow(
		server.target(),
		{ everyMs: 60_000, forMs: 1500, signal: NEVER },
		(manifest) => void last.push(manifest),
	);
	await until('it has begun', () => last.length > 0);
	await write(7);
	await running;
	expect(last).toHaveLength(2);
	expect(last[1]).toMatchObject({ group: LOG_GROUP });
});

it('is stopped by an error, and the slot stays where the stored log ends', async () => {
	const backups = new ClusterBackups();
	const first = await backups.log(server.target());
	await write(8);
	const refuse = new Error('whatever the storage says');
	const store = backups.storage.write.bind(backups.storage);
	backups.storage.write = async (...given) => {
		if (given[0].includes('.wal')) throw refuse;
		return await store(...given);
	};
	await expect(backups.follow(server.target(), { everyMs: 50, signal: NEVER })).rejects.toThrow();
	backups.storage.write = store;
	const over = await backups.log(server.target());
	expect(parseLsn(String(over!.source.details.walStart))).toBeLessThanOrEqual(endOf(first!));
	expect(await senders()).toEqual([]);
});
