import dns from 'node:dns';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { checkDatabase } from '../../../../core/sources/postgres/check';
import { restoreDatabase } from '../../../support/database-verbs';
import { DEFAULT_DUMP_OPTIONS } from '../../../../core/sources/postgres/dump/dump';
import { KEEP_ALL } from '../../../../core/sources/postgres/replay/rewrite';
import { connect, disconnect, openSocket } from '../../../../core/sources/postgres/connection/connection';
import type { DatabaseTarget, TlsMode } from '../../../../core/sources/postgres/connection/target';
import { freePort } from '../../../../scripts/lib/postgres.mjs';
import { MAJORS, type OwnServer, quoteName, sharedPostgres, sql, startPostgres } from '../../../support/postgres';
import { TcpProxy } from '../../../support/proxy';
import { GROUP, makeSmallBackup } from '../../../support/small-backup';
import { startSsh, type SshServer } from '../../../support/ssh';
import { type Certificates, makeCertificates } from '../../../support/tls';

const signal = new AbortController().signal;

interface Session {
	ssl: boolean;
	user: string;
}

/** Who the server thinks we are, and whether it sees TLS. */
async function session(target: DatabaseTarget): Promise<Session> {
	const client = await connect(target, { signal });
	const { rows } = await client.query<Session>(
		'SELECT ssl, current_user::text AS user FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
	);
	await disconnect(client);
	return rows[0]!;
}

const folders: string[] = [];
async function certificates(): Promise<Certificates> {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'certificates-'));
	folders.push(folder);
	return await makeCertificates(folder);
}
afterAll(() => folders.forEach((folder) => fs.rmSync(folder, { recursive: true })));

describe.each(MAJORS)('a connection to PostgreSQL %i', (major) => {
	it('proves the password by SCRAM without TLS', async () => {
		const server = await sharedPostgres(major);
		expect(await session(server.target())).toEqual({ ssl: false, user: 'postgres' });
		const stored = await sql<{ method: string }>(
			server.target(),
			"SELECT left(rolpassword, 13) AS method FROM pg_authid WHERE rolname = 'postgres'",
		);
		expect(stored).toEqual([{ method: 'SCRAM-SHA-256' }]);
	});
});

describe('a connection says what went wrong when', () => {
	let target: DatabaseTarget;
	beforeAll(async () => {
		target = (await sharedPostgres(18)).target();
	});

	it('the password is wrong', async () => {
		const failure = connect({ ...target, password: 'wrong one' }, { signal });
		await expect(failure).rejects.toMatchObject({ code: 'wrong-credentials', hint: expect.any(String) });
		await expect(failure).rejects.not.toThrow('wrong one');
	});

	it('the password is missing, whatever the environment says', async () => {
		process.env.PGPASSWORD = target.password;
		try {
			await expect(connect({ ...target, password: undefined }, { signal })).rejects.toMatchObject({
				code: 'wrong-credentials',
			});
		} finally {
			delete process.env.PGPASSWORD;
		}
	});

	it('the database is missing', async () => {
		await expect(connect({ ...target, database: 'nowhere' }, { signal })).rejects.toMatchObject({
			code: 'database-not-found',
		});
	});

	it('nobody listens', async () => {
		await expect(connect({ ...target, port: await freePort() }, { signal })).rejects.toMatchObject({
			code: 'unreachable',
		});
	});

	it('the host has no address', async () => {
		await expect(connect({ ...target, host: 'host.invalid' }, { signal })).rejects.toMatchObject({
			code: 'unreachable',
		});
	});

	it('the server has no connection left', async () => {
		const own = await startPostgres(18, {
			settings: { max_connections: 4, superuser_reserved_connections: 0, max_wal_senders: 0 },
		});
		const clients = await Promise.all([1, 2, 3, 4].map(async () => await connect(own.target(), { signal })));
		await expect(connect(own.target(), { signal })).rejects.toMatchObject({
			code: 'unreachable',
			hint: expect.stringContaining('max_connections'),
		});
		await Promise.all(clients.map(disconnect));
		await own.stop();
	});

	it('it is refused a table', async () => {
		const name = `limited ${process.pid}`;
		await sql(target, `CREATE ROLE ${quoteName(name)} LOGIN PASSWORD 'x'`);
		const client = await connect({ ...target, user: name, password: 'x' }, { signal });
		await expect(client.query('SELECT * FROM pg_authid')).rejects.toMatchObject({ code: '42501' });
		await disconnect(client);
		await sql(target, `DROP ROLE ${quoteName(name)}`);
	});

	it('nobody answers, until the signal is aborted', async () => {
		const silent = net.createServer();
		const sockets: net.Socket[] = [];
		silent.on('connection', (socket) => sockets.push(socket));
		await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
		const { port } = silent.address() as net.AddressInfo;
		for (const tls of ['off', 'prefer', 'verify'] as TlsMode[]) {
			const controller = new AbortController();
			const failure = connect({ ...target, port, tls }, { signal: controller.signal });
			const [socket] = (await once(silent, 'connection')) as [net.Socket];
			const closed = once(socket.resume(), 'close');
			controller.abort();
			await expect(failure).rejects.toMatchObject({ code: 'cancelled' });
			await closed;
		}
		silent.close();
	});

	it('its signal is aborted while a query runs', async () => {
		const controller = new AbortController();
		const client = await connect(target, { signal: controller.signal });
		const query = client.query('SELECT pg_sleep(600)');
		controller.abort();
		await expect(query).rejects.toMatchObject({ code: 'cancelled' });
		await disconnect(client);
	});

	it('the connection stalls: disconnecting ends anyway', async () => {
		const proxy = await TcpProxy.start(target.port);
		const client = await connect({ ...target, port: proxy.port }, { signal });
		proxy.pause();
		await disconnect(client);
		await proxy.close();
	});
});

describe('TLS', () => {
	let server: OwnServer;
	let known: Certificates;
	let unknown: Certificates;
	beforeAll(async () => {
		[known, unknown] = await Promise.all([certificates(), certificates()]);
		server = await startPostgres(18, {
			tls: { cert: known.certPem, key: known.keyPem, required: true },
			settings: { listen_addresses: '127.0.0.1, 127.0.0.2' },
		});
	});
	afterAll(async () => await server.stop());

	const as = (more: Partial<DatabaseTarget>): DatabaseTarget => ({ ...server.target(), ...more });

	it.each(['127.0.0.1', 'localhost'])('is verified with an own authority for %s', async (host) => {
		expect(await session(as({ tls: 'verify', ca: known.caPem, host }))).toMatchObject({ ssl: true });
	});

	it.each(['encrypt', 'prefer'] as const)('is used without verification (%s)', async (tls) => {
		expect(await session(as({ tls }))).toMatchObject({ ssl: true });
	});

	it('is refused when nobody we trust vouches for the server', async () => {
		await expect(session(as({ tls: 'verify' }))).rejects.toMatchObject({ code: 'untrusted-certificate' });
		await expect(session(as({ tls: 'verify', ca: unknown.caPem }))).rejects.toMatchObject({
			code: 'untrusted-certificate',
		});
	});

	it('is refused when the certificate names another host', async () => {
		const elsewhere = as({ tls: 'verify', ca: known.caPem, host: '127.0.0.2' });
		await expect(session(elsewhere)).rejects.toMatchObject({ code: 'untrusted-certificate' });
		expect(await session({ ...elsewhere, tls: 'encrypt' })).toMatchObject({ ssl: true });
	});

	it('is demanded by the server: a connection without it is refused with a hint at TLS', async () => {
		await expect(session(as({ tls: 'off' }))).rejects.toMatchObject({
			code: 'wrong-credentials',
			hint: expect.stringContaining('TLS'),
		});
	});

	it('is not offered: "encrypt" fails, "prefer" goes on without', async () => {
		const plain = (await sharedPostgres(18)).target();
		await expect(session({ ...plain, tls: 'encrypt' })).rejects.toMatchObject({ code: 'unsupported' });
		expect(await session({ ...plain, tls: 'prefer' })).toMatchObject({ ssl: false });
	});
});

describe('an SSH tunnel', () => {
	let ssh: SshServer;
	let target: DatabaseTarget;
	beforeAll(async () => {
		ssh = await startSsh();
		target = (await sharedPostgres(18)).target();
	});
	afterAll(async () => await ssh.stop());

	it('reaches the database, and its connection ends with the session', async () => {
		expect(await session({ ...target, ssh: ssh.tunnel })).toMatchObject({ user: 'postgres' });
		while ((await ssh.sessions()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
	});

	it('carries TLS', async () => {
		const made = await certificates();
		const server = await startPostgres(18, { tls: { cert: made.certPem, key: made.keyPem, required: true } });
		const through = { ...server.target(), ssh: ssh.tunnel, tls: 'verify', ca: made.caPem } as const;
		expect(await session(through)).toMatchObject({ ssl: true });
		await server.stop();
	});

	it('ends at once when the signal is aborted', async () => {
		const controller = new AbortController();
		const client = await connect({ ...target, ssh: ssh.tunnel }, { signal: controller.signal });
		const query = client.query('SELECT pg_sleep(600)');
		controller.abort();
		await expect(query).rejects.toMatchObject({ code: 'cancelled' });
		await disconnect(client);
		while ((await ssh.sessions()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
	});

	const aboutSsh = (code: string) => ({ code, message: expect.stringMatching(/^SSH /), hint: expect.any(String) });

	it('says that the SSH server does not know the key', async () => {
		const other = await startSsh();
		const { privateKey, passphrase } = other.tunnel;
		await other.stop();
		const failure = openSocket({ ...target, ssh: { ...ssh.tunnel, privateKey, passphrase } }, { signal });
		await expect(failure).rejects.toMatchObject(aboutSsh('wrong-credentials'));
	});

	it('says that the SSH password is wrong', async () => {
		const { host, port, user } = ssh.tunnel;
		const failure = openSocket({ ...target, ssh: { host, port, user, password: 'wrong one' } }, { signal });
		await expect(failure).rejects.toMatchObject(aboutSsh('wrong-credentials'));
		await expect(failure).rejects.not.toThrow('wrong one');
	});

	it('says that the passphrase of the key is wrong', async () => {
		const failure = openSocket({ ...target, ssh: { ...ssh.tunnel, passphrase: 'wrong one' } }, { signal });
		await expect(failure).rejects.toMatchObject(aboutSsh('wrong-credentials'));
		await expect(failure).rejects.not.toThrow('wrong one');
	});

	it('says that the SSH server cannot be reached', async () => {
		const failure = openSocket({ ...target, ssh: { ...ssh.tunnel, port: await freePort() } }, { signal });
		await expect(failure).rejects.toMatchObject(aboutSsh('unreachable'));
	});

	it('says that the SSH server cannot reach the database', async () => {
		const failure = openSocket({ ...target, port: await freePort(), ssh: ssh.tunnel }, { signal });
		await expect(failure).rejects.toMatchObject(aboutSsh('unreachable'));
	});

	it('says that the SSH server does not forward', async () => {
		const strict = await startSsh({ allowForwarding: false });
		const failure = openSocket({ ...target, ssh: strict.tunnel }, { signal });
		await expect(failure).rejects.toMatchObject(aboutSsh('access-denied'));
		await strict.stop();
	});
});

describe('a password that others on the way could use', () => {
	it('is a warning of check, dump and restore, unless the server is this machine', async () => {
		const server = await startPostgres(13, { hba: 'md5' });
		// The same server under a name that nobody knows to be this machine.
		const lookup = jest.spyOn(dns, 'lookup').mockImplementation((...args: unknown[]) => {
			(args.at(-1) as (error: null, found: object) => void)(null, [{ address: '127.0.0.1', family: 4 }]);
		});
		try {
			const near = await server.createDatabase();
			await sql(near, 'CREATE TABLE here AS SELECT 1 AS i');
			const far = { ...near, host: 'db.example' };
			const says = /the password of postgres travels to db\.example:\d+ as an MD5 hash on an unencrypted connection/;

			const checked = await checkDatabase(far, DEFAULT_DUMP_OPTIONS, signal);
			expect(checked.findings[0]).toMatchObject({ ok: true, warning: true, message: expect.stringMatching(says) });
			expect((await checkDatabase(near, DEFAULT_DUMP_OPTIONS, signal)).findings[0]!.warning).toBeUndefined();

			const backup = await makeSmallBackup(far);
			const { warnings } = await backup.repository.readManifest(GROUP, backup.label);
			expect(warnings).toEqual([expect.stringMatching(says)]);
			const restored = await restoreDatabase({
				...{ repository: backup.repository, group: GROUP, label: backup.label, keys: backup.keys, signal },
				...{ server: far, into: { mode: 'new', database: 'again' }, rules: KEEP_ALL },
			});
			expect(restored.warnings).toEqual([expect.stringMatching(says)]);
		} finally {
			lookup.mockRestore();
			await server.stop();
		}
	});
});
