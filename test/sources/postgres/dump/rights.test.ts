/** What Check says of a user's rights is what a dump meets. */
import { openFull, readSource } from '../../../support/database-verbs';
import { checkDatabase } from '../../../../core/sources/postgres/check';
import { DEFAULT_DUMP_OPTIONS, postgresSource } from '../../../../core/sources/postgres/dump/dump';
import type { DumpFilter } from '../../../../core/sources/postgres/dump/engines/engine';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { type PostgresServer, sharedPostgres, sql } from '../../../support/postgres';

const { signal } = new AbortController();
const READER = `check_reader_${process.pid}`;

let server: PostgresServer;
let target: DatabaseTarget;
let reader: DatabaseTarget;
beforeAll(async () => {
	server = await sharedPostgres(18);
	target = await server.createDatabase();
	reader = { ...target, user: READER, password: 'reader-password' };
	await sql(target, `CREATE ROLE ${READER} LOGIN PASSWORD 'reader-password'; CREATE TABLE item (id int)`);
});

async function privileges(filter: DumpFilter = {}, user = reader) {
	const { findings } = await checkDatabase(user, { ...DEFAULT_DUMP_OPTIONS, filter }, signal);
	return findings.find(({ check }) => check === 'privileges')!;
}

/** @returns the warnings of a dump; throws what it throws */
async function dump(user = reader) {
	const open = await openFull(postgresSource(user));
	try {
		return await readSource(open);
	} finally {
		await open.close();
	}
}

describe('Check finds, as a dump would,', () => {
	it('sequences and large objects that the user may not read, and says what helps', async () => {
		await sql(target, `GRANT SELECT ON item TO ${READER}; CREATE SEQUENCE counter; SELECT lo_from_bytea(4711, 'x')`);
		await expect(dump()).rejects.toMatchObject({ code: 'access-denied' });
		expect(await privileges()).toMatchObject({
			ok: false,
			code: 'access-denied',
			message:
				'1 sequences cannot be dumped: public.counter (no SELECT); 1 large objects cannot be dumped: 4711 (no SELECT)',
			hint: expect.stringMatching(/pg_read_all_data.*SELECT on each large object/),
		});
		// Which reads everything but large objects.
		await sql(target, `GRANT pg_read_all_data TO ${READER}`);
		await expect(dump()).rejects.toMatchObject({ code: 'access-denied' });
		expect(await privileges()).toMatchObject({
			ok: false,
			message: '1 large objects cannot be dumped: 4711 (no SELECT)',
			hint: expect.not.stringContaining('pg_read_all_data'),
		});
		expect(await privileges({ schemas: ['public'] })).toMatchObject({ ok: true });
		await sql(target, `GRANT SELECT ON LARGE OBJECT 4711 TO ${READER}`);
		expect(await privileges()).toMatchObject({ ok: true, message: '1 table can be read' });
		expect((await dump()).warnings).toEqual([]);
	}, 60_000);

	it('row security, for which BYPASSRLS helps', async () => {
		await sql(target, 'CREATE TABLE hidden (id int); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY');
		expect(await privileges()).toMatchObject({
			ok: false,
			message: '1 of 2 tables cannot be dumped: public.hidden (row security hides rows)',
			hint: expect.stringMatching(/^Grant the user the attribute BYPASSRLS;/),
		});
		await sql(target, `ALTER ROLE ${READER} BYPASSRLS`);
		expect(await privileges()).toMatchObject({ ok: true });
	});

	it('a user or a database that may have one connection only', async () => {
		const connection = async () => (await checkDatabase(reader, DEFAULT_DUMP_OPTIONS, signal)).findings[0]!;
		await sql(target, `ALTER ROLE ${READER} CONNECTION LIMIT 1`);
		expect(await connection()).toMatchObject({ ok: false, message: expect.stringContaining('the user may have one') });
		await sql(target, `ALTER ROLE ${READER} CONNECTION LIMIT 2`);
		await sql(server.target(), `ALTER DATABASE "${target.database}" CONNECTION LIMIT 1`);
		expect(await connection()).toMatchObject({ ok: false, message: expect.stringContaining('the database may have') });
		await sql(server.target(), `ALTER DATABASE "${target.database}" CONNECTION LIMIT -1`);
		expect(await connection()).toMatchObject({ ok: true });
		await dump();
	}, 60_000);

	it('user mappings whose passwords only a superuser may read, which the dump lacks', async () => {
		await sql(
			target,
			`CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
			CREATE USER MAPPING FOR ${server.superuser} SERVER far OPTIONS (user 'me', password 'secret')`,
		);
		const words = /1 user mapping of foreign servers will be restored without user and password/;
		expect(await privileges()).toMatchObject({ ok: true, warning: true, message: expect.stringMatching(words) });
		expect((await dump()).warnings).toEqual([expect.stringMatching(words)]);
		expect((await privileges({}, target)).message).not.toMatch(words);
	}, 60_000);
});

it('the server’s first superuser is needed for a restore where a schema, function or type belongs to him, and no extension', async () => {
	const mine = await server.createDatabase();
	await sql(server.target(), `ALTER DATABASE "${mine.database}" OWNER TO ${READER}`);
	const owners = async () => (await dump(mine)).contents.owners;
	await sql(mine, 'CREATE EXTENSION hstore; CREATE EXTENSION ltree');
	expect(await owners()).toEqual([]);
	for (const [what, statement] of [
		['SCHEMA s', 'CREATE SCHEMA s'],
		['FUNCTION f', "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
		['TYPE t', 'CREATE TYPE t AS (a int)'],
		['DOMAIN d', 'CREATE DOMAIN d AS int'],
	]) {
		await sql(mine, statement!);
		expect(await owners()).toEqual([server.superuser]);
		await sql(mine, `DROP ${what}`);
	}
}, 120_000);
