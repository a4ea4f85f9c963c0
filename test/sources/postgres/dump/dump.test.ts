import { openFull, readSource } from '../../../support/database-verbs';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, disconnect } from '../../../../core/sources/postgres/connection/connection';
import { selectDatabases } from '../../../../core/sources/postgres/connection/databases';
import {
	DEFAULT_DUMP_OPTIONS,
	type PostgresDumpOptions,
	postgresSource,
} from '../../../../core/sources/postgres/dump/dump';
import type { DumpFilter } from '../../../../core/sources/postgres/dump/engines/engine';
import type { DatabaseFacts } from '../../../../core/sources/postgres/dump/contents';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { sharedPostgres, sql } from '../../../support/postgres';
import { until } from '../../../support/until';

const signal = new AbortController().signal;

async function dump(target: DatabaseTarget, options: Partial<PostgresDumpOptions> = {}, during?: () => Promise<void>) {
	const open = await openFull(postgresSource(target, { ...DEFAULT_DUMP_OPTIONS, ...options }));
	try {
		await during?.();
		const { dump: bytes, ...rest } = await readSource(open);
		return { text: bytes.toString(), ...rest };
	} finally {
		await open.close();
	}
}

/** Rows per table as the dump itself holds them. */
function rowsIn(text: string): Map<string, number> {
	const found = new Map<string, number>();
	for (const match of text.matchAll(/^COPY (\S+) \(.*\) FROM stdin;\n([\s\S]*?)^\\\.$/gm)) {
		found.set(match[1]!, match[2]!.split('\n').length - 1);
	}
	return found;
}

/** Rows per table as the facts say. */
function rowsOf(contents: DatabaseFacts): Map<string, number> {
	const counted = contents.tables.filter((table) => table.rows !== null);
	return new Map(counted.map((table) => [`${table.schema}.${table.name}`, table.rows!]));
}

async function waitFor(database: DatabaseTarget, query: string): Promise<void> {
	await until(query, async () => (await sql(database, query)).length > 0);
}

let target: DatabaseTarget;
beforeAll(async () => {
	target = await (await sharedPostgres(18)).createDatabase();
	await sql(
		target,
		`CREATE SCHEMA app; CREATE SCHEMA app_old; CREATE SCHEMA audit;
		CREATE TABLE public.orders AS SELECT i AS id FROM generate_series(1, 1000) i;
		CREATE TABLE public.orders_archive AS SELECT i AS id FROM generate_series(1, 20) i;
		CREATE TABLE app.orders AS SELECT i AS id FROM generate_series(1, 30) i;
		CREATE TABLE app.log_1 AS SELECT i AS id FROM generate_series(1, 4) i;
		CREATE TABLE app.log_x AS SELECT i AS id FROM generate_series(1, 5) i;
		CREATE TABLE app_old.orders AS SELECT i AS id FROM generate_series(1, 6) i;
		CREATE TABLE audit.empty (id int);
		CREATE TABLE audit.parted (id int) PARTITION BY RANGE (id);
		CREATE TABLE audit.part_1 PARTITION OF audit.parted FOR VALUES FROM (0) TO (10);
		CREATE TABLE audit.part_2 PARTITION OF audit.parted DEFAULT;
		INSERT INTO audit.parted SELECT generate_series(1, 100);
		CREATE TABLE audit.parent (id int); CREATE TABLE audit.child () INHERITS (audit.parent);
		INSERT INTO audit.parent VALUES (1); INSERT INTO audit.child VALUES (2), (3);
		CREATE UNLOGGED TABLE audit.unlogged AS SELECT 1 AS id;
		CREATE MATERIALIZED VIEW audit.matview AS SELECT * FROM public.orders;
		SELECT lo_from_bytea(0, 'hello'), lo_from_bytea(0, 'again')`,
	);
}, 120_000);

describe('a dump and its facts', () => {
	const filters: Array<[string, DumpFilter]> = [
		['no filter', {}],
		['a schema', { schemas: ['app'] }],
		['schemas by pattern', { schemas: ['app*', 'audit'] }],
		['all schemas but one', { excludeSchemas: ['aud*'] }],
		['a table of the search path', { tables: ['orders'] }],
		['a table in every schema', { tables: ['*.orders'] }],
		['tables by a regular expression', { tables: ['app.log_[0-9]'] }],
		['an excluded table', { excludeTables: ['public.orders'] }],
		['excluded tables by pattern', { schemas: ['app'], excludeTables: ['app.log_*'] }],
		['excluded rows', { excludeTableData: ['*.orders'] }],
		['a named table in spite of an excluded schema', { tables: ['app.orders'], excludeSchemas: ['app'] }],
		['the schema only', { schemaOnly: true }],
	];

	it.each(filters)('with %s speak of the same tables and rows', async (_, filter) => {
		const { text, contents } = await dump(target, { filter });
		expect(rowsOf(contents)).toEqual(rowsIn(text));
		expect(contents.tables.map((table) => `${table.schema}.${table.name}`).sort()).toEqual(
			[...text.matchAll(/^CREATE (?:UNLOGGED )?TABLE (\S+) (?![^;]*PARTITION BY)/gm)].map((match) => match[1]).sort(),
		);
	});

	it('are of the same moment, whatever happens meanwhile', async () => {
		const during = async () => {
			await sql(target, 'INSERT INTO public.orders SELECT generate_series(2000, 2999)');
		};
		const { text, contents } = await dump(target, {}, during);
		expect(rowsOf(contents).get('public.orders')).toBe(1000);
		expect(rowsIn(text).get('public.orders')).toBe(1000);
		await sql(target, 'DELETE FROM public.orders WHERE id >= 2000');
	});

	it('say what the server, the engine and the database are', async () => {
		const { contents, details } = await dump(target);
		expect(details).toMatchObject({
			engine: 'builtin',
			format: 'plain',
			filtered: false,
			serverVersion: contents.serverVersion,
		});
		expect(contents).toMatchObject({
			database: target.database,
			encoding: 'UTF8',
			largeObjects: 2,
			extensions: [{ name: 'plpgsql', version: '1.0' }],
		});
		expect(contents.databaseBytes).toBeGreaterThan(1_000_000);
	});

	it('leave no open transaction behind', async () => {
		await dump(target);
		// A server process ends a moment after its connection.
		await until('no session is left', async () => {
			const open = await sql(
				target,
				`SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
			);
			return open.length === 0;
		});
	});

	it('warn when the snapshot held back vacuum for long', async () => {
		const { warnings } = await dump(target, { snapshotWarningMs: 1 });
		expect(warnings).toEqual([
			expect.stringMatching(/^the dump's snapshot held back vacuum for 0 minutes \(\d+ transactions\)$/),
		]);
	});
});

describe('a dump that cannot be trusted', () => {
	it('because the connection that holds its snapshot was lost fails', async () => {
		await sql(
			target,
			'CREATE TABLE audit.slow AS SELECT i, repeat(md5(i::text), 30) t FROM generate_series(1, 50000) i',
		);
		const open = await openFull(postgresSource(target));
		try {
			const [session] = await sql<{ pid: number }>(
				target,
				`SELECT pid FROM pg_stat_activity WHERE application_name = 'n8n-nodes-backup' AND datname = current_database()`,
			);
			const drained = readSource(open);
			await sql(target, 'SELECT pg_terminate_backend($1)', [session!.pid]);
			await expect(drained).rejects.toMatchObject({
				code: 'connection-lost',
				message: expect.stringContaining('terminating connection due to administrator command'),
			});
		} finally {
			await open.close();
			await sql(target, 'DROP TABLE audit.slow');
		}
	});

	it('because a table stays locked gives up after the lock timeout', async () => {
		const locker = await connect(target, { signal });
		try {
			await locker.query('BEGIN; LOCK TABLE public.orders IN ACCESS EXCLUSIVE MODE');
			await expect(dump(target, { lockTimeoutMs: 200 })).rejects.toMatchObject({
				code: 'lock-timeout',
				message: expect.not.stringContaining('canceled'),
			});
		} finally {
			await disconnect(locker);
		}
	});

	it('because the user may not read a table says which', async () => {
		const user = `reader_${Date.now()}`;
		await sql(target, `CREATE ROLE ${user} LOGIN PASSWORD 'reader-password'; GRANT USAGE ON SCHEMA app TO ${user}`);
		await sql(target, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${user}`);
		const reader = { ...target, user, password: 'reader-password' };
		await expect(dump(reader)).rejects.toMatchObject({
			code: 'access-denied',
			message: expect.stringMatching(/permission denied for/),
		});
	});

	it('because row security would hide rows fails instead of leaving them out', async () => {
		const user = `limited_${Date.now()}`;
		await sql(
			target,
			`CREATE SCHEMA rls; CREATE TABLE rls.t AS SELECT 1 AS id; ALTER TABLE rls.t ENABLE ROW LEVEL SECURITY;
			CREATE ROLE ${user} LOGIN PASSWORD 'limited-password'; GRANT USAGE ON SCHEMA rls TO ${user};
			GRANT SELECT ON rls.t TO ${user}; CREATE POLICY none ON rls.t FOR SELECT TO ${user} USING (false)`,
		);
		const limited = { ...target, user, password: 'limited-password' };
		await expect(dump(limited, { filter: { schemas: ['rls'] } })).rejects.toMatchObject({
			message: expect.stringMatching(/row-level security/),
		});
		await sql(target, 'DROP SCHEMA rls CASCADE');
	});
});

describe('a dump of a database that is at work', () => {
	const LOCKING = `SELECT FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%'`;

	it('holds the rows of a table that is emptied and filled again while the dump begins', async () => {
		const busy = await (await sharedPostgres(18)).createDatabase();
		await sql(busy, 'CREATE TABLE stock AS SELECT generate_series(1, 5000) AS id');
		const writer = await connect(busy, { signal });
		try {
			await writer.query('BEGIN; TRUNCATE stock; INSERT INTO stock SELECT generate_series(1, 5000)');
			const dumped = dump(busy);
			await waitFor(busy, LOCKING);
			await writer.query('COMMIT');
			const { text, contents, warnings } = await dumped;
			expect(rowsOf(contents).get('public.stock')).toBe(5000);
			expect(rowsIn(text).get('public.stock')).toBe(5000);
			expect(warnings).toEqual([]);
		} finally {
			await disconnect(writer);
		}
	});

	it('warns of a table that was emptied just before, and of none that has been empty for long', async () => {
		const busy = await (await sharedPostgres(18)).createDatabase();
		await sql(busy, 'CREATE TABLE stock AS SELECT generate_series(1, 5000) AS id; CREATE TABLE never (id int)');
		await waitFor(busy, "SELECT FROM pg_stat_user_tables WHERE n_live_tup = 5000 AND relname = 'stock'");
		const writer = await connect(busy, { signal });
		try {
			await writer.query('BEGIN; TRUNCATE stock');
			const dumped = dump(busy);
			await waitFor(busy, LOCKING);
			await writer.query('COMMIT');
			expect((await dumped).warnings).toEqual([
				'public.stock is empty in this dump, though it held about 5000 rows just before it began',
			]);
		} finally {
			await disconnect(writer);
		}
	});

	it('begins anew when a table was dropped meanwhile, and gives up with one line when that goes on', async () => {
		const busy = await (await sharedPostgres(18)).createDatabase();
		await sql(
			busy,
			`CREATE TABLE work_1 (id int); CREATE TABLE work_2 (id int);
			CREATE TABLE work_3 (id int); CREATE TABLE work_4 (id int)`,
		);
		const writer = await connect(busy, { signal });
		try {
			await writer.query('BEGIN; LOCK TABLE work_1');
			const first = dump(busy);
			await waitFor(busy, "SELECT FROM pg_locks WHERE NOT granted AND relation = 'work_1'::regclass");
			await writer.query('DROP TABLE work_1; COMMIT');
			expect((await first).contents.tables.map(({ name }) => name)).toEqual(['work_2', 'work_3', 'work_4']);
			// Each attempt waits for the table that it finds, and misses it.
			await writer.query('BEGIN; LOCK TABLE work_2, work_3, work_4');
			const second = dump(busy);
			second.catch(() => undefined);
			for (const table of ['work_2', 'work_3', 'work_4']) {
				await waitFor(busy, `SELECT FROM pg_locks WHERE NOT granted AND relation = '${table}'::regclass`);
				const others = ['work_3', 'work_4'].filter((other) => other > table);
				const next = others.length > 0 ? `; BEGIN; LOCK TABLE ${others.join(', ')}` : '';
				await writer.query(`DROP TABLE ${table}; COMMIT${next}`);
			}
			await expect(second).rejects.toMatchObject({
				code: 'source-changing',
				message: expect.stringMatching(/^\S+ on \S+ changed meanwhile: relation "public.work_4" does not exist$/),
			});
		} finally {
			await disconnect(writer);
		}
	});

	it('lasts longer than the time limits of its role allow', async () => {
		const busy = await (await sharedPostgres(18)).createDatabase();
		const user = `hurried_${Date.now()}`;
		await sql(
			busy,
			`CREATE TABLE item AS SELECT 1 AS id; CREATE ROLE ${user} LOGIN PASSWORD 'hurried-password' IN ROLE pg_read_all_data;
			ALTER ROLE ${user} SET transaction_timeout = '300ms'; ALTER ROLE ${user} SET idle_in_transaction_session_timeout = '300ms';
			ALTER ROLE ${user} SET statement_timeout = '300ms'; ALTER ROLE ${user} SET idle_session_timeout = '300ms'`,
		);
		const hurried = { ...busy, user, password: 'hurried-password' };
		const { contents } = await dump(hurried, {}, async () => await delay(700));
		expect(rowsOf(contents)).toEqual(new Map([['public.item', 1]]));
	});
});

describe('the databases of a server', () => {
	it('are chosen by list, by pattern or all, without templates', async () => {
		const server = await sharedPostgres(18);
		const stamp = `sel_${Date.now()}`;
		for (const name of ['a', 'b', 'test']) await server.createDatabase(`${stamp}_${name}`);
		const client = await connect(server.target(), { signal });
		try {
			const all = await selectDatabases(client, { mode: 'all' });
			expect(all).toEqual(expect.arrayContaining(['postgres', `${stamp}_a`, `${stamp}_b`, `${stamp}_test`]));
			expect(all).not.toContain('template0');
			const patterns = [`${stamp}_*`, '!*_test'];
			expect(await selectDatabases(client, { mode: 'pattern', patterns })).toEqual([`${stamp}_a`, `${stamp}_b`]);
			await expect(selectDatabases(client, { mode: 'pattern', patterns: ['nope.*'] })).rejects.toMatchObject({
				code: 'database-not-found',
				hint: expect.stringContaining('postgres'),
			});
			await expect(selectDatabases(client, { mode: 'list', names: [] })).rejects.toMatchObject({
				code: 'invalid-input',
			});
		} finally {
			await disconnect(client);
		}
	});
});
