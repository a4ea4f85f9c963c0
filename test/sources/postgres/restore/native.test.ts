import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertNativeRestore } from '../../../../core/sources/postgres/restore/native';
import { KEEP_ALL } from '../../../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { Repository } from '../../../../core/records/repository';
import { restoreDatabase } from '../../../support/database-verbs';
import type { DatabaseRestoreRequest } from '../../../support/database-verbs';
import { type MadeBackup, makeBackup } from '../../../support/backups';
import { definitionOf, rowsOf } from '../../../support/by-hand';
import { FaultyStorage } from '../../../support/faulty-storage';
import { type PostgresServer, quoteName, sharedPostgres, sql } from '../../../support/postgres';
import { commandLines } from '../../../support/processes';

// Debian's own programs are of version 15, which reads its own archives, but none of version 17 and later.
let server: PostgresServer;
let source: DatabaseTarget;
let backup: MadeBackup;
let folder: string;
let names = 0;
const made: string[] = [];
const role = `native_${process.pid}`;

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), 'native-restore-'));
	server = await sharedPostgres(15);
	source = await server.createDatabase();
	await sql(
		source,
		`CREATE ROLE ${role}; CREATE TABLE t AS SELECT i AS id, repeat(md5(i::text), 20) AS v FROM generate_series(1, 5000) i;
		ALTER TABLE t OWNER TO ${role}; GRANT SELECT ON t TO PUBLIC; ALTER TABLE t ADD PRIMARY KEY (id); SELECT lo_from_bytea(0, 'x')`,
	);
	backup = await makeBackup(source, { format: 'custom', engine: 'native', contentHash: true });
}, 120_000);
afterAll(async () => {
	for (const name of [...made, source.database]) {
		await sql(server.target(), `DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
	}
	await sql(server.target(), `DROP ROLE ${role}`);
	rmSync(folder, { recursive: true, force: true });
});

function request(change: Partial<DatabaseRestoreRequest> = {}): DatabaseRestoreRequest {
	const database = `nat'ive =${process.pid}_${++names}`;
	made.push(database);
	const { repository, group, label } = backup;
	const signal = new AbortController().signal;
	const into = { mode: 'new' as const, database };
	return { repository, group, label, keys: null, server: server.target(), into, rules: KEEP_ALL, signal, ...change };
}
const leftovers = async () =>
	await sql(server.target(), "SELECT datname FROM pg_database WHERE datname ~ '^nat.*_restoring_'");

/** A pg_restore that finds no statement in a dump, and does what a test wants. */
function program(script: string): string {
	const file = join(folder, `pg_restore-${++names}`);
	writeFileSync(
		file,
		`#!/bin/sh\n[ "$1" = --version ] && { echo 'pg_restore (PostgreSQL) 18.1'; exit; }\n[ "$1" = --file=- ] && { cat > /dev/null; exit; }\n${script}\n`,
	);
	chmodSync(file, 0o755);
	return file;
}

describe('a backup in custom format', () => {
	it('is restored through pg_restore, as it was', async () => {
		const job = request();
		const { comparison } = await restoreDatabase(job);
		expect(comparison).toMatchObject({ ok: true, figures: { tables: 1, rows: 5000, hashed: 1, largeObjects: 1 } });
		expect(await definitionOf(server.target(job.into.database))).toBe(await definitionOf(source));
		expect(await rowsOf(server.target(job.into.database))).toEqual(await rowsOf(source));
	}, 60_000);

	it('comes without owners and privileges when they are dropped', async () => {
		const job = request({ rules: { owners: 'drop', privileges: 'drop' } });
		await restoreDatabase(job);
		expect(
			await sql(
				server.target(job.into.database),
				"SELECT relacl, relowner::regrole::text AS owner FROM pg_class WHERE relname = 't'",
			),
		).toEqual([{ relacl: null, owner: expect.stringContaining(server.superuser) }]);
	}, 60_000);

	it('says what is missing when there is no pg_restore, before anything is made', async () => {
		await expect(restoreDatabase(request({ nativePath: '/nowhere/pg_restore' }))).rejects.toMatchObject({
			code: 'engine-not-found',
			message: expect.stringContaining('/nowhere/pg_restore'),
		});
		await expect(restoreDatabase(request({ nativePath: 'psql' }))).rejects.toMatchObject({ code: 'engine-not-found' });
	});

	it('says which version it needs when pg_restore is too old', async () => {
		const newer = await makeBackup(source, { format: 'custom', engine: 'builtin' });
		const { repository, group, label } = newer;
		await expect(restoreDatabase(request({ repository, group, label }))).rejects.toMatchObject({
			code: 'unsupported',
			message: expect.stringMatching(/: pg_restore 15\.\S+ is too old: a dump of pg_dump 18 in custom format needs 17/),
		});
	}, 60_000);

	it('is not restored in part or with other roles', async () => {
		for (const rules of [
			{ ...KEEP_ALL, only: { tables: ['t'] } },
			{ ...KEEP_ALL, roles: { [role]: 'other' } },
		]) {
			await expect(restoreDatabase(request({ rules, allowMissingExtensions: true }))).rejects.toMatchObject({
				code: 'unsupported',
			});
		}
	});

	it('must begin as one', async () => {
		await expect(assertNativeRestore('pg_restore', KEEP_ALL, Buffer.from('-- SQL --'))).rejects.toMatchObject({
			code: 'damaged',
		});
	});

	it('leaves nothing behind when the server refuses a statement, and says which', async () => {
		const lacking = await makeBackup(source, {
			format: 'custom',
			engine: 'native',
			changeContents: (contents) => ({ ...contents, roles: [], owners: [] }),
		});
		const nobody = await server.createDatabase();
		await sql(nobody, `CREATE ROLE ${role}_gone; CREATE TABLE t (id int); ALTER TABLE t OWNER TO ${role}_gone`);
		const { repository, group, label } = await makeBackup(nobody, {
			storage: lacking.storage,
			format: 'custom',
			engine: 'native',
			group: 'g',
			changeContents: (contents) => ({ ...contents, roles: [], owners: [] }),
		});
		await sql(server.target(), `DROP DATABASE ${quoteName(nobody.database)}`);
		await sql(server.target(), `DROP ROLE ${role}_gone`);
		await expect(restoreDatabase(request({ repository, group, label }))).rejects.toMatchObject({
			code: 'restore-failed',
			message: expect.stringContaining(`role "${role}_gone" does not exist`),
		});
		expect(await leftovers()).toEqual([]);
	}, 60_000);

	it('is not restored when it holds a statement that nobody has allowed, in whatever place', async () => {
		const legacy = await server.createDatabase();
		await sql(
			legacy,
			`CREATE TABLE t (id int); CREATE FUNCTION old(text) RETURNS text LANGUAGE internal STRICT AS 'textin'`,
		);
		const { repository, group, label } = await makeBackup(legacy, { format: 'custom', engine: 'native' });
		await expect(restoreDatabase(request({ repository, group, label }))).rejects.toMatchObject({
			code: 'refused-statement',
			details: { allowance: 'c-functions' },
		});
		expect(await leftovers()).toEqual([]);
		const job = request({ repository, group, label, rules: { ...KEEP_ALL, allow: ['c-functions'] } });
		expect(await restoreDatabase(job)).toMatchObject({ comparison: { ok: true } });
	}, 60_000);

	it('is damaged when its bytes are, whatever pg_restore makes of them', async () => {
		const storage = new FaultyStorage(backup.storage, [
			{ on: 'read', key: /dump/, nth: 2, after: 30_000, then: { fail: new Error('the disk is broken') } },
		]);
		const repository = await Repository.open(storage);
		await expect(restoreDatabase(request({ repository }))).rejects.toMatchObject({
			message: expect.stringContaining('the disk is broken'),
		});
		expect(await leftovers()).toEqual([]);
	}, 60_000);

	it('leaves no program and no database behind when it was given up', async () => {
		// A duration that nobody else sleeps for.
		const duration = `100.${process.pid}`;
		const marker = program(`exec sleep ${duration}`);
		const stop = new AbortController();
		const job = request({ nativePath: marker, signal: stop.signal });
		const restoring = restoreDatabase(job);
		const running = () => commandLines().some((line) => line.startsWith(`sleep\0${duration}\0`));
		while (!running()) await new Promise(setImmediate);
		stop.abort();
		await expect(restoring).rejects.toMatchObject({ code: 'cancelled' });
		expect(await leftovers()).toEqual([]);
		expect(running()).toBe(false);
	}, 60_000);

	it('is not restored by a program that read nothing and says that all is well', async () => {
		await expect(restoreDatabase(request({ nativePath: program('exit 0') }))).rejects.toMatchObject({
			code: 'incomplete',
		});
		expect(await leftovers()).toEqual([]);
	}, 60_000);

	it('hands the password to pg_restore through its environment only', async () => {
		const said = join(folder, 'said');
		const tell = program(
			`echo "$@" > '${said}'; echo "$PGPASSWORD" >> '${said}'; cat > /dev/null; echo "bad $PGPASSWORD" >&2; exit 1`,
		);
		const error = (await restoreDatabase(request({ nativePath: tell })).catch((thrown: unknown) => thrown)) as Error;
		expect(error.message).toContain('bad ***');
		const [args, password] = readFileSync(said, 'utf8').split('\n');
		expect(password).toBe(server.password);
		expect(args).not.toContain(server.password);
		expect(args).toContain('--exit-on-error');
	}, 60_000);
});
