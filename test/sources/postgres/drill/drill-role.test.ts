/** Whom a drill on a server works as: nobody who could do more than make and fill one database. */
import type { DrillChange } from '../../../support/database-verbs';
import fs from 'node:fs';
import path from 'node:path';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { verifyBackup } from '../../../../core/verbs/verify/verify';
import { type VerifyResult } from '../../../../core/verbs/verify/types';
import { type OwnServer, sharedPostgres, sql, startPostgres } from '../../../support/postgres';
import { makeSmallBackup, remake, requestFor, type SmallBackup } from '../../../support/small-backup';

let server: OwnServer;
let folder: string;
let backup: SmallBackup;
beforeAll(async () => {
	server = await startPostgres(17);
	const [row] = await sql<{ folder: string }>(server.target(), "SELECT current_setting('data_directory') AS folder");
	({ folder } = row!);
	const source = await server.createDatabase('shop');
	await sql(
		source,
		`CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE EXTENSION postgres_fdw; CREATE EXTENSION tablefunc;
		 CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
		 CREATE FOREIGN TABLE there (a int) SERVER far;
		 CREATE TABLE t (id int PRIMARY KEY, tags ext.hstore CHECK (ext.exist(tags, 'a')));
		 INSERT INTO t SELECT i, 'a=>1' FROM generate_series(1, 20) i;
		 ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
		 CREATE PUBLICATION everything FOR ALL TABLES;
		 CREATE OPERATOR CLASS backwards FOR TYPE int USING btree AS OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =,
			OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 btint4cmp(int, int);
		 COMMENT ON OPERATOR CLASS backwards USING btree IS 'only a superuser makes one';
		 CREATE POLICY few ON t USING (id < 5)`,
	);
	backup = await makeSmallBackup(source);
}, 120_000);
afterAll(async () => await server.stop());

async function verify(
	of: SmallBackup,
	target: DatabaseTarget,
	change: DrillChange = {},
	asSuperuser = false,
): Promise<VerifyResult> {
	return await verifyBackup(
		requestFor(of, 'restored', { scratch: { kind: 'server', target, asSuperuser }, ...change }),
	);
}

/** Databases and roles of drills. */
async function leftovers(): Promise<string[]> {
	const rows = await sql<{ name: string }>(
		server.target(),
		`SELECT datname AS name FROM pg_database WHERE datname LIKE 'n8n%' UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'n8n%'`,
	);
	return rows.map(({ name }) => name);
}

/** A dump with a constraint that calls a function of its own, as who may write to one schema of the source can make it. */
async function withFunction(body: string): Promise<SmallBackup> {
	const attack = `CREATE FUNCTION public.attack() RETURNS boolean LANGUAGE plpgsql AS $attack$ BEGIN ${body}
		EXCEPTION WHEN OTHERS THEN RETURN true; END $attack$;\n\nALTER TABLE public.t ADD CHECK (public.attack());\n\n`;
	return await remake(backup, { dump: backup.dump.replace('COPY public.t ', (copy) => attack + copy) });
}

describe('a drill whose user is a superuser', () => {
	it('works as a role of its own, restores extensions and secured rows, and leaves neither database nor role', async () => {
		const result = await verify(backup, server.target(), {
			assertions: [
				{
					name: 'a plain role',
					sql: 'SELECT NOT rolsuper AND NOT rolcreaterole FROM pg_roles WHERE rolname = session_user',
				},
			],
		});
		expect(result).toMatchObject({ outcome: 'ok', comparison: { figures: { rows: 20 } } });
		expect(await leftovers()).toEqual([]);
	});

	it('restores one of nearly every kind of object without being a superuser', async () => {
		const kinds = await makeSmallBackup(
			await (await sharedPostgres(15)).createDatabase(undefined, { load: 'many-kinds' }),
		);
		expect(await verify(kinds, server.target())).toMatchObject({ outcome: 'ok' });
	});

	it('gives functions of the dump no way out of the database, unless it is allowed to be one', async () => {
		const file = path.join(folder, 'attacked');
		const dump = await withFunction(
			`PERFORM set_config('role', '${server.superuser}', false); EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch ${file}'''; RETURN true;`,
		);
		expect(await verify(dump, server.target())).toMatchObject({ outcome: 'ok' });
		expect(fs.existsSync(file)).toBe(false);
		expect(await verify(dump, server.target(), {}, true)).toMatchObject({ outcome: 'ok' });
		expect(fs.existsSync(file)).toBe(true);
	});

	it('makes extensions for the dump only while nothing of it can run', async () => {
		const late = 'CREATE EXTENSION IF NOT EXISTS pageinspect WITH SCHEMA public;\n\n';
		const result = await verify(
			await remake(backup, { dump: backup.dump.replace('COPY public.t ', (copy) => late + copy) }),
			server.target(),
		);
		expect(result).toMatchObject({
			outcome: 'environment',
			evidence: null,
			hint: expect.stringContaining('allow "superuser"'),
		});
		expect(await leftovers()).toEqual([]);
	});

	it('refuses statements that no dump needs, which says nothing about the backup', async () => {
		const dump = await remake(backup, { dump: `ALTER SYSTEM SET work_mem = '1MB';\n${backup.dump}` });
		const result = await verify(dump, server.target());
		expect(result).toMatchObject({ outcome: 'environment', code: 'refused-statement', evidence: null });
		expect(result.hint).toContain('allow "server"');
	});

	it('drops roles that a killed drill left, of exactly our form', async () => {
		const [old, other] = ['n8n_backup_drill_20200101000000_abcd2345', 'n8n_backup_drill_20200101000000_abcd234'];
		await sql(server.target(), `CREATE ROLE ${old}; CREATE ROLE ${other}`);
		await sql(server.target(), `CREATE DATABASE ${old} OWNER ${old}`);
		await verify(backup, server.target());
		expect(await leftovers()).toEqual([other]);
		await sql(server.target(), `DROP ROLE ${other}`);
	});

	it('is refused where new roles cannot log in, unless that is allowed by name', async () => {
		const rules = path.join(folder, 'pg_hba.conf');
		const before = fs.readFileSync(rules, 'utf8');
		fs.writeFileSync(rules, `host all ${server.superuser} all scram-sha-256\nhost all all all reject\n`);
		await sql(server.target(), 'SELECT pg_reload_conf()');
		try {
			const result = await verify(backup, server.target());
			expect(result).toMatchObject({ outcome: 'environment', code: 'missing-requirements', evidence: null });
			expect(result.hint).toContain('allow "superuser"');
			expect(await leftovers()).toEqual([]);
			expect(await verify(backup, server.target(), {}, true)).toMatchObject({ outcome: 'ok' });
		} finally {
			fs.writeFileSync(rules, before);
			await sql(server.target(), 'SELECT pg_reload_conf()');
		}
	});
});

describe('a drill whose user is no superuser', () => {
	it('works as that user, or as a role of its own where it can make one', async () => {
		await sql(server.target(), "CREATE ROLE plain LOGIN CREATEDB PASSWORD 'x'");
		await sql(server.target(), "CREATE ROLE maker LOGIN CREATEDB CREATEROLE PASSWORD 'x'");
		const source = await server.createDatabase('small');
		await sql(source, 'CREATE TABLE a AS SELECT 1 AS i');
		const small = await makeSmallBackup(source);
		for (const user of ['plain', 'maker']) {
			const name = `session_user ${user === 'plain' ? '=' : '<>'} '${user}'`;
			const assertions = [{ name, sql: `SELECT ${name}` }];
			const result = await verify(small, { ...server.target(), user, password: 'x' }, { assertions });
			expect(result).toMatchObject({ outcome: 'ok' });
			expect(await leftovers()).toEqual([]);
		}
	});
});
