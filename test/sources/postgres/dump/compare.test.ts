import type { Client } from 'pg';
import { compareContents } from '../../../../core/sources/postgres/dump/compare';
import { queryOf } from '../../../../core/sources/postgres/connection/query';
import { connect, disconnect } from '../../../../core/sources/postgres/connection/connection';
import type { DatabaseFacts } from '../../../../core/sources/postgres/dump/contents';
import { openSnapshot } from '../../../../core/sources/postgres/dump/snapshot';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { MAJORS, type PostgresServer, quoteName, sharedPostgres, sql, startPostgres } from '../../../support/postgres';

const signal = new AbortController().signal;

async function facts(target: DatabaseTarget, contentHash = true): Promise<DatabaseFacts> {
	const snapshot = await openSnapshot(target, { signal, lockTimeoutMs: 10_000, filter: {} });
	try {
		return (await snapshot.facts({ contentHash })).contents;
	} finally {
		await snapshot.close();
	}
}

async function withClient<T>(target: DatabaseTarget, work: (client: Client) => Promise<T>): Promise<T> {
	const client = await connect(target, { signal });
	try {
		return await work(client);
	} finally {
		await disconnect(client);
	}
}

const compare = async (
	target: DatabaseTarget,
	contents: DatabaseFacts,
	only?: { schemas?: string[]; tables?: string[] },
) => await withClient(target, async (client) => await compareContents(queryOf(client), contents, { only }));

/** Every kind of value whose text a setting or a version could change. */
const VALUES = `
	CREATE SCHEMA "Odd ""s";
	CREATE TYPE mood AS ENUM ('sad', 'glad');
	CREATE TYPE pair AS (a float8, b timestamptz);
	CREATE TABLE "Odd ""s"."kinds, all" (
		z int, "A ""quoted" text, f4 float4, f8 float8, n numeric, d date, t timestamp, tz timestamptz, ti time, i interval,
		b bytea, m money, u uuid, j json, jb jsonb, arr int[], mo mood, p pair, r int4range, c regclass, bo bool, x xml, ip inet);
	INSERT INTO "Odd ""s"."kinds, all" VALUES
		(1, 'Zoë "quoted", (x)', 0.1, 1e-300, 1.10, '2026-11-20', '2026-11-20 01:02:03.4', '2026-11-20 01:02:03+05', '01:02', '1 mon -2 days 3:04',
		 '\\x00ff', 12.34, '00000000-0000-0000-0000-000000000001', '{"a": 1}', '{"b":2,"a":1}', '{1,NULL}', 'glad', (0.30000000000000004, '2026-01-01 00:00+00'), '[1,5)', 'public.many', true, '<a/>', '10.0.0.1'),
		(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
	CREATE TABLE nothing ();
	INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;`;
const MANY = 'CREATE TABLE public.many AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 1000) i;';

const servers = new Map<number, PostgresServer>();
beforeAll(async () => {
	for (const major of MAJORS) servers.set(major, await sharedPostgres(major));
}, 120_000);

describe('the content hash of a table', () => {
	it('is the same on every version, whatever the settings of server, database and session', async () => {
		const settings: Record<string, string> = {
			DateStyle: 'German',
			IntervalStyle: 'iso_8601',
			TimeZone: 'Asia/Tokyo',
			extra_float_digits: '-3',
			bytea_output: 'escape',
		};
		const all = new Set<string>();
		for (const server of servers.values()) {
			const target = await server.createDatabase();
			await sql(target, MANY + VALUES);
			for (const [name, value] of Object.entries(settings)) {
				await sql(target, `ALTER DATABASE ${quoteName(target.database)} SET ${name} TO '${value}'`);
			}
			const { tables } = await facts(target);
			all.add(JSON.stringify(tables.map(({ schema, name, rows, hash }) => ({ schema, name, rows, hash }))));
			expect(tables.every(({ hash }) => hash?.startsWith('1:'))).toBe(true);
		}
		expect([...all]).toHaveLength(1);
	}, 120_000);

	it('depends neither on the order of rows, nor on that of columns, nor on the encoding', async () => {
		const server = servers.get(18)!;
		const text = 'CREATE TABLE t (a int, b text)';
		const one = await server.createDatabase();
		await sql(one, `${text}; INSERT INTO t VALUES (1, 'Zoë'), (2, 'é'), (2, 'é')`);
		const other = await server.createDatabase(undefined, { encoding: "LATIN1' LC_COLLATE 'C' LC_CTYPE 'C" });
		await sql(
			other,
			`CREATE TABLE t (b text, gone int, a int); ALTER TABLE t DROP gone;
			INSERT INTO t (a, b) VALUES (2, 'é'), (1, 'Zoë'), (2, 'é')`,
		);
		const contents = await facts(one);
		expect(await compare(other, contents)).toEqual({
			ok: true,
			says: '1 table with 3 rows as they were dumped, the content of 1 compared',
			figures: { tables: 1, rows: 3, hashed: 1, largeObjects: 0 },
			differences: [],
		});
	}, 60_000);

	it.each([
		['a value', "UPDATE many SET v = 'x' WHERE id = 500"],
		['a value that becomes null', 'UPDATE many SET v = NULL WHERE id = 1'],
		[
			'two values that change places',
			'UPDATE many SET v = (SELECT m.v FROM many m WHERE m.id = 3 - many.id) WHERE id IN (1, 2)',
		],
		[
			'a row that is there twice instead of another',
			'DELETE FROM many WHERE id = 1; INSERT INTO many SELECT * FROM many WHERE id = 2',
		],
		['a column that has another name', 'ALTER TABLE many RENAME v TO aa'],
	])(
		'differs by %s',
		async (_what, change) => {
			const target = await servers.get(15)!.createDatabase();
			await sql(target, MANY);
			const contents = await facts(target);
			expect((await compare(target, contents)).ok).toBe(true);
			await sql(target, change);
			expect(await compare(target, contents)).toMatchObject({
				ok: false,
				differences: [
					{ item: 'public.many', expected: '1000 rows as they were', found: 'as many, but with other values' },
				],
			});
		},
		60_000,
	);

	it('is left out for a table whose text has no form in UTF-8, which is counted all the same', async () => {
		const server = servers.get(18)!;
		const target = await server.createDatabase(undefined, { encoding: "WIN1252' LC_COLLATE 'C' LC_CTYPE 'C" });
		await sql(
			target,
			"CREATE TABLE a AS SELECT 1 AS id; CREATE TABLE t AS SELECT convert_from('\\x81', 'WIN1252') AS c; CREATE TABLE z AS SELECT 2 AS id",
		);
		const contents = await facts(target);
		expect(contents.tables.map(({ name, rows, hash }) => [name, rows, hash !== undefined])).toEqual([
			['a', 1, true],
			['t', 1, false],
			['z', 1, true],
		]);
		expect(await compare(target, contents)).toMatchObject({ ok: true, figures: { tables: 3, rows: 3, hashed: 2 } });
	}, 60_000);

	it('is not compared when it was made in another way', async () => {
		const target = await servers.get(15)!.createDatabase();
		await sql(target, MANY);
		const contents = await facts(target);
		contents.tables[0]!.hash = '9:whatever';
		expect(await compare(target, contents)).toMatchObject({ ok: true, figures: { hashed: 0 } });
	});
});

describe('the comparison', () => {
	let target: DatabaseTarget;
	let contents: DatabaseFacts;
	beforeEach(async () => {
		target = await servers.get(18)!.createDatabase();
		await sql(
			target,
			`CREATE SCHEMA s; CREATE TABLE s.a AS SELECT generate_series(1, 3) AS id; CREATE TABLE b (id int);
			CREATE TABLE "public"."dot.ted" (id int); SELECT lo_from_bytea(0, 'x')`,
		);
		contents = await facts(target, false);
	});

	it('names each table that lacks rows, has too many, or is not there, and large objects', async () => {
		await sql(
			target,
			'DELETE FROM s.a WHERE id = 1; INSERT INTO b VALUES (1); DROP TABLE "dot.ted"; SELECT lo_create(0)',
		);
		expect(await compare(target, contents)).toEqual({
			ok: false,
			says: '3 of 3 tables differ from what was dumped',
			figures: { tables: 3, rows: 3, hashed: 0, largeObjects: 2 },
			differences: [
				{ item: 'public.b', expected: '0 rows', found: '1 row' },
				{ item: 'public.dot.ted', expected: '0 rows', found: 'no such table' },
				{ item: 's.a', expected: '3 rows', found: '2 rows' },
				{ item: 'large objects', expected: '1', found: '2' },
			],
		});
	});

	it('looks only for the definition of a table whose rows were not dumped', async () => {
		contents.tables[0]!.rows = null;
		expect(contents.tables[0]!.name).toBe('b');
		await sql(target, 'INSERT INTO b VALUES (1)');
		expect((await compare(target, contents)).ok).toBe(true);
		await sql(target, 'DROP TABLE b');
		expect((await compare(target, contents)).differences).toEqual([
			{ item: 'public.b', expected: 'the table', found: 'no such table' },
		]);
	});

	it('is limited to what was restored', async () => {
		await sql(target, 'DROP TABLE b; SELECT lo_create(0)');
		expect(await compare(target, contents, { schemas: ['s'], tables: ['"dot.ted"'] })).toMatchObject({
			ok: true,
			figures: { tables: 2, rows: expect.any(Number), hashed: 0 },
		});
		expect(await compare(target, contents, { tables: ['b'] })).toMatchObject({ ok: false, figures: { tables: 1 } });
	});

	it('does not see fewer rows because of row level security', async () => {
		const role = `restricted_${process.pid}`;
		await sql(
			target,
			`CREATE ROLE ${role} LOGIN PASSWORD 'p'; GRANT USAGE ON SCHEMA s TO ${role}; GRANT SELECT ON ALL TABLES IN SCHEMA s, public TO ${role}`,
		);
		try {
			await sql(target, 'ALTER TABLE s.a ENABLE ROW LEVEL SECURITY');
			await expect(compare({ ...target, user: role, password: 'p' }, contents)).rejects.toMatchObject({
				code: '42501',
			});
		} finally {
			await sql(target, `DROP OWNED BY ${role}; DROP ROLE ${role}`);
		}
	});

	it('leaves the session as it was, also after an error', async () => {
		await withClient(target, async (client) => {
			await compareContents(queryOf(client), await facts(target));
			expect((await client.query('SHOW search_path')).rows).toEqual([{ search_path: '"$user", public' }]);
			const failing = queryOf(client);
			await expect(
				compareContents(async (text, values) => {
					if (text.includes('count(*)')) throw new Error('broken');
					return await failing(text, values);
				}, contents),
			).rejects.toThrow('broken');
			await client.query('CREATE TABLE still_works ()');
		});
	});

	it('takes rows that lie in other partitions of their table for what they are, and sees one that is missing or another', async () => {
		const parts = (second: string) => `
			CREATE TABLE part (id int, v text) PARTITION BY LIST (id);
			CREATE TABLE part_a PARTITION OF part FOR VALUES IN (1, 2);
			CREATE TABLE part_b (v text, id int); ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN (${second});`;
		const insert = "INSERT INTO part VALUES (1, 'x'), (2, 'y'), (3, 'z');";
		const server = servers.get(15)!;
		const original = await server.createDatabase();
		await sql(original, parts('3') + insert);
		const expected = await facts(original);
		const moved = await server.createDatabase();
		await sql(moved, parts('2, 3').replace('IN (1, 2)', 'IN (1)') + insert);
		expect(await compare(moved, expected)).toMatchObject({
			ok: true,
			figures: { tables: 2, rows: 3, hashed: 2 },
			differences: [],
		});
		await sql(moved, "UPDATE part SET v = 'other' WHERE id = 2");
		expect((await compare(moved, expected)).ok).toBe(false);
		await sql(moved, 'DELETE FROM part WHERE id = 2');
		expect((await compare(moved, expected)).ok).toBe(false);
	});

	it('asks no server for more locks than a small one has', async () => {
		const small = await startPostgres(17, {
			settings: {
				max_locks_per_transaction: '10',
				max_connections: '5',
				superuser_reserved_connections: '1',
				max_worker_processes: '0',
				max_wal_senders: '0',
				wal_level: 'minimal',
				autovacuum_max_workers: '1',
			},
		});
		try {
			const names = Array.from({ length: 800 }, (_, i) => `t${i}`);
			const database = small.target();
			for (let at = 0; at < names.length; at += 40) {
				await sql(
					database,
					names
						.slice(at, at + 40)
						.map((name) => `CREATE TABLE ${name} (i int PRIMARY KEY)`)
						.join(';'),
				);
			}
			const all = names.map((name) => `SELECT count(*) FROM ${name}`).join(' UNION ALL ');
			await expect(sql(database, all)).rejects.toThrow('out of shared memory');
			const tables = names.map((name) => ({ schema: 'public', name, rows: 0, bytes: 0 }));
			expect(await compare(database, { ...contents, tables, largeObjects: 0 })).toMatchObject({
				ok: true,
				figures: { tables: 800 },
			});
		} finally {
			await small.stop();
		}
	}, 60_000);
});
