import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { nativeEngine } from '../../../../../core/sources/postgres/dump/engines/native';
import type { DumpRequest, RunningDump } from '../../../../../core/sources/postgres/dump/engines/engine';
import type { DatabaseTarget } from '../../../../../core/sources/postgres/connection/target';
import { backends, eventually, noBackend } from '../../../../support/activity';
import { type PostgresServer, quoteName, sharedPostgres, sql } from '../../../../support/postgres';
import { commandLines } from '../../../../support/processes';
import { rowsOf } from '../../../../support/by-hand';
import { comparable, nativeSchema, restore } from '../../../../support/psql';

async function start(
	target: DatabaseTarget,
	more: Partial<DumpRequest> = {},
	{ program, signal = new AbortController().signal }: { program?: string; signal?: AbortSignal } = {},
): Promise<RunningDump> {
	const request: DumpRequest = { target, format: 'plain', filter: {}, lockTimeoutMs: 10_000, ...more };
	return await nativeEngine(program).start(request, { signal });
}

async function dump(target: DatabaseTarget, more?: Partial<DumpRequest>, program?: string): Promise<string> {
	return (await buffer((await start(target, more, { program })).body)).toString();
}

let folder: string;
let server: PostgresServer;
let source: DatabaseTarget;
let big: DatabaseTarget;
beforeAll(async () => {
	folder = fs.mkdtempSync(path.join(os.tmpdir(), 'native-'));
	server = await sharedPostgres(15);
	source = await server.createDatabase(undefined, { load: 'many-kinds' });
	big = await server.createDatabase();
	await sql(big, 'CREATE TABLE rows AS SELECT i, repeat(md5(i::text), 4) AS t FROM generate_series(1, 300000) i');
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** A pg_dump that does what a test wants. */
function fake(name: string, script: string): string {
	const file = path.join(folder, name);
	fs.writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
	return file;
}

describe('the native engine', () => {
	it('says the version of the program', async () => {
		const { major, text } = await nativeEngine().version();
		expect(text).toMatch(new RegExp(`^${major}\\.\\d+`));
		expect(await nativeEngine(fake('beta', 'echo "pg_dump (PostgreSQL) 19beta1"')).version()).toEqual({
			major: 19,
			text: '19beta1',
		});
	});

	it('is not found where there is no pg_dump', async () => {
		for (const program of [path.join(folder, 'missing'), fake('other', 'echo "mysqldump 8"'), folder]) {
			await expect(nativeEngine(program).version()).rejects.toMatchObject({ code: 'engine-not-found' });
		}
		await expect(start(source, {}, { program: path.join(folder, 'missing') })).rejects.toMatchObject({
			code: 'engine-not-found',
		});
	});

	it('dumps every kind of object so that psql restores all of it, schema and rows', async () => {
		const copy = await server.createDatabase();
		const whole = await dump(source);
		await restore(copy, whole);
		expect(comparable(await dump(copy))).toBe(comparable(whole));
		expect(await nativeSchema(copy)).toBe(await nativeSchema(source));
		expect(await rowsOf(copy)).toEqual(await rowsOf(source));
	});

	it('writes the custom format', async () => {
		const bytes = await buffer((await start(source, { format: 'custom' })).body);
		expect(bytes.subarray(0, 5).toString()).toBe('PGDMP');
	});

	it.each(['we"ird \'ünï☃ b', 'host=192.0.2.1 dbname=postgres b', '--help'])(
		'takes the name %p as a name',
		async (name) => {
			const target = await server.createDatabase(name);
			await sql(
				target,
				`CREATE TABLE here AS SELECT 1 AS i; CREATE ROLE ${quoteName(`user ${name}`)} LOGIN SUPERUSER PASSWORD 'p w'`,
			);
			expect(await dump({ ...target, user: `user ${name}`, password: 'p w' })).toContain('COPY public.here');
		},
	);

	it('holds no more than a little while its consumer does nothing, and then delivers everything', async () => {
		const { body } = await start(big);
		body.read(0);
		await eventually(big, backends(big.database, "wait_event = 'ClientWrite'"));
		expect(body.readableLength).toBeLessThan(2_000_000);
		expect((await buffer(body)).length).toBeGreaterThan(40_000_000);
	});

	it('shows no secret to other processes, and has no other environment than its own', async () => {
		process.env.PGSERVICE = 'nonsense';
		const { body } = await start({ ...big, tls: 'prefer' });
		try {
			body.read(0);
			await eventually(big, backends(big.database, "wait_event = 'ClientWrite'"));
			const commands = commandLines();
			expect(commands.filter((command) => command.includes('--lock-wait-timeout')).length).toBeGreaterThan(0);
			expect(commands.filter((command) => command.includes(big.password!))).toEqual([]);
			expect(Object.values(process.env)).not.toContain(big.password);
		} finally {
			delete process.env.PGSERVICE;
			const gone = new Promise((resolve) => body.once('close', resolve));
			body.destroy();
			await gone;
		}
	});

	it('leaves no files behind', async () => {
		// A place of its own: other tests dump at the same time.
		const place = fs.mkdtempSync(path.join(folder, 'tmp-'));
		const spy = jest.spyOn(os, 'tmpdir').mockReturnValue(place);
		try {
			await dump(source, { filter: { schemaOnly: true } });
			await expect(dump({ ...source, database: 'nowhere' })).rejects.toThrow();
			expect(spy.mock.calls.length).toBeGreaterThanOrEqual(2);
			expect(fs.readdirSync(place)).toEqual([]);
		} finally {
			spy.mockRestore();
		}
	});
});

describe('the native engine says what went wrong, and never ends its stream then, when', () => {
	it('the password is wrong', async () => {
		const failure = dump({ ...source, password: 'not the secret' });
		await expect(failure).rejects.toMatchObject({ code: 'wrong-credentials' });
		await expect(failure).rejects.not.toThrow('not the secret');
	});

	it('the database is missing', async () => {
		await expect(dump({ ...source, database: 'nowhere' })).rejects.toMatchObject({ code: 'database-not-found' });
	});

	it('the server is newer than it', async () => {
		await expect(dump((await sharedPostgres(18)).target())).rejects.toMatchObject({ code: 'server-too-new' });
	});

	it('its backend is killed mid-dump', async () => {
		const { body } = await start(big);
		body.read(0);
		await eventually(big, backends(big.database, "wait_event = 'ClientWrite'"));
		await sql(big, `SELECT pg_terminate_backend(pid) FROM (${backends(big.database)}) b`);
		await expect(buffer(body)).rejects.toMatchObject({ code: 'connection-lost' });
	});

	it('the program is killed', async () => {
		const program = fake('killed', 'echo "-- some SQL"; kill -9 $$');
		await expect(dump(source, {}, program)).rejects.toMatchObject({
			code: 'dump-failed',
			message: expect.stringContaining('was ended by SIGKILL'),
			hint: expect.stringContaining('no memory left'),
		});
	});

	it('the program fails after its last byte', async () => {
		const program = fake(
			'failing',
			'echo "-- PostgreSQL database dump complete"; echo "pg_dump: error: out of luck" >&2; exit 3',
		);
		await expect(dump(source, {}, program)).rejects.toMatchObject({
			code: 'dump-failed',
			message: expect.stringContaining('out of luck'),
		});
	});

	it.each(['plain', 'custom'] as const)(
		'the program reports success without having written all of it (%s)',
		async (format) => {
			const program = fake('short', 'echo "-- PostgreSQL database dump"');
			await expect(dump(source, { format }, program)).rejects.toMatchObject({ code: 'incomplete' });
			await expect(dump(source, { format }, fake('silent', 'exit 0'))).rejects.toMatchObject({ code: 'incomplete' });
		},
	);
});

it('the native engine ends at once, program and backend, when it is stopped', async () => {
	const target = await server.createDatabase();
	await sql(target, 'CREATE TABLE t ()');
	const { Client } = await import('pg');
	const holder = new Client({ ...target, ssl: false });
	await holder.connect();
	await holder.query('BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE');
	const controller = new AbortController();
	const { body } = await start(target, { lockTimeoutMs: 600_000 }, { signal: controller.signal });
	body.resume();
	await eventually(target, backends(target.database, "wait_event_type = 'Lock'"));
	const closed = new Promise<Error>((resolve) => body.once('error', resolve));
	const gone = new Promise((resolve) => body.once('close', resolve));
	controller.abort();
	expect(await closed).toMatchObject({ code: 'cancelled' });
	await gone;
	await eventually(target, noBackend(target.database));
	await holder.end();
});
