/** Base backups of real clusters, restored, started and looked at. */
import fs from 'node:fs';
import path from 'node:path';
import { ClusterBackups, reachableFolder, startRestored } from '../../../support/clusters';
import { type Major, MAJORS, type OwnServer, sql, startPostgres } from '../../../support/postgres';
import { rounds } from '../../../support/soak';

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

// The oldest and the newest version are restored with their log in recovery.test.ts.
it.each(rounds<readonly Major[]>([15, 17], MAJORS))(
	'of PostgreSQL %i is restored, starts, and holds what was committed before its end',
	async (major) => {
		const server = await started(major);
		const shop = await server.createDatabase('shop');
		await sql(shop, 'CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS text FROM generate_series(1, 20000) n');
		const backups = new ClusterBackups();
		await backups.base(shop);
		await sql(shop, 'DROP TABLE orders');
		const to = path.join(top, 'data');
		const result = await backups.restore({ kind: 'base' }, { to });
		expect(result).toMatchObject({ folder: to, major, comparison: { ok: true }, warnings: [] });
		expect(result.comparison.figures.files).toBeGreaterThan(900);

		const restored = await startRestored(major, to, server.password);
		servers.push(restored);
		expect(await sql(restored.target('shop'), 'SELECT count(*)::int, min(text) FROM orders')).toEqual([
			{ count: 20000, min: expect.any(String) },
		]);
	},
);
