import { buffer } from 'node:stream/consumers';
import { Client } from 'pg';
import { builtinEngine } from '../../../../../core/sources/postgres/dump/engines/builtin/host';
import { dumpArguments } from '../../../../../core/sources/postgres/dump/engines/args';
import type { DumpRequest, RunningDump } from '../../../../../core/sources/postgres/dump/engines/engine';
import type { DatabaseTarget } from '../../../../../core/sources/postgres/connection/target';
import { backends, eventually } from '../../../../support/activity';
import { type Major, MAJORS, type PostgresServer, quoteName, sharedPostgres, sql } from '../../../../support/postgres';
import { rowsOf } from '../../../../support/by-hand';
import { comparable, forServer, nativeSchema, restore } from '../../../../support/psql';
import { rounds } from '../../../../support/soak';

const engine = builtinEngine();

async function start(
	target: DatabaseTarget,
	more: Partial<DumpRequest> = {},
	signal = new AbortController().signal,
): Promise<RunningDump> {
	return await engine.start({ target, format: 'plain', filter: {}, lockTimeoutMs: 10_000, ...more }, { signal });
}

async function dump(target: DatabaseTarget, more?: Partial<DumpRequest>): Promise<string> {
	return (await buffer((await start(target, more)).body)).toString();
}

describe.each(rounds<readonly Major[]>([13, 18], MAJORS))('the built-in engine and PostgreSQL %i', (major) => {
	let server: PostgresServer;
	let source: DatabaseTarget;
	beforeAll(async () => {
		server = await sharedPostgres(major);
		source = await server.createDatabase(undefined, { load: 'many-kinds' });
	});

	it('dumps every kind of object so that psql restores all of it, schema and rows', async () => {
		const copy = await server.createDatabase();
		const whole = await dump(source);
		await restore(copy, forServer(major, whole));

		const schema = { filter: { schemaOnly: true } };
		expect(comparable(await dump(copy, schema))).toBe(comparable(await dump(source, schema)));
		expect(comparable(await dump(copy))).toBe(comparable(whole));
		expect(await rowsOf(copy)).toEqual(await rowsOf(source));
		// Debian's pg_dump, as an independent judge of what was restored.
		if (major <= 15) expect(await nativeSchema(copy)).toBe(await nativeSchema(source));
	});

	it('writes nothing to stderr and names both versions in the dump', async () => {
		const running = await start(source, { filter: { schemaOnly: true } });
		const text = (await buffer(running.body)).toString();
		expect(running.warnings).toEqual([]);
		expect(text).toContain(`-- Dumped from database version ${major}.`);
		expect(text).toContain('-- Dumped by pg_dump version 18.3');
		expect((await engine.version()).text).toBe('18.3');
	});

	it('writes the custom format', async () => {
		const bytes = await buffer((await start(source, { format: 'custom' })).body);
		expect(bytes.subarray(0, 5).toString()).toBe('PGDMP');
		expect(bytes.length).toBeGreaterThan(1_000_000);
	});
});

describe('the built-in engine', () => {
	let server: PostgresServer;
	/** About 60 MB as a dump: more than all buffers on the way can hold. */
	let big: DatabaseTarget;
	beforeAll(async () => {
		server = await sharedPostgres(18);
		big = await server.createDatabase();
		await sql(big, `CREATE TABLE rows AS SELECT i, repeat(md5(i::text), 4) AS t FROM generate_series(1, 430000) i`);
	});

	it('leaves out what the filter says', async () => {
		const target = await server.createDatabase();
		await sql(
			target,
			`CREATE SCHEMA "--help"; CREATE TABLE "--help"."a b" AS SELECT 1 AS one; CREATE TABLE "--help".log AS SELECT 2 AS two;
			CREATE SCHEMA other; CREATE TABLE other.c AS SELECT 3 AS three`,
		);
		const one = await dump(target, { filter: { schemas: ['"--help"'], excludeTableData: ['*.log'] } });
		expect(one).toContain('COPY "--help"."a b" (one)');
		expect(one).toContain('CREATE TABLE "--help".log');
		expect(one).not.toContain('COPY "--help".log');
		expect(one).not.toContain('other.c');
		const two = await dump(target, { filter: { excludeSchemas: ['other'], excludeTables: ['*."a b"'] } });
		expect(two).toContain('COPY "--help".log');
		expect(two).not.toContain('a b');
		await expect(dump(target, { filter: { tables: ['nowhere.*'] } })).rejects.toMatchObject({ code: 'invalid-input' });
	});

	it('sees exactly what an exported snapshot sees', async () => {
		const target = await server.createDatabase();
		await sql(target, 'CREATE TABLE t AS SELECT 1 AS i');
		const holder = new Client({ ...target, ssl: false });
		await holder.connect();
		await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
		const { rows } = await holder.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
		await sql(target, 'INSERT INTO t VALUES (2)');
		expect(await dump(target, { snapshot: rows[0]!.id })).toContain('COPY public.t (i) FROM stdin;\n1\n\\.');
		await holder.end();
		await expect(dump(target, { snapshot: rows[0]!.id })).rejects.toThrow('snapshot');
	});

	it.each(['we"ird \'ünï☃', 'host=192.0.2.1 dbname=postgres', '-d', 'a=b'])(
		'takes the name %p as a name',
		async (name) => {
			const target = await server.createDatabase(name);
			const user = `user of ${name}`;
			const password = `pass'"\\ word ☃`;
			await sql(
				target,
				`CREATE TABLE here AS SELECT 1 AS i; CREATE ROLE ${quoteName(user)} LOGIN SUPERUSER PASSWORD '${password.replace("'", "''")}'`,
			);
			expect(await dump({ ...target, user, password })).toContain('COPY public.here');
		},
	);

	it('dumps several databases at once without mixing them up', async () => {
		const expected = comparable(await dump(big));
		const dumps = await Promise.all(rounds([1, 2], [1, 2, 3, 4]).map(async () => comparable(await dump(big))));
		expect(dumps.every((each) => each === expected)).toBe(true);
	});

	it('holds no more than a few MB while its consumer does nothing, and then delivers everything', async () => {
		const { body } = await start(big);
		body.pause();
		body.read(0);
		// The server waits for us: everything in between is full.
		await eventually(big, backends(big.database, "wait_event = 'ClientWrite'"));
		expect(body.readableLength).toBeGreaterThan(1_000_000);
		expect(body.readableLength).toBeLessThan(6_000_000);
		expect((await buffer(body)).length).toBeGreaterThan(57_000_000);
	});
});

describe('the options of pg_dump', () => {
	it('join every pattern to its option and hold nothing of the connection', () => {
		const target: DatabaseTarget = { host: 'h', port: 1, database: 'd', user: 'u', password: 'geheim', tls: 'off' };
		const filter = {
			schemas: ['-a'],
			excludeSchemas: ['b'],
			tables: ['c*'],
			excludeTables: ['d'],
			excludeTableData: ['"e f"'],
			schemaOnly: true,
		};
		expect(dumpArguments({ target, format: 'custom', filter, snapshot: '00000003-1', lockTimeoutMs: 1500 })).toEqual([
			'--format=custom',
			'--compress=0',
			'--no-password',
			'--lock-wait-timeout=1500',
			'--snapshot=00000003-1',
			'--schema-only',
			'--schema=-a',
			'--exclude-schema=b',
			'--table=c*',
			'--exclude-table=d',
			'--exclude-table-data="e f"',
		]);
	});
});
