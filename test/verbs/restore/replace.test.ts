import { Client } from 'pg';
import { restoreDatabase } from '../../support/database-verbs';
import type { DatabaseRestoreRequest } from '../../support/database-verbs';
import { type BackupOptions, makeBackup } from '../../support/backups';
import { rowsOf } from '../../support/by-hand';
import { quoteName, sql, startPostgres } from '../../support/postgres';
import { damaged, makeShop, type Shop } from '../../support/shop';
import { until } from '../../support/until';

let shop: Shop;
beforeAll(async () => {
	shop = await makeShop();
}, 120_000);
afterAll(async () => await shop.remove());

describe('a restore over an existing database', () => {
	async function old(properties = ''): Promise<string> {
		const target = await shop.server.createDatabase();
		await sql(target, 'CREATE TABLE precious AS SELECT 42 AS answer');
		for (const statement of properties.split(';').filter((text) => text.trim() !== '')) {
			await sql(shop.server.target(), statement.replaceAll('OLD', quoteName(target.database)));
		}
		return target.database;
	}
	const isUntouched = async (database: string) =>
		expect(await sql(shop.at(database), 'SELECT answer FROM precious')).toEqual([{ answer: 42 }]);
	const replace = (database: string, change: Parameters<Shop['request']>[0] = {}) =>
		shop.request({ ...change, into: { mode: 'replace', database, confirmation: database } });

	it('puts the backup in its place and leaves nothing else', async () => {
		const database = await old();
		expect(await restoreDatabase(replace(database))).toMatchObject({
			database,
			warnings: [],
			comparison: { ok: true },
		});
		expect(await rowsOf(shop.at(database))).toEqual(await rowsOf(shop.source));
		expect(await shop.leftovers()).toEqual([]);
	}, 60_000);

	it('is refused unless its name is given a second time', async () => {
		const database = await old();
		for (const confirmation of [undefined, '', database.toUpperCase()]) {
			await expect(
				restoreDatabase(shop.request({ into: { mode: 'replace', database, confirmation } })),
			).rejects.toMatchObject({ code: 'invalid-input' });
		}
		await isUntouched(database);
	});

	it.each(['postgres', 'template0', 'template1'])('never replaces %s', async (database) => {
		await expect(
			restoreDatabase(replace(database, { server: shop.at((await shop.server.createDatabase()).database) })),
		).rejects.toMatchObject({ code: 'invalid-input' });
	});

	it('is refused over a connection to itself, and when there is nothing to replace', async () => {
		const database = await old();
		await expect(restoreDatabase(replace(database, { server: shop.at(database) }))).rejects.toMatchObject({
			code: 'invalid-input',
		});
		await expect(restoreDatabase(replace(shop.freeName()))).rejects.toMatchObject({ code: 'database-not-found' });
	});

	it('ends the sessions of those who use it, also of those who come back at once', async () => {
		const database = await old();
		let stop = false;
		let connections = 0;
		const insist = async () => {
			while (!stop) {
				await sql(shop.at(database), 'SELECT pg_sleep(60)').catch(() => undefined);
				connections++;
			}
		};
		const clients = [insist(), insist(), insist()];
		try {
			expect((await restoreDatabase(replace(database))).comparison.ok).toBe(true);
		} finally {
			stop = true;
			await sql(shop.server.target(), 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [
				database,
			]);
			await Promise.all(clients);
		}
		expect(connections).toBeGreaterThan(2);
		expect(await rowsOf(shop.at(database))).toEqual(await rowsOf(shop.source));
		expect(await shop.leftovers()).toEqual([]);
	}, 60_000);

	it('keeps owner, connection limit, settings, rights and comment', async () => {
		const role = `keeper_${process.pid}`;
		await sql(shop.server.target(), `CREATE ROLE ${role}`);
		const database = await old(
			`ALTER DATABASE OLD OWNER TO ${role}; ALTER DATABASE OLD CONNECTION LIMIT 17; COMMENT ON DATABASE OLD IS 'it''s mine';
			REVOKE ALL ON DATABASE OLD FROM PUBLIC; GRANT CONNECT ON DATABASE OLD TO pg_monitor WITH GRANT OPTION;
			ALTER DATABASE OLD SET search_path TO "$user", 'My Schema', public; ALTER DATABASE OLD SET work_mem TO '9MB';
			ALTER DATABASE OLD SET app.level TO 'a=b'; ALTER ROLE ${role} IN DATABASE OLD SET statement_timeout TO '1ms'`,
		);
		const properties = async () => ({
			database: await sql(
				shop.server.target(),
				`SELECT pg_get_userbyid(datdba) AS owner, datconnlimit, datacl::text, shobj_description(oid, 'pg_database') AS comment
				 FROM pg_database WHERE datname = $1`,
				[database],
			),
			settings: await sql(
				shop.server.target(),
				`SELECT setrole::regrole::text AS role, setconfig FROM pg_db_role_setting
				 WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = $1) ORDER BY 1`,
				[database],
			),
		});
		const before = await properties();
		expect(before.settings).toHaveLength(2);
		expect((await restoreDatabase(replace(database))).warnings).toEqual([]);
		expect(await properties()).toEqual(before);
		await sql(shop.server.target(), `DROP DATABASE ${quoteName(database)}`);
		await sql(shop.server.target(), `DROP ROLE ${role}`);
	}, 60_000);

	it('does not replace it with something that differs, and keeps both', async () => {
		const database = await old();
		const wrong = await makeBackup(shop.source, { changeContents: oneRowMore });
		const result = await restoreDatabase(replace(database, wrong));
		expect(result.database).not.toBe(database);
		expect(result.comparison).toMatchObject({
			ok: false,
			differences: [{ item: 'public.names', expected: '3 rows', found: '2 rows' }],
		});
		expect(result.warnings).toEqual([expect.stringContaining(result.database)]);
		await isUntouched(database);
		expect(await rowsOf(shop.at(result.database))).toEqual(await rowsOf(shop.source));
		await sql(shop.server.target(), `DROP DATABASE ${quoteName(result.database)}`);
	}, 60_000);

	it('leaves it as it was when the backup turns out to be damaged', async () => {
		const database = await old();
		await expect(restoreDatabase(replace(database, await damaged(shop.backup)))).rejects.toMatchObject({
			code: 'damaged',
		});
		await isUntouched(database);
		expect(await shop.leftovers()).toEqual([]);
	}, 60_000);

	it('leaves it as it was when it was given up just before the swap', async () => {
		const database = await old();
		const stop = new AbortController();
		const onProgress: DatabaseRestoreRequest['onProgress'] = ({ phase }) => phase === 'swapping' && stop.abort();
		await expect(restoreDatabase(replace(database, { signal: stop.signal, onProgress }))).rejects.toMatchObject({
			code: 'cancelled',
		});
		await isUntouched(database);
		expect(await shop.leftovers()).toEqual([]);
	}, 60_000);

	it('ends the swap once it began, whoever gives up', async () => {
		const database = await old();
		const stop = new AbortController();
		// A transaction that changed anything of a database keeps others from renaming it.
		const holder = new Client({ ...shop.server.target(), ssl: false });
		await holder.connect();
		try {
			await holder.query(`BEGIN; COMMENT ON DATABASE ${quoteName(database)} IS 'held'`);
			const restored = restoreDatabase(replace(database, { signal: stop.signal }));
			restored.catch(() => undefined);
			await until('the swap waits for the holder', async () => {
				const renaming = "wait_event_type = 'Lock' AND query LIKE 'ALTER DATABASE%RENAME%' AND strpos(query, $1) > 0";
				return (
					(await sql(shop.server.target(), `SELECT FROM pg_stat_activity WHERE ${renaming}`, [database])).length > 0
				);
			});
			stop.abort();
			await holder.query('COMMIT');
			expect(await restored).toMatchObject({ database, comparison: { ok: true } });
		} finally {
			await holder.end();
		}
		expect(await rowsOf(shop.at(database))).toEqual(await rowsOf(shop.source));
		expect(await shop.leftovers()).toEqual([]);
	}, 60_000);

	it('leaves it as it was when somebody holds it in a way that cannot be ended', async () => {
		// A prepared transaction belongs to no session: the server refuses to rename a database that has one.
		const own = await startPostgres(18, { settings: { max_prepared_transactions: '5' } });
		try {
			const target = await own.createDatabase();
			await sql(target, 'CREATE TABLE precious AS SELECT 42 AS answer');
			await sql(target, "BEGIN; INSERT INTO precious VALUES (43); PREPARE TRANSACTION 'held'");
			await expect(restoreDatabase(replace(target.database, { server: own.target() }))).rejects.toMatchObject({
				code: 'locked',
			});
			expect(await sql(target, 'SELECT answer FROM precious')).toEqual([{ answer: 42 }]);
			expect(await shop.leftovers(own)).toEqual([]);
		} finally {
			await own.stop();
		}
	}, 60_000);
});

const oneRowMore: NonNullable<BackupOptions['changeContents']> = (contents) => ({
	...contents,
	tables: contents.tables.map((table) => (table.name === 'names' ? { ...table, rows: table.rows! + 1 } : table)),
});
