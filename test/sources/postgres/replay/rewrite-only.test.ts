import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { builtinEngine } from '../../../../core/sources/postgres/dump/engines/builtin/host';
import { replay } from '../../../../core/sources/postgres/replay/replay';
import { type ReplayResult } from '../../../../core/sources/postgres/replay/types';
import type { Only } from '../../../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { rowsOf } from '../../../support/by-hand';
import { type PostgresServer, sharedPostgres, sql } from '../../../support/postgres';

const engine = builtinEngine();
const signal = new AbortController().signal;
const TRAILER = '\n--\n-- PostgreSQL database dump complete\n--\n\n';

/** The definition of a database, or of a table of it, as pg_dump says it, without its settings. */
async function dump(target: DatabaseTarget, filter = {}): Promise<string> {
	const running = await engine.start({ target, format: 'plain', filter, lockTimeoutMs: 10_000 }, { signal });
	return await text(running.body);
}

async function schemaOf(target: DatabaseTarget, filter = {}): Promise<string> {
	const whole = await dump(target, { schemaOnly: true, ...filter });
	return whole
		.replaceAll(/^\\(un)?restrict .*\n|^(SET|SELECT pg_catalog.set_config).*\n/gm, '')
		.replaceAll(/\n{3,}/g, '\n\n');
}

function restore(dumped: string, target: DatabaseTarget, only: Only): Promise<ReplayResult> {
	const rules = { owners: 'keep', privileges: 'keep', only } as const;
	return replay(Readable.from([Buffer.from(dumped)]), target, { signal, rules });
}

describe('a restore of some tables or schemas', () => {
	let server: PostgresServer;
	let original: DatabaseTarget;
	let dumped: string;
	let target: DatabaseTarget;

	beforeAll(async () => {
		server = await sharedPostgres(15);
		original = await server.createDatabase();
		await sql(
			original,
			`DO $$ BEGIN IF to_regrole('kinds_reader') IS NULL THEN CREATE ROLE kinds_reader NOLOGIN; END IF; END $$;
			CREATE SCHEMA shop; COMMENT ON SCHEMA shop IS 'the shop';
			CREATE TYPE shop.size AS ENUM ('small', 'large');
			CREATE FUNCTION shop.fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
			CREATE TABLE public.customer (id serial PRIMARY KEY, name text NOT NULL, CHECK (name <> ''));
			COMMENT ON TABLE customer IS 'the ones who pay'; COMMENT ON COLUMN customer.name IS '-- Name: other; Type: TABLE; Schema: public; Owner: me';
			CREATE INDEX customer_name ON customer (lower(name)); COMMENT ON INDEX customer_name IS 'to find them';
			CREATE STATISTICS customer_stats ON id, name FROM customer; COMMENT ON STATISTICS customer_stats IS 'for the planner';
			GRANT SELECT ON customer TO kinds_reader; GRANT UPDATE (name) ON customer TO kinds_reader; GRANT USAGE ON SEQUENCE customer_id_seq TO kinds_reader;
			ALTER TABLE customer ENABLE ROW LEVEL SECURITY; CREATE POLICY small ON customer USING (id < 5); COMMENT ON POLICY small ON customer IS 'few';
			CREATE TRIGGER filling BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION shop.fill(); COMMENT ON TRIGGER filling ON customer IS 'x';
			ALTER TABLE customer DISABLE TRIGGER filling;
			CREATE TRIGGER same BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
			CREATE RULE keep AS ON DELETE TO customer DO INSTEAD NOTHING;
			CREATE TABLE shop.orders (id int GENERATED ALWAYS AS IDENTITY, customer int REFERENCES customer, placed date, size shop.size, PRIMARY KEY (id, placed)) PARTITION BY RANGE (placed);
			CREATE TABLE shop."a Partition" PARTITION OF shop.orders DEFAULT PARTITION BY HASH (id);
			CREATE TABLE shop.deepest PARTITION OF shop."a Partition" FOR VALUES WITH (MODULUS 1, REMAINDER 0);
			COMMENT ON TABLE shop.deepest IS 'of all';
			CREATE INDEX ON shop.orders (customer);
			CREATE TABLE shop."odd.name" ("a;b" text); CREATE TABLE shop."Odd""Name" (i int); CREATE TABLE "odd.name" (i int);
			CREATE SEQUENCE shop.free START 5; SELECT nextval('shop.free');
			CREATE VIEW shop.names AS SELECT name FROM customer;
			CREATE MATERIALIZED VIEW shop.counts AS SELECT count(*) FROM shop.orders;
			CREATE TABLE orders (note text); INSERT INTO orders VALUES ('public, not shop');
			INSERT INTO customer (name) VALUES ('Ada'), ('-- Name: orders; Type: TABLE; Schema: public; Owner: me');
			INSERT INTO shop.orders (customer, placed, size) SELECT 1 + i % 2, DATE '2025-01-01' + i, 'small' FROM generate_series(1, 100) i;
			INSERT INTO shop."odd.name" VALUES (E'x\\n\\n--\\n-- Name: customer; Type: TABLE; Schema: public; Owner: me\\n--\\n');
			REFRESH MATERIALIZED VIEW shop.counts; CREATE PUBLICATION everything FOR TABLE customer`,
		);
		dumped = await dump(original);
	});
	beforeEach(async () => {
		target = await server.createDatabase();
	});

	async function relations(): Promise<string[]> {
		const rows = await sql<{ name: string }>(
			target,
			`SELECT format('%s.%s', n.nspname, relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
			 WHERE nspname !~ '^pg_|information_schema' ORDER BY relname COLLATE "C", 1`,
		);
		return rows.map(({ name }) => name);
	}

	it('brings a table as pg_dump defines it, with its sequence, rows, indexes, policies, comments and privileges', async () => {
		const result = await restore(dumped, target, { tables: ['customer'] });
		expect(await relations()).toEqual(
			['customer', 'customer_id_seq', 'customer_name', 'customer_pkey'].map((name) => `public.${name}`),
		);
		await sql(original, 'BEGIN; DROP TRIGGER filling ON customer; DROP RULE keep ON customer; COMMIT');
		try {
			const filter = { tables: ['public.customer'] };
			expect(await schemaOf(target, filter)).toBe(await schemaOf(original, filter));
		} finally {
			await sql(
				original,
				`CREATE TRIGGER filling BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION shop.fill(); CREATE RULE keep AS ON DELETE TO customer DO INSTEAD NOTHING`,
			);
		}
		const { customer, customer_id_seq: sequence } = await rowsOf(original);
		expect(await rowsOf(target)).toMatchObject({ customer, customer_id_seq: sequence });
		expect(result.warnings).toEqual([
			'rule keep of public.customer was left out: it may use anything',
			'trigger filling of public.customer was left out: its function is not restored',
		]);
		expect(result.leftOut).toBeGreaterThan(20);
	});

	it('brings a table with its partitions, their indexes, and its schema, but no foreign key to a table that does not come', async () => {
		await sql(target, `CREATE SCHEMA shop; CREATE TYPE shop.size AS ENUM ('small', 'large')`);
		const result = await restore(dumped, target, { tables: ['shop.orders'] });
		expect(result.skipped).toEqual(['SET transaction_timeout = 0;', 'CREATE SCHEMA shop;']);
		expect(result.warnings).toEqual([
			'constraint orders_customer_fkey of shop.orders was left out: public.customer is not restored',
		]);
		expect(result.rows).toBe(100);
		const names = await relations();
		expect(names).toEqual(expect.arrayContaining(['shop.a Partition', 'shop.deepest', 'shop.orders_id_seq']));
		expect(names).toHaveLength(10);
		await sql(original, 'ALTER TABLE shop.orders DROP CONSTRAINT orders_customer_fkey');
		try {
			const filter = { tables: ['shop.orders', 'shop."a Partition"', 'shop.deepest'] };
			expect(await schemaOf(target, filter)).toBe(await schemaOf(original, filter));
		} finally {
			await sql(original, 'ALTER TABLE shop.orders ADD FOREIGN KEY (customer) REFERENCES customer');
		}
	});

	it('brings a foreign key when both of its tables come', async () => {
		await sql(target, `CREATE SCHEMA shop; CREATE TYPE shop.size AS ENUM ('small', 'large')`);
		await restore(dumped, target, { tables: ['customer', 'shop.orders'] });
		const found = await sql(
			target,
			`SELECT FROM pg_constraint WHERE contype = 'f' AND conrelid = 'shop.orders'::regclass`,
		);
		expect(found).toHaveLength(1);
	});

	it('brings one partition as a table of its own', async () => {
		await sql(target, `CREATE SCHEMA shop; CREATE TYPE shop.size AS ENUM ('small', 'large')`);
		const result = await restore(dumped, target, { tables: ['shop.deepest'] });
		expect(result.rows).toBe(100);
		expect(await relations()).toEqual(
			['deepest', 'deepest_customer_idx', 'deepest_pkey'].map((name) => `shop.${name}`),
		);
	});

	it('brings a schema with everything that pg_dump --schema has', async () => {
		await sql(target, 'CREATE TABLE customer (id int PRIMARY KEY, name text)');
		const result = await restore(dumped, target, { schemas: ['shop'] });
		await sql(original, 'ALTER TABLE shop.orders DROP CONSTRAINT orders_customer_fkey');
		try {
			expect(await schemaOf(target, { schemas: ['shop'] })).toBe(await schemaOf(original, { schemas: ['shop'] }));
		} finally {
			await sql(original, 'ALTER TABLE shop.orders ADD FOREIGN KEY (customer) REFERENCES customer');
		}
		expect(result.warnings).toHaveLength(1);
		const { customer: _, customer_id_seq: __, orders: ___, '"odd.name"': ____, ...ofShop } = await rowsOf(original);
		expect(await rowsOf(target)).toMatchObject(ofShop);
	});

	it('takes names with dots and quotes, and only those that are the same', async () => {
		await restore(dumped, target, { tables: ['shop."odd.name"', 'shop.Odd"Name', 'shop.free', 'orders'] });
		expect(await relations()).toEqual(['shop.Odd"Name', 'shop.free', 'shop.odd.name', 'public.orders']);
		expect(await sql(target, 'SELECT * FROM orders')).toEqual([{ note: 'public, not shop' }]);
		expect(await sql(target, 'SELECT last_value::int FROM shop.free')).toEqual([{ last_value: 5 }]);
		await sql(target, 'SELECT "a;b" FROM shop."odd.name"');
	});

	it('fails for a name that the dump does not have', async () => {
		const only = { tables: ['customer', 'Orders', 'nowhere.orders'], schemas: ['shops'] };
		await expect(restore(dumped, target, only)).rejects.toMatchObject({
			code: 'invalid-input',
			message: 'the backup has no schema shops, no table public.Orders, no table nowhere.orders',
		});
	});

	it.each(['', 'a.', '.a', 'a.b.c', '"a', '"a"b'])('takes %j for no name of a table', async (name) => {
		await expect(restore(dumped, target, { tables: [name] })).rejects.toMatchObject({ code: 'invalid-input' });
		expect(await relations()).toEqual([]);
	});

	it('is not misled by texts that look like the comments of pg_dump', async () => {
		const fake = '--\n-- Name: b; Type: TABLE; Schema: public; Owner: me\n--\n';
		const text = [
			'--\n-- Name: a; Type: FUNCTION; Schema: other; Owner: me\n--\n',
			`CREATE FUNCTION other.a() RETURNS text LANGUAGE sql AS $$\n${fake}SELECT 1;$$;`,
			`ALTER FUNCTION other.a() OWNER TO nobody;`,
			'--\n-- Name: b; Type: TABLE; Schema: public; Owner: me\n--\n',
			`CREATE TABLE public.b (t text DEFAULT '\n${fake}');`,
			`COPY public.b (t) FROM stdin;\n${fake}\\.\n`,
			TRAILER,
		].join('\n');
		const result = await restore(text, target, { schemas: ['public'] });
		expect(result).toMatchObject({ rows: 3, leftOut: 2 });
	});
});
