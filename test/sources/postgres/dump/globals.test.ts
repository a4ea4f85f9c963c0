import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { connect, disconnect } from '../../../../core/sources/postgres/connection/connection';
import { queryOf } from '../../../../core/sources/postgres/connection/query';
import { executeGlobals, type GlobalsChoice, readGlobals } from '../../../../core/sources/postgres/dump/globals';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { MAJORS, type OwnServer, sql, startPostgres } from '../../../support/postgres';

const signal = new AbortController().signal;
const servers = new Map<number, OwnServer>();

beforeAll(async () => {
	for (const major of MAJORS) servers.set(major, await startPostgres(major));
	await sql(
		servers.get(18)!.target(),
		`CREATE ROLE plain;
		CREATE ROLE "Odd ""na'me\\" LOGIN PASSWORD 'hunter2' CONNECTION LIMIT 3 VALID UNTIL '2031-01-02 03:04:05+00' CREATEDB;
		COMMENT ON ROLE plain IS 'it''s 100 % plain';
		ALTER ROLE plain SET search_path TO "$user", 'my schema', public;
		ALTER ROLE plain SET work_mem TO '7MB';
		ALTER ROLE plain SET role TO 'everything';
		ALTER ROLE plain SET my_app.level TO 'a=b';
		CREATE ROLE everything SUPERUSER CREATEROLE REPLICATION BYPASSRLS NOINHERIT;
		GRANT plain TO "Odd ""na'me\\" WITH ADMIN OPTION;
		GRANT pg_monitor TO plain;
		GRANT everything TO plain WITH INHERIT FALSE, SET TRUE`,
	);
}, 120_000);
afterAll(async () => {
	for (const server of servers.values()) await server.stop();
});

async function read(choice: GlobalsChoice, target = servers.get(18)!.target()): Promise<string> {
	const client = await connect(target, { signal });
	try {
		return await readGlobals(queryOf(client), 180000, choice);
	} finally {
		await disconnect(client);
	}
}

async function execute(target: DatabaseTarget, text: string): Promise<string[]> {
	const client = await connect(target, { signal });
	try {
		return await executeGlobals(client, text, target);
	} finally {
		await disconnect(client);
	}
}

const rolesOf = async (target: DatabaseTarget) => ({
	roles: await sql(
		target,
		`SELECT r.*, NULL AS oid, NULL AS rolpassword, shobj_description(r.oid, 'pg_authid') AS comment FROM pg_roles r
		 WHERE rolname IN ('plain', 'everything') OR rolname LIKE 'Odd%' ORDER BY rolname`,
	),
	members: await sql(
		target,
		`SELECT r.rolname AS role, m.rolname AS member, a.admin_option FROM pg_auth_members a
		 JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member WHERE m.rolname !~ '^pg_' ORDER BY 1, 2`,
	),
});

describe('the roles of a server', () => {
	it('come back on another server as they were, with settings, comments and memberships', async () => {
		const target = servers.get(17)!.target();
		expect(await execute(target, await read('roles'))).toEqual([
			'of the restored roles, these became superusers: everything',
			'the restored memberships give somebody all rights on the server, through everything',
		]);
		expect(await rolesOf(target)).toEqual(await rolesOf(servers.get(18)!.target()));
		expect(await sql(target, `SELECT count(*)::int AS n FROM pg_authid WHERE rolpassword IS NOT NULL`)).toEqual([
			{ n: 1 }, // of the server's own superuser
		]);
	});

	it('are refused when the text holds anything that this program does not write, and nothing of it is executed', async () => {
		const target = servers.get(15)!.target();
		const text = await read('roles');
		const role = (of: string, more = '') =>
			`DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ''forged'') THEN CREATE ROLE ${of};${more} END IF; END';`;
		const setting = (of: string) =>
			` BEGIN PERFORM pg_catalog.set_config(''work_mem'', ''1MB'', true); ALTER ROLE ${of} SET work_mem FROM CURRENT;` +
			` EXCEPTION WHEN OTHERS THEN RAISE WARNING ''x: %'', SQLERRM; END;`;
		for (const forged of [
			`ALTER SYSTEM SET archive_command = 'id';`,
			`COPY (SELECT 1) TO PROGRAM 'id';`,
			`DROP ROLE ${servers.get(15)!.superuser};`,
			`DO 'BEGIN EXECUTE ''DROP DATABASE x''; END';`,
			`DO LANGUAGE plpython3u 'x';`,
			role('other'),
			role('forged', setting(servers.get(15)!.superuser)),
			role('forged', ' ALTER ROLE forged SUPERUSER;'),
			role('forged', ` PERFORM lo_import(''/etc/passwd'');`),
			`DO 'BEGIN GRANT a TO b; PERFORM f(); EXCEPTION WHEN undefined_object THEN RAISE WARNING ''x'', SQLERRM; END';`,
			'\\! id',
		]) {
			await expect(execute(target, `${text}${forged}\n`)).rejects.toMatchObject({
				code: expect.stringMatching(/damaged|unsupported/),
			});
		}
		expect(await sql(target, `SELECT FROM pg_roles WHERE rolname IN ('plain', 'forged', 'other')`)).toEqual([]);
		expect(await execute(target, role('forged', setting('forged')))).toEqual([]);
		await sql(target, 'DROP ROLE forged');
		const loading = setting('forged').replaceAll('work_mem', 'session_preload_libraries');
		expect(await execute(target, role('forged', loading))).toEqual([
			'settings of restored roles load code into their sessions: session_preload_libraries',
		]);
		await sql(target, 'DROP ROLE forged');
	});

	it('stay as they are when they exist: executing it again changes nothing', async () => {
		const target = servers.get(17)!.target();
		await execute(target, await read('roles'));
		await sql(target, 'ALTER ROLE plain CONNECTION LIMIT 9');
		await execute(target, await read('roles'));
		expect(await sql(target, `SELECT rolconnlimit AS n FROM pg_roles WHERE rolname = 'plain'`)).toEqual([{ n: 9 }]);
		await sql(target, 'ALTER ROLE plain CONNECTION LIMIT -1');
	});

	it('are restored by psql alone', async () => {
		const server = servers.get(15)!;
		const text = (await read('roles')).replace(/^.*INHERIT FALSE.*\n/gim, ''); // no such option before 16
		const psql = promisify(execFile)('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'postgres'], {
			env: {
				PATH: process.env.PATH,
				PGHOST: server.host,
				PGPORT: String(server.port),
				PGUSER: server.superuser,
				PGPASSWORD: server.password,
			},
		});
		psql.child.stdin!.end(text);
		expect((await psql).stderr).toBe('');
		const { roles } = await rolesOf(server.target());
		expect(roles).toHaveLength(3);
	});

	it('hold no password unless it was allowed', async () => {
		expect(await read('roles')).not.toContain('SCRAM-SHA-256');
		const text = await read('passwords');
		expect(text).toContain('SCRAM-SHA-256');
		expect(text).not.toContain('hunter2');
		const target = servers.get(13)!.target();
		await execute(target, text.replace(/^.*INHERIT FALSE.*\n/gim, ''));
		const name = `Odd "na'me\\`;
		expect(await sql({ ...target, user: name, password: 'hunter2' }, 'SELECT current_user AS me')).toEqual([
			{ me: name },
		]);
	});

	it('can be read by everybody, their passwords only by a superuser', async () => {
		const target = { ...servers.get(18)!.target(), user: `Odd "na'me\\`, password: 'hunter2' };
		expect(await read('roles', target)).toContain('CREATE ROLE plain');
		await expect(read('passwords', target)).rejects.toMatchObject({ code: '42501' });
	});

	it('are made all or not at all', async () => {
		const target = servers.get(15)!.target();
		const made = `DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ''first'') THEN CREATE ROLE first; END IF; END';`;
		const refused = `DO 'BEGIN GRANT first TO first; EXCEPTION WHEN undefined_object THEN RAISE WARNING ''%'', SQLERRM; END';`;
		await expect(execute(target, `${made}\n${refused}`)).rejects.toMatchObject({ code: '0LP01' });
		expect(await sql(target, `SELECT FROM pg_roles WHERE rolname = 'first'`)).toEqual([]);
	});
});
