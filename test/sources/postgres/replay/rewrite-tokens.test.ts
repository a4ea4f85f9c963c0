import { mapRoles } from '../../../../core/sources/postgres/replay/rewrite-roles';
import { subjectOf } from '../../../../core/sources/postgres/replay/sql-subject';
import { SqlTokens, type Dialect } from '../../../../core/sources/postgres/replay/sql-tokens';

const MODERN: Dialect = { serverMajor: 15, encoding: 'UTF8', standardStrings: true };

function tokens(text: string | Buffer, dialect: Partial<Dialect> = {}): SqlTokens {
	return new SqlTokens([Buffer.from(text)], { ...MODERN, ...dialect });
}

function texts(text: string | Buffer, dialect: Partial<Dialect> = {}): string[] {
	return tokens(text, dialect).list.map((token) => `${token.kind} ${token.text}`);
}

describe('the tokens of a statement', () => {
	it('tell words, names, strings and symbols apart', () => {
		expect(texts(`ALTER x."A ""b""" 'it''s' E'a\\'b' $1 $$a;$$ $f$ $$ $f$;`)).toEqual([
			'word alter',
			'word x',
			'symbol .',
			'name A "b"',
			`string it's`,
			`string a'b`,
			'symbol $',
			'word 1',
			'string a;',
			'string  $$ ',
			'symbol ;',
		]);
	});

	it('know no comments, however they nest', () => {
		expect(texts(`A -- 'b'\n/* c /* d */ "e */ F/*g*/G`)).toEqual(['word a', 'word f', 'word g']);
	});

	it('read backslashes as the dump says', () => {
		expect(texts(`'a\\' b`)).toEqual(['string a\\', 'word b']);
		expect(texts(`'a\\' b'`, { standardStrings: false })).toEqual([`string a' b`]);
	});

	it('read names in the encoding of the dump', () => {
		expect(texts('Ä "größer"')).toEqual(['word Ä', 'name größer']);
		expect(texts(Buffer.from('"größer"', 'latin1'), { encoding: 'LATIN1' })).toEqual(['name größer']);
		expect(texts(Buffer.from([34, 0xa4, 34]), { encoding: 'LATIN9' })).toEqual(['name €']);
		expect(texts(Buffer.from([34, 0xce, 34]), { encoding: 'WIN1251' })).toEqual(['name О']);
	});

	it('stop at a string that is cut off, and find no words in it', () => {
		for (const text of [`a 'OWNER TO x`, `a "OWNER TO x`, `a E'OWNER TO x`, `a $$OWNER TO x`, 'a /* OWNER TO x']) {
			expect(tokens(text).find('owner')).toBe(-1);
		}
	});

	it('take no longer for a long string than for a short one of each byte', () => {
		const long = `'${`x''`.repeat(80_000)}'`;
		expect(texts(`SELECT ${long};`)).toHaveLength(3);
	});
});

describe('roles in a statement', () => {
	const map = (text: string) =>
		Buffer.concat(mapRoles([Buffer.from(text)], tokens(text), { a: 'x', 'b c': 'y"z', ü: 'ø\\' })).toString();

	it.each([
		[`ALTER TABLE a.a OWNER TO a;`, `ALTER TABLE a.a OWNER TO "x";`],
		[`ALTER TABLE a.a OWNER TO "b c";`, `ALTER TABLE a.a OWNER TO "y""z";`],
		[`ALTER TABLE a.a OWNER TO "ü";`, `ALTER TABLE a.a OWNER TO U&"\\+0000f8\\\\";`],
		[`ALTER TABLE a.a OWNER TO "A";`, `ALTER TABLE a.a OWNER TO "A";`],
		[
			`GRANT ALL ON TABLE a TO a,PUBLIC , "b c" WITH GRANT OPTION;`,
			`GRANT ALL ON TABLE a TO "x",PUBLIC , "y""z" WITH GRANT OPTION;`,
		],
		[`REVOKE GRANT OPTION FOR ALL ON TABLE a FROM a;`, `REVOKE GRANT OPTION FOR ALL ON TABLE a FROM "x";`],
		[
			`ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA a REVOKE ALL ON TABLES  FROM a;`,
			`ALTER DEFAULT PRIVILEGES FOR ROLE "x" IN SCHEMA a REVOKE ALL ON TABLES  FROM "x";`,
		],
		[
			`CREATE POLICY a ON a.a FOR SELECT TO a, d USING ((a = 'TO a'));`,
			`CREATE POLICY a ON a.a FOR SELECT TO "x", d USING ((a = 'TO a'));`,
		],
		[`CREATE USER MAPPING FOR a SERVER a OPTIONS (a 'a');`, `CREATE USER MAPPING FOR "x" SERVER a OPTIONS (a 'a');`],
		[`SET SESSION AUTHORIZATION 'a';`, `SET SESSION AUTHORIZATION "x";`],
		[
			`COMMENT ON TABLE a IS 'GRANT ALL TO a; ALTER TABLE a OWNER TO a;';`,
			`COMMENT ON TABLE a IS 'GRANT ALL TO a; ALTER TABLE a OWNER TO a;';`,
		],
		[`CREATE TABLE a (owner text DEFAULT 'OWNER TO a');`, `CREATE TABLE a (owner text DEFAULT 'OWNER TO a');`],
	])('are mapped in %s', (text, expected) => {
		expect(map(text)).toBe(expected);
	});
});

describe('the subject of a statement', () => {
	const a = { schema: 's', name: 'a' };
	const b = { schema: 's', name: 'b' };
	it.each([
		['CREATE UNLOGGED TABLE s.a (i int);', { kind: 'creation', relation: a }],
		['CREATE TABLE "table" (i int);', { kind: 'creation', relation: { schema: 'public', name: 'table' } }],
		['CREATE OR REPLACE VIEW s.a AS SELECT 1;', { kind: 'creation', relation: a }],
		['CREATE MATERIALIZED VIEW s.a AS SELECT 1;', { kind: 'creation', relation: a }],
		['ALTER TABLE ONLY s.a ATTACH PARTITION s.b DEFAULT;', { kind: 'link', relation: a, child: b }],
		['ALTER SEQUENCE s.b OWNED BY s.a.id;', { kind: 'link', relation: a, child: b }],
		['ALTER INDEX s.a ATTACH PARTITION s.b;', { kind: 'part', relation: a, needs: b }],
		[
			'ALTER TABLE ONLY s.a\n    ADD CONSTRAINT c FOREIGN KEY (x) REFERENCES s.b(y) ON DELETE CASCADE;',
			{ kind: 'part', relation: a, needs: b, only: true, member: { kind: 'constraint', name: 'c' } },
		],
		['ALTER TABLE ONLY s.a ADD CONSTRAINT b PRIMARY KEY (x);', { kind: 'part', relation: a, child: b }],
		['CREATE UNIQUE INDEX b ON ONLY s.a USING btree (x);', { kind: 'part', relation: a, child: b, only: true }],
		[
			'CREATE TRIGGER b AFTER INSERT OR UPDATE OF x ON s.a FOR EACH ROW WHEN ((new.x = 1)) EXECUTE FUNCTION s.f();',
			{ relation: a, calls: { schema: 's' } },
		],
		[
			'CREATE RULE b AS\n    ON INSERT TO s.a DO INSTEAD NOTHING;',
			{ relation: a, member: { kind: 'rule', name: 'b' } },
		],
		[`SELECT pg_catalog.setval('s.a', 5, true);`, { kind: 'rows', relation: a }],
		[`SELECT pg_catalog.setval('"S"."it''s"', 5, true);`, { relation: { schema: 'S', name: "it's" } }],
		['COPY s.a (x) FROM stdin;', { kind: 'rows', relation: a }],
		['GRANT SELECT(x),INSERT(y) ON TABLE s.a TO b;', { kind: 'part', relation: a }],
		[`COMMENT ON COLUMN s.a.x IS 'y';`, { kind: 'part', relation: a }],
		[`COMMENT ON CONSTRAINT x ON s.a IS 'y';`, { relation: a, member: { kind: 'constraint', name: 'x' } }],
	])('is found in %s', (text, expected) => {
		expect(subjectOf(tokens(text), MODERN)).toMatchObject(expected);
	});

	it.each([
		`COMMENT ON CONSTRAINT x ON DOMAIN s.a IS 'y';`,
		'CREATE FUNCTION s.a() RETURNS int LANGUAGE sql AS $$ CREATE TABLE s.a (); $$;',
		'GRANT ALL ON SCHEMA s TO b;',
		`SELECT pg_catalog.lo_open('1', 131072);`,
		'ALTER TYPE s.a OWNER TO b;',
	])('is none in %s', (text) => {
		expect(subjectOf(tokens(text), MODERN)).toBeNull();
	});
});
