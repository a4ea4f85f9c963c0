/** Which statements of a dump are executed only when somebody allows them by name. */
import { Readable } from 'node:stream';
import { type Allowance, ALLOWANCES } from '../../../../core/sources/postgres/replay/allowances';
import { needsAllowance } from '../../../../core/sources/postgres/replay/refusals';
import { replay } from '../../../../core/sources/postgres/replay/replay';
import { KEEP_ALL } from '../../../../core/sources/postgres/replay/rewrite';
import { sharedPostgres, sql } from '../../../support/postgres';

const dialect = { serverMajor: 17, encoding: 'UTF8', standardStrings: true };
const needed = (text: string) => needsAllowance({ pieces: [Buffer.from(text)], dialect });

const REFUSED: Record<Allowance, string[]> = {
	'programs-and-files': [
		`COPY public.t FROM PROGRAM 'id';`,
		`COPY public.t (a, "b)") TO PROGRAM 'id';`,
		`COPY (SELECT 1) TO '/tmp/x';`,
		`COPY t FROM '/etc/passwd';`,
		`copy/* */t from program $$id$$;`,
		`SELECT pg_catalog.lo_export(1, '/tmp/x');`,
		`SELECT lo_import('/etc/passwd');`,
		`CREATE TABLE t (a text CHECK (pg_catalog.pg_read_file('/x') = a));`,
		`CREATE MATERIALIZED VIEW v AS SELECT "lo_export"(1, '/x') WITH NO DATA;`,
		`CREATE INDEX i ON t USING btree (PG_READ_FILE(a));`,
		`ALTER TABLE t ADD CONSTRAINT c CHECK (lo_import('/x') > 0);`,
		`CREATE FOREIGN TABLE t (a int) SERVER s OPTIONS (program 'id');`,
		`CREATE FOREIGN TABLE t (a int) SERVER s OPTIONS ("filename" '/x');`,
		`ALTER FOREIGN TABLE t OPTIONS (ADD program 'id');`,
	],
	'c-functions': [
		`CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'lib', 'f';`,
		`CREATE FUNCTION f() RETURNS int AS '/tmp/x.so' LANGUAGE C;`,
		`CREATE OR REPLACE FUNCTION f() RETURNS int AS 'a LANGUAGE sql' LANGUAGE 'c';`,
		`CREATE FUNCTION f(language sql) RETURNS int LANGUAGE "c" AS 'x';`,
		`CREATE PROCEDURE f() LANGUAGE internal AS 'x';`,
		`LOAD '/tmp/x.so';`,
	],
	'untrusted-languages': [
		`CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS 'x';`,
		`CREATE FUNCTION f() RETURNS language LANGUAGE plperlu AS 'x';`,
		`CREATE OR REPLACE PROCEDURAL LANGUAGE plperl;`,
		`CREATE TRUSTED LANGUAGE x HANDLER y;`,
	],
	roles: [
		`CREATE ROLE evil SUPERUSER;`,
		`CREATE USER evil;`,
		`ALTER USER postgres PASSWORD 'x';`,
		`ALTER GROUP g ADD USER evil;`,
		`DROP ROLE IF EXISTS a;`,
		`DROP OWNED BY a;`,
		`REASSIGN OWNED BY a TO b;`,
		`GRANT postgres TO evil;`,
		`GRANT "on" TO evil WITH ADMIN OPTION;`,
		`REVOKE postgres FROM x;`,
		`COMMENT ON ROLE a IS 'x';`,
		`SET ROLE postgres;`,
		`RESET ROLE;`,
	],
	server: [
		`ALTER SYSTEM SET archive_command = 'id';`,
		`ALTER DATABASE shop SET x = 1;`,
		`CREATE DATABASE x;`,
		`DROP DATABASE shop;`,
		`CREATE TABLESPACE t LOCATION '/x';`,
		`COMMENT ON DATABASE shop IS 'x';`,
		`GRANT ALL ON DATABASE shop TO evil;`,
		`GRANT ALTER SYSTEM ON PARAMETER x TO evil;`,
	],
	'code-blocks': [`DO $$BEGIN END$$;`, `DO LANGUAGE plpython3u 'x';`],
	'other-statements': [
		`SELECT pg_catalog.pg_sleep(60);`,
		`SELECT pg_catalog.setval('s', lo_creat(1), true);`,
		`SELECT pg_catalog.set_config('role', 'x', false);`,
		`SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);`,
		`SELECT 1 INTO x;`,
		`SET session_replication_role = replica;`,
		`SET standard_conforming_strings = t;`,
		`SET LOCAL client_encoding = 'UTF8';`,
		`INSERT INTO t SELECT * FROM x;`,
		`INSERT INTO t VALUES (1, f(2));`,
		`INSERT INTO t VALUES (1) RETURNING f(1);`,
		`INSERT INTO t WITH x AS (SELECT f()) VALUES (1);`,
		`COPY t FROM stdin WHERE f(a);`,
		`CREATE TABLE t AS SELECT f();`,
		`CREATE TEMPORARY TABLE t (a int);`,
		`CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p;`,
		`CREATE SUBSCRIPTION s CONNECTION 'connect = false' PUBLICATION p WITH (connect = true);`,
		`ALTER SUBSCRIPTION s ENABLE;`,
		`ALTER EXTENSION x ADD FUNCTION f();`,
		`DROP TABLE t;`,
		`DELETE FROM t;`,
		`CALL p();`,
		`EXPLAIN ANALYZE SELECT f();`,
		`VACUUM;`,
		`BEGIN ISOLATION LEVEL SERIALIZABLE;`,
		`ROLLBACK;`,
	],
};

const NEEDED_BY_DUMPS = [
	`CREATE FUNCTION public.f(language text) RETURNS public.language LANGUAGE sql AS $$SELECT 'LANGUAGE c'$$;`,
	`CREATE FUNCTION f() RETURNS TABLE(a int) LANGUAGE plpgsql AS $$BEGIN EXECUTE 'COPY t TO PROGRAM'; END$$;`,
	`CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT language c FROM t; END;`,
	`CREATE VIEW v AS SELECT pg_read_file('x');`,
	`GRANT ALL ON FUNCTION pg_catalog.pg_read_file(text) TO monitor;`,
	`CREATE TABLE t (program text, filename text DEFAULT 'x', b int GENERATED ALWAYS AS (1) STORED);`,
	`CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (connect = false, slot_name = 's');`,
	`CREATE USER MAPPING FOR bob SERVER s OPTIONS ("user" 'x');`,
	`COMMENT ON COLUMN t.a IS 'DROP ROLE x';`,
	`INSERT INTO public.t (a, "values") OVERRIDING SYSTEM VALUE VALUES (-1, NULL), (2, '\\x00') ON CONFLICT DO NOTHING;`,
	`SELECT pg_catalog.setval('public.s', 5, true);`,
	`SELECT pg_catalog.set_config('search_path', '', false);`,
	`SET SESSION AUTHORIZATION bob;`,
	`SET default_tablespace = '';`,
	`COPY public."from" (a, "to") FROM stdin;`,
	`ALTER SUBSCRIPTION s OWNER TO bob;`,
	`REVOKE ALL ON SCHEMA public FROM PUBLIC;`,
];

describe('a statement of a dump', () => {
	it.each(ALLOWANCES)('is refused unless "%s" is allowed', (allowance) => {
		const found = REFUSED[allowance].map((text) => [text, needed(text)]);
		expect(found).toEqual(REFUSED[allowance].map((text) => [text, allowance]));
	});

	it('is executed when pg_dump writes such statements, whatever its texts and names look like', () => {
		expect(NEEDED_BY_DUMPS.filter((text) => needed(text) !== null)).toEqual([]);
	});

	it('stops a restore before it is executed, says where it stands, and is executed when it is allowed', async () => {
		const server = await sharedPostgres(17);
		const dump = `CREATE TABLE public.t (a text);\nCOPY public.t FROM PROGRAM 'echo ran';\n\n--\n-- PostgreSQL database dump complete\n--\n\n`;
		const { signal } = new AbortController();
		const database = await server.createDatabase();
		await expect(replay(Readable.from([Buffer.from(dump)]), database, { signal })).rejects.toMatchObject({
			code: 'refused-statement',
			message: expect.stringMatching(/starts a program or opens a file on the server: COPY public.t FROM PROGRAM/),
			hint: expect.stringContaining('allow "programs-and-files"'),
			details: { allowance: 'programs-and-files', line: 2 },
		});
		expect(await sql(database, 'SELECT * FROM public.t')).toEqual([]);
		const rules = { ...KEEP_ALL, allow: ['programs-and-files' as const] };
		await replay(Readable.from([Buffer.from(dump)]), await server.createDatabase('allowed_program'), { signal, rules });
		expect(await sql(server.target('allowed_program'), 'SELECT a FROM public.t')).toEqual([{ a: 'ran' }]);
	});
});
