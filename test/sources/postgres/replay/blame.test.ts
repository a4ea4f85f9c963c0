/** Whom a replay blames: the dump only when no other place could take it. */
import { Readable } from 'node:stream';
import type { DatabaseFacts } from '../../../../core/sources/postgres/dump/contents';
import { replay } from '../../../../core/sources/postgres/replay/replay';
import { type ReplayOptions } from '../../../../core/sources/postgres/replay/types';
import { DRILL_RULES, KEEP_ALL } from '../../../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { type PostgresServer, sharedPostgres, sql } from '../../../support/postgres';

let server: PostgresServer;
let target: DatabaseTarget;
let original: DatabaseFacts;
beforeAll(async () => {
	server = await sharedPostgres(17);
}, 60_000);
beforeEach(async () => {
	target = await server.createDatabase();
	const [row] = await sql<{ collation: string; zone: string }>(
		target,
		"SELECT datcollate AS collation, current_setting('TimeZone') AS zone FROM pg_database WHERE datname = current_database()",
	);
	original = {
		encoding: 'UTF8',
		collation: row!.collation,
		characterType: row!.collation,
		timeZone: row!.zone,
		tables: [],
	} as Partial<DatabaseFacts> as DatabaseFacts;
});

const PATH = "SELECT pg_catalog.set_config('search_path', '', false);\n";
const TRAILER = '\n--\n-- PostgreSQL database dump complete\n--\n\n';

function run(text: string, options: Partial<ReplayOptions> = {}) {
	const body = Readable.from([Buffer.from(PATH + text + TRAILER)]);
	return replay(body, target, {
		signal: new AbortController().signal,
		contents: original,
		rules: KEEP_ALL,
		...options,
	});
}
const blame = async (text: string, options: Partial<ReplayOptions> = {}) =>
	await run(text, options).then(
		() => null,
		(error: unknown) => error,
	);

const RATE = `CREATE TABLE public.rate (r int);
	CREATE FUNCTION public.tax(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN (SELECT max(r) FROM rate); END $$;\n`;

it.each([
	[
		'a materialized view',
		`${RATE}CREATE MATERIALIZED VIEW public.v AS SELECT public.tax(1) WITH NO DATA; REFRESH MATERIALIZED VIEW public.v;`,
	],
	[
		'an index',
		`${RATE}CREATE TABLE public.t (i int); INSERT INTO public.t VALUES (1); CREATE INDEX ON public.t (public.tax(i));`,
	],
	[
		'a generated column',
		`CREATE FUNCTION public.one(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
		CREATE FUNCTION public.two(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN one($1); END $$;
		CREATE TABLE public.t (i int, j int GENERATED ALWAYS AS (public.two(i)) STORED);\nCOPY public.t (i) FROM stdin;\n1\n\\.\n`,
	],
])('a dump whose function behind %s names things without a schema restores nowhere, and says so', async (_, text) => {
	for (const version of ['13.9', '17.1', '18.1']) {
		target = await server.createDatabase();
		expect(await blame(`-- Dumped from database version ${version}\n${text}`)).toMatchObject({
			code: 'restore-failed',
			hint: expect.stringContaining('search_path'),
			details: { environment: false },
		});
	}
});

it('a dump that needs a table before it makes it restores nowhere, and says so', async () => {
	const text = `CREATE FUNCTION public.f(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN (SELECT max(i) FROM public.later); END $$;
		CREATE TABLE public.t (i int CHECK (public.f(i) IS NULL)); INSERT INTO public.t VALUES (1); CREATE TABLE public.later (i int);`;
	const tables = [{ schema: 'public', name: 'later', rows: 0, bytes: 0 }];
	expect(await blame(text, { contents: { ...original, tables } })).toMatchObject({
		hint: expect.stringContaining('only after this statement'),
		details: { environment: false },
	});
});

it('a constraint that fails is no proof where the time zone or the locale is not that of the original', async () => {
	const text = `CREATE TABLE public.t (at timestamptz CHECK (at::date = '2026-01-01')); INSERT INTO public.t VALUES ('2026-01-03 23:30+00');`;
	for (const [other, words] of [
		[{ timeZone: 'Pacific/Kiritimati' }, 'the time zone Pacific/Kiritimati'],
		[{ collation: 'xx_XX' }, 'the locale xx_XX'],
	] as const) {
		target = await server.createDatabase();
		expect(await blame(text, { contents: { ...original, ...other } })).toMatchObject({
			hint: expect.stringContaining(words),
			details: { environment: true, sqlState: '23514' },
		});
	}
	target = await server.createDatabase();
	expect(await blame(text)).toMatchObject({ details: { environment: false, sqlState: '23514' } });
});

it('a foreign key without its row is a fault of the dump, wherever it is restored', async () => {
	const text = `CREATE TABLE public.a (i int PRIMARY KEY); CREATE TABLE public.b (i int REFERENCES public.a); INSERT INTO public.b VALUES (1);`;
	const contents = { ...original, collation: 'xx_XX', timeZone: 'Pacific/Kiritimati' };
	expect(await blame(text, { contents })).toMatchObject({ details: { environment: false, sqlState: '23503' } });
});

const FAR = `CREATE EXTENSION postgres_fdw WITH SCHEMA public;
	CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
	CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS ("user" 'x', password 'y');
	CREATE FOREIGN TABLE public.there (a int) SERVER far;
	CREATE MATERIALIZED VIEW public.copy AS SELECT a FROM public.there WITH NO DATA;
	CREATE MATERIALIZED VIEW public.again AS SELECT a FROM public.copy WITH NO DATA;
	REFRESH MATERIALIZED VIEW public.copy;
	REFRESH MATERIALIZED VIEW public.again;`;

it('a foreign server that is down is neither our connection nor a fault of the dump', async () => {
	expect(await blame(FAR)).toMatchObject({
		code: 'restore-failed',
		message: expect.stringContaining('could not connect to server "far"'),
		hint: expect.stringContaining('Another server'),
		details: { environment: true, sqlState: '08001' },
	});
});

it('a drill fills no view from a server that it leaves out, and warns of each', async () => {
	const { warnings } = await run(FAR, { rules: DRILL_RULES });
	expect(warnings).toEqual([
		expect.stringContaining('not filled, as it reads from another server: REFRESH MATERIALIZED VIEW public.copy'),
		expect.stringContaining('not filled, as it reads from another server: REFRESH MATERIALIZED VIEW public.again'),
	]);
});

it('a refusal comes with the hint of the server', async () => {
	expect(await blame('CREATE TABLE public.t (i int); CREATE INDEX ON public.t (public.nope(i));')).toMatchObject({
		message: expect.stringContaining('No function matches the given name'),
	});
});
