import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { builtinEngine } from '../../../../../core/sources/postgres/dump/engines/builtin/host';
import { StartupWatch } from '../../../../../core/sources/postgres/dump/engines/builtin/startup';
import { chooseEngine } from '../../../../../core/sources/postgres/dump/engines/choose';
import type { Engine } from '../../../../../core/sources/postgres/dump/engines/engine';
import { nativeEngine } from '../../../../../core/sources/postgres/dump/engines/native';
import type { DatabaseTarget } from '../../../../../core/sources/postgres/connection/target';
import { freePort } from '../../../../../scripts/lib/postgres.mjs';
import { type OwnServer, sql, startPostgres } from '../../../../support/postgres';
import { comparable } from '../../../../support/psql';
import { startSsh, type SshServer } from '../../../../support/ssh';
import { type Certificates, makeCertificates } from '../../../../support/tls';

let folder: string;
let known: Certificates;
let server: OwnServer;
let ssh: SshServer;
let target: DatabaseTarget;
beforeAll(async () => {
	folder = fs.mkdtempSync(path.join(os.tmpdir(), 'engines-'));
	fs.mkdirSync(path.join(folder, 'other'));
	known = await makeCertificates(folder);
	[server, ssh] = await Promise.all([
		startPostgres(15, {
			tls: { cert: known.certPem, key: known.keyPem, required: true },
			settings: { listen_addresses: '127.0.0.1, 127.0.0.2' },
		}),
		startSsh(),
	]);
	const database = await server.createDatabase();
	target = { ...server.target(database.database), tls: 'verify', ca: known.caPem, host: 'localhost' };
	await sql(target, 'CREATE TABLE rows AS SELECT i, repeat(md5(i::text), 4) AS t FROM generate_series(1, 100000) i');
});
afterAll(async () => {
	await Promise.all([server.stop(), ssh.stop()]);
	fs.rmSync(folder, { recursive: true });
});

const engines: Array<[string, Engine]> = [
	['built-in', builtinEngine()],
	['native', nativeEngine()],
];

describe.each(engines)('the %s engine', (_name, engine) => {
	async function dump(more: Partial<DatabaseTarget> = {}): Promise<string> {
		const request = { target: { ...target, ...more }, format: 'plain', filter: {}, lockTimeoutMs: 10_000 } as const;
		const { body, warnings } = await engine.start(request, { signal: new AbortController().signal });
		const text = (await buffer(body)).toString();
		expect(warnings).toEqual([]);
		return text;
	}

	it('dumps over TLS, verified or not, with SCRAM, and always the same', async () => {
		const verified = await dump();
		expect(verified.length).toBeGreaterThan(13_000_000);
		for (const tls of ['encrypt', 'prefer'] as const) {
			expect(comparable(await dump({ tls, ca: undefined }))).toBe(comparable(verified));
		}
	});

	it('dumps through an SSH tunnel, with TLS to the database inside', async () => {
		expect(comparable(await dump({ ssh: ssh.tunnel }))).toBe(comparable(await dump()));
		while ((await ssh.sessions()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
	});

	it('refuses a server that nobody we trust vouches for', async () => {
		const other = await makeCertificates(path.join(folder, 'other'));
		for (const ca of [undefined, other.caPem]) {
			await expect(dump({ ca })).rejects.toMatchObject({ code: 'untrusted-certificate' });
		}
	});

	it('refuses a server whose certificate names another host', async () => {
		await expect(dump({ host: '127.0.0.2' })).rejects.toMatchObject({ code: 'untrusted-certificate' });
	});

	it('says that the SSH server is the problem', async () => {
		const closed = { ...ssh.tunnel, port: await freePort() };
		await expect(dump({ ssh: closed })).rejects.toMatchObject({
			code: 'unreachable',
			message: expect.stringContaining('SSH'),
		});
		const { passphrase, ...open } = ssh.tunnel;
		const failure = dump({ ssh: { ...open, passphrase: `${passphrase}!` } });
		await expect(failure).rejects.toMatchObject({ code: 'wrong-credentials', message: expect.stringContaining('SSH') });
	});

	it('dumps from a server that wants MD5 passwords', async () => {
		const old = await startPostgres(13, { hba: 'md5' });
		const database = await old.createDatabase();
		await sql(database, 'CREATE TABLE here AS SELECT 1 AS i');
		const stored = await sql<{ method: string }>(
			database,
			"SELECT left(rolpassword, 3) AS method FROM pg_authid WHERE rolname = 'postgres'",
		);
		expect(stored).toEqual([{ method: 'md5' }]);
		expect(await dump({ ...database, ca: undefined })).toContain('COPY public.here');
		await old.stop();
	});
});

describe('the choice of an engine', () => {
	function fake(version: string): string {
		const file = path.join(folder, `pg_dump-${version}`);
		fs.writeFileSync(file, `#!/bin/sh\necho "pg_dump (PostgreSQL) ${version}"\n`, { mode: 0o755 });
		return file;
	}
	const missing = '/nowhere/pg_dump';

	it('is the built-in one for every server up to its own version', async () => {
		for (const server of [90224, 130023, 150018, 180004]) {
			expect((await chooseEngine('auto', server, { nativePath: missing })).name).toBe('builtin');
			expect((await chooseEngine('builtin', server)).name).toBe('builtin');
		}
	});

	it('is a native one that is new enough for a newer server', async () => {
		const engine = await chooseEngine('auto', 190001, { nativePath: fake('19.1') });
		expect(engine.name).toBe('native');
		expect(await engine.version()).toEqual({ major: 19, text: '19.1' });
	});

	it('is refused, naming every version found, when the server is newer than all of them', async () => {
		const refusal = (choice: 'auto' | 'builtin' | 'native', nativePath: string) =>
			chooseEngine(choice, 190001, { nativePath });
		const expected = (text: string) => ({ code: 'server-too-new', message: expect.stringContaining(text) });
		await expect(refusal('auto', fake('17.5'))).rejects.toMatchObject(
			expected('PostgreSQL 19.1, newer than every pg_dump found here: builtin pg_dump 18.3, native pg_dump 17.5'),
		);
		await expect(refusal('auto', missing)).rejects.toMatchObject(
			expected('builtin pg_dump 18.3, native pg_dump not found'),
		);
		await expect(refusal('builtin', fake('19.1'))).rejects.toMatchObject(expected('builtin pg_dump 18.3'));
		await expect(refusal('native', fake('18.9'))).rejects.toMatchObject(expected('native pg_dump 18.9'));
	});

	it('is refused when the native one is wanted and missing', async () => {
		await expect(chooseEngine('native', 150018, { nativePath: missing })).rejects.toMatchObject({
			code: 'engine-not-found',
		});
	});

	it('is refused for servers older than any maintained pg_dump can read', async () => {
		await expect(chooseEngine('auto', 90123)).rejects.toMatchObject({
			code: 'unsupported',
			message: expect.stringContaining('9.1.23'),
		});
	});
});

describe('the start of a session, as the built-in engine watches it', () => {
	const message = (type: string, body: string) => {
		const length = Buffer.alloc(4);
		length.writeUInt32BE(4 + Buffer.byteLength(body, 'latin1'));
		return Buffer.concat([Buffer.from(type), length, Buffer.from(body, 'latin1')]);
	};
	const offer = (names: string[]) => message('R', `\0\0\0\n${names.map((name) => `${name}\0`).join('')}\0`);
	const rest = [message('R', '\0\0\0\0'), message('S', 'a\0b\0'), message('K', '\0\0\0\x07abcd'), message('Z', 'I')];

	it('loses channel binding from the offered methods, and nothing else, however the bytes are cut', () => {
		const data = message('D', 'SCRAM-SHA-256-PLUS\0');
		const said = Buffer.concat([
			offer(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']),
			...rest,
			data,
			offer(['SCRAM-SHA-256-PLUS']),
		]);
		const heard = Buffer.concat([offer(['SCRAM-SHA-256']), ...rest, data, offer(['SCRAM-SHA-256-PLUS'])]);
		for (const step of [1, 2, 7, 50, said.length]) {
			const watch = new StartupWatch();
			const pieces: Buffer[] = [];
			for (let at = 0; at < said.length; at += step) pieces.push(watch.pass(said.subarray(at, at + step)));
			expect(Buffer.concat(pieces)).toEqual(heard);
			expect(watch.backendKey).toEqual(Buffer.from('\0\0\0\x07abcd', 'latin1'));
			expect(watch.refusal).toBeUndefined();
		}
	});

	it('shows why a server refuses, in whatever language it speaks', () => {
		const watch = new StartupWatch();
		const refusal = message('E', 'SFATAL\0VFATAL\0C28P01\0MPasswort-Authentifizierung fehlgeschlagen\0\0');
		expect(watch.pass(refusal)).toEqual(refusal);
		expect(watch.refusal).toBe('28P01');
	});

	it('lets pass what is not PostgreSQL', () => {
		const watch = new StartupWatch();
		expect(watch.pass(Buffer.from('HTTP/1.1 400 Bad Request\r\n')).toString()).toBe('HTTP/1.1 400 Bad Request\r\n');
	});
});
