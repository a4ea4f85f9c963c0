import fs from 'node:fs';
import net from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Client } from 'pg';
import { builtinEngine } from '../../../../../core/sources/postgres/dump/engines/builtin/host';
import type { DumpRequest, RunningDump } from '../../../../../core/sources/postgres/dump/engines/engine';
import type { DatabaseTarget } from '../../../../../core/sources/postgres/connection/target';
import { freePort } from '../../../../../scripts/lib/postgres.mjs';
import { backends, eventually, noBackend } from '../../../../support/activity';
import { type PostgresServer, quoteName, sharedPostgres, sql, startPostgres } from '../../../../support/postgres';
import { TcpProxy } from '../../../../support/proxy';

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

/** A dump in the middle: nobody reads it, so everything between the server and us is full. */
async function startAndFill(target: DatabaseTarget): Promise<RunningDump> {
	const running = await start(target);
	running.body.read(0);
	await eventually(target, backends(target.database, "wait_event = 'ClientWrite'"));
	return running;
}

/** A session that keeps others from reading a table. */
async function lock(target: DatabaseTarget, table: string): Promise<Client> {
	const holder = new Client({ ...target, ssl: false });
	await holder.connect();
	await holder.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
	return holder;
}

/** Threads of this process: a worker is one of them. */
function threads(): number {
	return fs.readdirSync('/proc/self/task').length;
}

let server: PostgresServer;
/** About 60 MB as a dump: more than all buffers on the way can hold. */
let big: DatabaseTarget;
beforeAll(async () => {
	server = await sharedPostgres(18);
	big = await server.createDatabase();
	await sql(big, `CREATE TABLE rows AS SELECT i, repeat(md5(i::text), 4) AS t FROM generate_series(1, 430000) i`);
});

describe('the built-in engine says what went wrong, and never ends its stream then, when', () => {
	it('the password is wrong', async () => {
		const failure = dump({ ...big, password: 'not the secret' });
		await expect(failure).rejects.toMatchObject({ code: 'wrong-credentials' });
		await expect(failure).rejects.toThrow(
			`at "127.0.0.1", port ${big.port} failed: FATAL:  password authentication failed`,
		);
		await expect(failure).rejects.not.toThrow('not the secret');
		await expect(failure).rejects.not.toThrow('socket');
	});

	it('the password is missing', async () => {
		await expect(dump({ ...big, password: undefined })).rejects.toMatchObject({ code: 'wrong-credentials' });
	});

	it('the database is missing', async () => {
		await expect(dump({ ...big, database: 'nowhere' })).rejects.toMatchObject({ code: 'database-not-found' });
	});

	it('nobody listens', async () => {
		await expect(start({ ...big, port: await freePort() })).rejects.toMatchObject({ code: 'unreachable' });
	});

	it('there is no privilege on one table', async () => {
		const target = await server.createDatabase();
		await sql(
			target,
			`CREATE TABLE open AS SELECT 1 AS i; CREATE TABLE closed AS SELECT 2 AS i;
			CREATE ROLE ${quoteName(target.database)} LOGIN PASSWORD 'x'; GRANT SELECT ON open TO ${quoteName(target.database)}`,
		);
		const limited = { ...target, user: target.database, password: 'x' };
		await expect(dump(limited)).rejects.toMatchObject({
			code: 'access-denied',
			hint: expect.stringContaining(target.database),
		});
		await expect(dump(limited)).rejects.toThrow('permission denied for table closed');
		expect(await dump(limited, { filter: { excludeTables: ['closed'] } })).toContain('COPY public.open');
	});

	it('a table stays locked', async () => {
		const target = await server.createDatabase();
		await sql(target, 'CREATE TABLE t ()');
		const holder = await lock(target, 't');
		const failure = dump(target, { lockTimeoutMs: 100 });
		await expect(failure).rejects.toMatchObject({ code: 'lock-timeout' });
		// n8n takes an error that contains this word for a stopped execution.
		await expect(failure).rejects.not.toThrow(/cancel/i);
		await holder.end();
	});

	it('its backend is killed mid-dump', async () => {
		const { body } = await startAndFill(big);
		await sql(
			big,
			`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND datname = '${big.database}'`,
		);
		await expect(buffer(body)).rejects.toMatchObject({ code: 'connection-lost' });
	});

	it.each(['stop', 'kill'] as const)('the server is ended mid-dump (%s)', async (how) => {
		const own = await startPostgres(17);
		const target = await own.createDatabase();
		await sql(target, `CREATE TABLE rows AS SELECT i, repeat(md5(i::text), 4) AS t FROM generate_series(1, 300000) i`);
		const { body } = await startAndFill(target);
		const ended = own[how]();
		await expect(buffer(body)).rejects.toMatchObject({ code: 'connection-lost' });
		await ended;
	});

	it('the network breaks mid-dump', async () => {
		const proxy = await TcpProxy.start(big.port);
		const { body } = await start({ ...big, port: proxy.port });
		body.once('data', () => proxy.cut());
		await expect(buffer(body)).rejects.toMatchObject({ code: 'connection-lost' });
		await proxy.close();
	});

	it('the server is newer than it', async () => {
		const proxy = await TcpProxy.start(big.port, {
			rewrite: (chunk) =>
				Buffer.from(chunk.toString('latin1').replace('server_version\x0018', 'server_version\x0019'), 'latin1'),
		});
		await expect(dump({ ...big, port: proxy.port })).rejects.toMatchObject({ code: 'server-too-new' });
		await proxy.close();
	});

	it('something else than PostgreSQL answers', async () => {
		const other = net.createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
		await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
		const { port } = other.address() as { port: number };
		await expect(dump({ ...big, port })).rejects.toMatchObject({ name: 'BackupError' });
		await expect(start({ ...big, port, tls: 'prefer' })).rejects.toMatchObject({ code: 'unreachable' });
		other.close();
	});
});

describe('the built-in engine ends at once, leaving no worker and no backend, when it is stopped', () => {
	async function expectStopped(
		target: DatabaseTarget,
		before: number,
		running: RunningDump,
		stop: () => void,
		code: string,
	): Promise<void> {
		const closed = new Promise<Error>((resolve, reject) => {
			running.body.once('error', resolve).once('end', () => reject(new Error('ended as if it were whole')));
		});
		const gone = new Promise((resolve) => running.body.once('close', resolve));
		stop();
		expect(await closed).toMatchObject({ code });
		await gone;
		expect(threads()).toBeLessThanOrEqual(before);
		await eventually(big, noBackend(target.database));
	}

	it('mid-dump, by its signal', async () => {
		const before = threads();
		const controller = new AbortController();
		const running = await start(big, {}, controller.signal);
		await new Promise((resolve) => running.body.once('readable', resolve));
		await expectStopped(big, before, running, () => controller.abort(), 'cancelled');
	});

	it('while it waits for a lock', async () => {
		const target = await server.createDatabase();
		await sql(target, 'CREATE TABLE t ()');
		const holder = await lock(target, 't');
		const before = threads();
		const controller = new AbortController();
		const running = await start(target, { lockTimeoutMs: 600_000 }, controller.signal);
		running.body.resume();
		await eventually(target, backends(target.database, "wait_event_type = 'Lock'"));
		await expectStopped(target, before, running, () => controller.abort(), 'cancelled');
		await holder.end();
	});

	it('while the connection stalls', async () => {
		const before = threads();
		const proxy = await TcpProxy.start(big.port);
		const controller = new AbortController();
		const running = await start({ ...big, port: proxy.port }, {}, controller.signal);
		await new Promise((resolve) => running.body.once('readable', resolve));
		proxy.pause();
		const closed = new Promise<Error>((resolve) => running.body.once('error', resolve));
		const gone = new Promise((resolve) => running.body.once('close', resolve));
		controller.abort();
		expect(await closed).toMatchObject({ code: 'cancelled' });
		await gone;
		expect(threads()).toBeLessThanOrEqual(before);
		await proxy.close();
		await eventually(big, noBackend(big.database));
	});

	it('before it began', async () => {
		await expect(start(big, {}, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
	});
});
