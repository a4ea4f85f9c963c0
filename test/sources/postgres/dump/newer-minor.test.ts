/** Servers of a minor release that is newer than our pg_dump: what they add to a dump must not keep it from coming back. */
import { Readable } from 'node:stream';
import { startServer } from '../../../../scripts/lib/postgres.mjs';
import { Definitions } from '../../../../core/sources/postgres/dump/engines/definitions';
import { replay } from '../../../../core/sources/postgres/replay/replay';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { verifyBackup } from '../../../../core/verbs/verify/verify';
import { rowsOf } from '../../../support/by-hand';
import { unpackDebianPostgres } from '../../../support/debian-postgres';
import { sharedPostgres, sql } from '../../../support/postgres';
import { comparable, pgDump } from '../../../support/psql';
import { makeSmallBackup, NEVER, remake, requestFor } from '../../../support/small-backup';

const MINE = 'ALTER TABLE ONLY public.item ALTER COLUMN id SET (pg_attver=1);';

/** What a user may have written, and a server adds. */
const TABLES = `
	CREATE TABLE item (id int, name text, "set" int);
	ALTER TABLE item ALTER COLUMN name SET (n_distinct = -0.5);
	CREATE FUNCTION mine() RETURNS text LANGUAGE sql AS $f$
${MINE}
SELECT ';' $f$;
	CREATE TABLE statements (text text);
	INSERT INTO statements VALUES ('${MINE}'), ('ALTER TABLE x ALTER COLUMN id SET (pg_attver=2);');
	INSERT INTO item VALUES (1, 'pg_attver=3', 4);`;

/** As the server itself does it. */
const IMITATE = `
	SET allow_system_table_mods = on;
	UPDATE pg_attribute SET attoptions = attoptions || ARRAY['pg_attver=26491600']
	WHERE attrelid IN ('item'::regclass, 'statements'::regclass) AND attnum > 0`;

/** Options of columns, as a dump sets them. */
function optionsIn(dump: string): string[] {
	return [...dump.matchAll(/^ALTER TABLE ONLY \S+ ALTER COLUMN \S+ SET \(.*\);$/gm)].map(([line]) => line);
}

/** Those of the user's function and rows, which are no statements of the dump, and the one of the user. */
const OF_THE_USER = [MINE, 'ALTER TABLE ONLY public.item ALTER COLUMN name SET (n_distinct=-0.5);', MINE].sort();

async function options(target: DatabaseTarget): Promise<string[]> {
	const rows = await sql<{ option: string }>(
		target,
		`SELECT attrelid::regclass || '.' || attname || ' ' || unnest(attoptions) AS option FROM pg_attribute
		 WHERE attrelid IN ('item'::regclass, 'statements'::regclass) ORDER BY 1`,
	);
	return rows.map(({ option }) => option);
}

let source: DatabaseTarget;
beforeAll(async () => {
	source = await (await sharedPostgres(15)).createDatabase();
	await sql(source, TABLES);
	await sql(source, IMITATE);
	expect(await options(source)).toHaveLength(5);
});

describe('a server that keeps pg_attver among the options of columns', () => {
	it.each(['builtin', 'native'] as const)('gives a dump without it, by the %s engine', async (engine) => {
		const { dump } = await makeSmallBackup(source, { engine });
		expect(optionsIn(dump).sort()).toEqual(OF_THE_USER);
		if (engine === 'builtin') return; // which is of another version than the judge
		const added = /^ALTER TABLE ONLY \S+ ALTER COLUMN \S+ SET \(pg_attver=26491600\);$|, pg_attver=26491600/gm;
		const ours = /^SET (?:lc_monetary|array_nulls|transform_null_equals|default_transaction_read_only) = .*;\n/gm;
		expect(comparable(dump.replaceAll(ours, ''))).toBe(comparable((await pgDump(source)).replaceAll(added, '')));
	});

	it('gives a backup that drills call ok, embedded and on a server', async () => {
		const backup = await makeSmallBackup(source);
		for (const scratch of [
			{ kind: 'embedded' },
			{ kind: 'server', target: (await sharedPostgres(17)).target() },
		] as const) {
			expect(await verifyBackup(requestFor(backup, 'restored', { scratch }))).toMatchObject({ outcome: 'ok' });
		}
	});

	it('gives old backups, which hold it, that come back as well', async () => {
		const raw = await pgDump(source);
		expect(optionsIn(raw)).toHaveLength(6);
		const backup = await remake(await makeSmallBackup(source), { dump: raw });
		const scratch = { kind: 'server', target: source } as const;
		expect(await verifyBackup(requestFor(backup, 'restored', { scratch }))).toMatchObject({ outcome: 'ok' });
		const target = await (await sharedPostgres(13)).createDatabase();
		await replay(Readable.from([Buffer.from(raw)]), target, { signal: NEVER });
		expect(await options(target)).toEqual(['item.name n_distinct=-0.5']);
		expect(await rowsOf(target)).toEqual(await rowsOf(source));
	});

	it('is Debian’s, in its newest minor release', async () => {
		const server = await startServer({ packageDir: await unpackDebianPostgres(), settings: { fsync: 'off' } });
		try {
			const { host, port, superuser: user, password } = server;
			const debian: DatabaseTarget = { host, port, user, password, database: 'postgres', tls: 'off' };
			await sql(debian, TABLES);
			// It does by itself what is imitated above.
			expect((await options(debian)).filter((option) => option.includes('pg_attver='))).toHaveLength(4);
			const backup = await makeSmallBackup(debian);
			expect(optionsIn(backup.dump).sort()).toEqual(OF_THE_USER);
			const scratch = { kind: 'server', target: debian } as const;
			expect(await verifyBackup(requestFor(backup, 'restored', { scratch }))).toMatchObject({ outcome: 'ok' });
			const older = await (await sharedPostgres(15)).createDatabase();
			await replay(Readable.from([Buffer.from(backup.dump)]), older, { signal: NEVER });
			expect(await rowsOf(older)).toEqual(await rowsOf(debian));
		} finally {
			await server.stop();
		}
	}, 120_000);
});

describe('what a newer minor release may bring', () => {
	it('leaves storage parameters out that the server does not know, with a warning, and keeps all else', async () => {
		const { dump } = await makeSmallBackup(source);
		const changed = dump.replace(
			/^CREATE TABLE public\.item \([^;]*;/m,
			`CREATE TABLE public.item (id integer, name text, "set" integer) WITH (fillfactor='70', newer_a='1', toast.newer_b='2');
ALTER TABLE ONLY public.item SET (newer_c='on');
ALTER TABLE ONLY public.item SET (strange.newer_d='on', autovacuum_enabled='false');
ALTER TABLE ONLY public.item ALTER COLUMN id SET (newer_e=7, n_distinct=9);
CREATE UNIQUE INDEX item_id ON public.item USING btree (id) WITH (newer_f='x') WHERE (id > 0);`,
		);
		const target = await (await sharedPostgres(17)).createDatabase();
		const { warnings } = await replay(Readable.from([Buffer.from(changed)]), target, { signal: NEVER });
		expect(warnings.map((text) => /parameter (\S+), which was left out/.exec(text)?.[1]).sort()).toEqual([
			'newer_a',
			'newer_c',
			'newer_e',
			'newer_f',
			'strange.newer_d',
			'toast.newer_b',
		]);
		expect(await rowsOf(target)).toEqual(await rowsOf(source));
		const [facts] = await sql(
			target,
			`SELECT reloptions::text AS of_table, pg_get_indexdef('item_id'::regclass) AS index FROM pg_class WHERE relname = 'item'`,
		);
		expect(facts).toEqual({
			of_table: '{fillfactor=70,autovacuum_enabled=false}',
			index: 'CREATE UNIQUE INDEX item_id ON public.item USING btree (id) WHERE (id > 0)',
		});
		expect(await options(target)).toEqual(['item.id n_distinct=9', 'item.name n_distinct=-0.5']);
		const backup = await remake(await makeSmallBackup(source), { dump: changed });
		const scratch = { kind: 'server', target: (await sharedPostgres(15)).target() } as const;
		expect(await verifyBackup(requestFor(backup, 'restored', { scratch }))).toMatchObject({ outcome: 'ok' });
	});

	it('is not what a view says about who sees what, nor a bad value', async () => {
		const target = await (await sharedPostgres(13)).createDatabase();
		const end = '\n\n--\n-- PostgreSQL database dump complete\n--\n\n';
		for (const statement of [
			"CREATE VIEW public.v WITH (security_invoker='true') AS SELECT 1 AS a;",
			"CREATE TABLE public.t (a integer) WITH (fillfactor='many');",
		]) {
			const body = Readable.from([Buffer.from(`${statement}${end}`)]);
			await expect(replay(body, target, { signal: NEVER })).rejects.toMatchObject({ code: 'restore-failed' });
		}
	});
});

describe('the part of a dump before its rows', () => {
	it('comes out the same whatever pieces it comes in', async () => {
		const raw = Buffer.from(await pgDump(source));
		const filtered = (size: number) => {
			const definitions = new Definitions();
			const out: Buffer[] = [];
			for (let at = 0; at < raw.length; at += size) {
				const chunk = Buffer.from(raw.subarray(at, at + size));
				out.push(Buffer.from(definitions.take(chunk)));
				chunk.fill(0); // its memory is used again
			}
			return Buffer.concat([...out, definitions.end()]).toString();
		};
		const whole = filtered(raw.length);
		expect(optionsIn(whole).sort()).toEqual(OF_THE_USER);
		for (let size = 1; size < 80; size += 7) expect(filtered(size)).toBe(whole);
	});

	it('needs no more of a statement than its beginning when that is long', async () => {
		const long = `CREATE FUNCTION f() AS $$${'x'.repeat(200_000)}; $$ LANGUAGE sql;\n${MINE}\nSELECT 1`;
		const definitions = new Definitions();
		const first = definitions.take(Buffer.from(long.slice(0, 150_000)));
		expect(first.length).toBe(150_000);
		const rest = [definitions.take(Buffer.from(long.slice(150_000))), definitions.end()];
		expect(Buffer.concat([first, ...rest]).toString()).toBe(long.replace(`${MINE}`, ''));
	});
});
