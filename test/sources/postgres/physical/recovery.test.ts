/** Log of real clusters, collected while they work, and restored to a moment: a ledger says what must be there. */
import fs from 'node:fs';
import path from 'node:path';
import type { RecoveryTarget } from '../../../../core/sources/postgres/physical/restore/recovery';
import { ClusterBackups, reachableFolder, startRestored } from '../../../support/clusters';
import { until } from '../../../support/until';
import { MAJORS, type Major, type OwnServer, sql, startPostgres } from '../../../support/postgres';
import { rounds } from '../../../support/soak';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';

let top: string;
const servers: OwnServer[] = [];

beforeEach(() => {
	top = reachableFolder();
});
afterEach(async () => {
	await Promise.all(servers.splice(0).map(async (server) => await server.stop()));
	fs.rmSync(top, { recursive: true, force: true });
});

async function started(...options: Parameters<typeof startPostgres>): Promise<OwnServer> {
	const server = await startPostgres(...options);
	servers.push(server);
	return server;
}

/** Adds rows of a transaction each, and says when the last one had been committed. */
async function enter(shop: DatabaseTarget, count: number): Promise<{ rows: number; time: Date; lsn: string }> {
	for (let n = 0; n < count; n++) await sql(shop, 'INSERT INTO ledger DEFAULT VALUES');
	const [state] = await sql<{ rows: number; time: Date; lsn: string }>(
		shop,
		'SELECT count(*)::int AS rows, clock_timestamp() AS time, pg_current_wal_lsn() AS lsn FROM ledger',
	);
	return state!;
}

async function restoredRows(
	backups: ClusterBackups,
	server: OwnServer,
	target: RecoveryTarget,
	name: string,
): Promise<unknown> {
	const to = path.join(top, name);
	await backups.restore(target, { to });
	const restored = await startRestored(server.major, to, server.password);
	try {
		const rows = await sql<{ rows: number }>(
			restored.target('shop'),
			`SELECT CASE WHEN to_regclass('ledger') IS NULL THEN -1 ELSE
				(xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ledger', false, true, '')))[1]::text::int END AS rows`,
		);
		return rows[0]!.rows;
	} finally {
		await restored.stop();
	}
}

it.each(rounds<readonly Major[]>([13, 18], MAJORS))(
	'restores PostgreSQL %i to a time, a place, a restore point, the end of a base backup and the newest moment',
	async (major: Major) => {
		// What the ledger says was committed must be in the log by then.
		const server = await started(major, { settings: { synchronous_commit: 'on' } });
		const shop = await server.createDatabase('shop');
		await sql(shop, 'CREATE TABLE ledger (id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())');
		const backups = new ClusterBackups();
		// That nothing limits what the slot holds back is said when it is made.
		expect(await backups.log(shop)).toMatchObject({
			source: { details: { newBeginning: true } },
			warnings: [expect.stringContaining('max_slot_wal_keep_size')],
		});
		await enter(shop, 5);
		await backups.base(shop);
		await enter(shop, 7);
		expect(await backups.log(shop)).toMatchObject({ source: { details: { newBeginning: false } }, warnings: [] });
		const first = await enter(shop, 3);
		await new Promise((resolve) => setTimeout(resolve, 20));
		await enter(shop, 2);
		await sql(shop, "SELECT pg_create_restore_point('before the release')");
		const second = await enter(shop, 4);
		await backups.log(shop);
		await sql(shop, 'DROP TABLE ledger');
		await backups.log(shop);
		// A server may still write a word of its own behind the last transaction.
		await until('nothing new is in the log', async () => (await backups.log(shop)) === null);

		const targets: Array<[RecoveryTarget, number]> = [
			[{ kind: 'time', time: first.time }, first.rows],
			[{ kind: 'lsn', lsn: second.lsn }, second.rows],
			[{ kind: 'name', name: 'before the release' }, first.rows + 2],
			[{ kind: 'base' }, 5],
			[{ kind: 'newest' }, -1],
		];
		// The oldest version is asked for all of them; the others do the same with what they are asked for.
		const chosen = major === 13 ? targets : targets.slice(0, rounds(2, targets.length));
		for (const [target, rows] of chosen) expect(await restoredRows(backups, server, target, target.kind)).toBe(rows);
	},
);

it.each(rounds<readonly Major[]>([13, 18], MAJORS))(
	'PostgreSQL %i starts and commits also where it was given more connections after its base backup, and a standby that commits wait for',
	async (major: Major) => {
		const first = await started(major, { settings: { synchronous_commit: 'on', max_connections: '20' } });
		const backups = new ClusterBackups();
		await backups.base(first.target());
		await backups.restore({ kind: 'base' }, { to: path.join(top, 'data') });
		await first.stop();
		// From here on with a server whose disk is ours, and stays when it is stopped.
		const again = async () => {
			const server = await startRestored(major, path.join(top, 'data'), first.password);
			servers.push(server);
			return server;
		};
		let server = await again();
		await backups.log(server.target());
		await sql(server.target(), "ALTER SYSTEM SET synchronous_standby_names = 'elsewhere'");
		await backups.base(server.target());
		await sql(server.target(), 'ALTER SYSTEM SET max_connections = 60');
		await server.stop();
		server = await again();
		await sql(server.target(), 'SET synchronous_commit = local; CREATE TABLE later AS SELECT 1 AS n');
		await backups.log(server.target());

		await backups.restore({ kind: 'newest' }, { to: path.join(top, 'restored') });
		const restored = await startRestored(major, path.join(top, 'restored'), first.password);
		servers.push(restored);
		await sql(restored.target(), 'SET LOCAL synchronous_commit = on; INSERT INTO later VALUES (2)');
		expect(await sql(restored.target(), 'SELECT n FROM later ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
	},
	60_000,
);
