import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ALLOWANCES } from '../../../../core/sources/postgres/replay/allowances';
import { builtinEngine } from '../../../../core/sources/postgres/dump/engines/builtin/host';
import { replay } from '../../../../core/sources/postgres/replay/replay';
import { type ReplayOptions } from '../../../../core/sources/postgres/replay/types';
import { KEEP_ALL } from '../../../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { eventually } from '../../../support/activity';
import { definitionOf, rowsOf } from '../../../support/by-hand';
import { type CreateOptions, type PostgresServer, sharedPostgres, sql } from '../../../support/postgres';
import { rounds } from '../../../support/soak';

const engine = builtinEngine();
const TRAILER = '\n--\n-- PostgreSQL database dump complete\n--\n\n';

async function dump(target: DatabaseTarget): Promise<Buffer> {
	const { signal } = new AbortController();
	return await buffer(
		(await engine.start({ target, format: 'plain', filter: {}, lockTimeoutMs: 10_000 }, { signal })).body,
	);
}

/** Most of these tests write their dumps themselves: what no dump says is refused elsewhere. */
const ANYTHING = { ...KEEP_ALL, allow: ALLOWANCES };

function run(body: Buffer | string | Readable, target: DatabaseTarget, options: Partial<ReplayOptions> = {}) {
	const stream = body instanceof Readable ? body : Readable.from([Buffer.from(body)]);
	return replay(stream, target, { signal: new AbortController().signal, connections: 4, rules: ANYTHING, ...options });
}

describe('a replay over several connections', () => {
	let server: PostgresServer;
	let target: DatabaseTarget;
	beforeAll(async () => {
		server = await sharedPostgres(15);
	});
	beforeEach(async () => {
		target = await server.createDatabase();
	});

	/** A query with a row once as many sessions of ours are at work, or just there. */
	function sessions(count: number, state = 'active'): string {
		return `SELECT FROM pg_stat_activity WHERE datname = '${target.database}' AND application_name = 'n8n-nodes-backup'
			AND state LIKE '${state}' HAVING count(*) = ${count}`;
	}

	const DATABASES: Array<[string, CreateOptions]> = [
		['many kinds of objects', { load: 'many-kinds' }],
		['awkward texts and circles', { load: 'awkward' }],
		['names and rows in LATIN1', { load: 'latin1', encoding: 'LATIN1' }],
	];
	const LARGE: Array<[string, CreateOptions]> = [['3,000 tables', { load: 'many-tables' }]];
	it.each(rounds(DATABASES, [...DATABASES, ...LARGE]))(
		'restores %s exactly as one does',
		async (_, { load, encoding }) => {
			const original = await server.createDatabase(undefined, { load, encoding });
			const bytes = await dump(original);
			target = await server.createDatabase(undefined, { encoding });
			const byOne = await server.createDatabase(undefined, { encoding });
			const result = await run(bytes, target);
			expect(result).toEqual(await run(bytes, byOne, { connections: 1 }));
			expect(await definitionOf(target)).toBe(await definitionOf(byOne));
			if (load !== 'many-tables') expect(await rowsOf(target)).toEqual(await rowsOf(byOne));
			await eventually(server.target(), sessions(0, '%'));
		},
		120_000,
	);

	/** Expressions of indexes that last until the test lets them go on. */
	const SLOW = `CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
		$$ BEGIN PERFORM pg_advisory_lock_shared(7); PERFORM pg_advisory_unlock_shared(7); RETURN $1; END $$;`;
	const TABLES = ['a', 'b', 'c', 'd', 'e']
		.map((name) => `CREATE TABLE public.${name} (i int PRIMARY KEY);\nINSERT INTO public.${name} VALUES (1);\n`)
		.join('');

	/** Keeps slow() from returning as long as the given work lasts. */
	async function whileSlow(work: () => Promise<void>): Promise<void> {
		const holder = new AbortController();
		const body = new Readable({ read() {} });
		body.push('SELECT pg_advisory_lock(7); SELECT pg_sleep(1000);');
		const holding = replay(body, target, { signal: holder.signal, rules: ANYTHING });
		holding.catch(() => undefined);
		await eventually(
			server.target(),
			`SELECT FROM pg_stat_activity WHERE datname = '${target.database}' AND query LIKE 'SELECT pg_sleep%'`,
		);
		try {
			await work();
		} finally {
			holder.abort();
			await holding.catch(() => undefined);
		}
	}

	/** With the holder of the lock: one session more is at work. */
	const working = (count: number) => sessions(count + 1);

	function index(table: string, name = `${table}_slow`): string {
		return `CREATE INDEX ${name} ON public.${table} USING btree (public.slow(i));\n`;
	}

	async function indexes(): Promise<string[]> {
		const rows = await sql<{ name: string }>(
			target,
			`SELECT indexname AS name FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%pkey' ORDER BY 1`,
		);
		return rows.map(({ name }) => name);
	}

	it('builds indexes of several tables, and of one table, at the same time, in no more sessions than allowed', async () => {
		let running: Promise<unknown> = Promise.resolve();
		await whileSlow(async () => {
			const text = SLOW + TABLES + index('a') + index('a', 'a_too') + index('b') + index('c') + index('d') + index('e');
			running = run(text + TRAILER, target);
			running.catch(() => undefined);
			await eventually(server.target(), working(4));
			expect(await indexes()).toEqual([]);
		});
		await running;
		expect(await indexes()).toEqual(['a_slow', 'a_too', 'b_slow', 'c_slow', 'd_slow', 'e_slow']);
	});

	it('lets what locks a table wait for what works on it, and nothing overtake it there', async () => {
		let running: Promise<unknown> = Promise.resolve();
		await whileSlow(async () => {
			const text = [
				SLOW,
				TABLES,
				index('a'),
				'ALTER TABLE ONLY public.a ADD CONSTRAINT a_to_b FOREIGN KEY (i) REFERENCES public.b(i);',
				index('b'), // behind the foreign key, which waits for the index of a
				index('c'),
			].join('\n');
			running = run(text + TRAILER, target);
			running.catch(() => undefined);
			await eventually(server.target(), working(2));
			const [row] = await sql<{ queries: string[] }>(
				server.target(),
				`SELECT array_agg(substr(query, 14, 6) ORDER BY 1) AS queries FROM pg_stat_activity
				 WHERE datname = '${target.database}' AND query LIKE 'CREATE INDEX%'`,
			);
			expect(row!.queries.sort()).toEqual(['a_slow', 'c_slow']);
			expect(
				await sql(
					server.target(),
					`SELECT FROM pg_stat_activity WHERE datname = '${target.database}' AND wait_event = 'relation'`,
				),
			).toEqual([]);
		});
		await running;
		expect(await indexes()).toEqual(['a_slow', 'b_slow', 'c_slow']);
	});

	it.each([
		['a statement it does not know', `ALTER TABLE public.b SET (fillfactor = 50);`],
		[
			'a foreign key to a table with partitions',
			`ALTER TABLE ONLY public.b ADD CONSTRAINT to_p FOREIGN KEY (i) REFERENCES public.p(i);`,
		],
		['an index of a table with heirs', `CREATE INDEX b_more ON public.h USING btree (i);`],
	])('runs nothing beside %s', async (_, statement) => {
		let running: Promise<unknown> = Promise.resolve();
		await whileSlow(async () => {
			const family = `CREATE TABLE public.p (i int PRIMARY KEY) PARTITION BY HASH (i); CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES WITH (MODULUS 1, REMAINDER 0);
				INSERT INTO public.p VALUES (1); CREATE TABLE public.h (i int); CREATE TABLE public.h1 (j int) INHERITS (public.h);`;
			running = run(SLOW + TABLES + family + index('a') + statement + index('c') + TRAILER, target);
			running.catch(() => undefined);
			await eventually(server.target(), working(1));
			await sql(server.target(), 'SELECT pg_sleep(0.3)');
			expect(await sql(server.target(), working(1))).toHaveLength(1);
		});
		await running;
		expect(await indexes()).toEqual(expect.arrayContaining(['a_slow', 'c_slow']));
	});

	it('uses the settings of the dump in every session, and hears the warnings of all', async () => {
		const names = ['a', 'b', 'c', 'd', 'e'];
		const text = [
			'SET default_statistics_target = 77; SET search_path = pg_catalog; SET default_statistics_target = 78;',
			`CREATE FUNCTION public.seen(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
				PERFORM pg_sleep(0.05);
				RAISE WARNING '% % %', current_setting('default_statistics_target'), current_setting('search_path'), pg_backend_pid();
				RETURN $1; END $$;`,
			TABLES,
			...names.map((name) => `CREATE INDEX seen_${name} ON public.${name} USING btree (public.seen(i));`),
			TRAILER,
		].join('\n');
		const { warnings } = await run(text, target);
		expect(await indexes()).toEqual(names.map((name) => `seen_${name}`));
		expect(new Set(warnings.map((warning) => warning.replace(/ \d+$/, '')))).toEqual(new Set(['78 pg_catalog']));
		expect(new Set(warnings).size).toBeGreaterThan(1);
	});

	it('stops everything at the first error, and says where it is', async () => {
		await whileSlow(async () => {
			const text =
				SLOW +
				TABLES +
				index('a') +
				index('b') +
				'CREATE INDEX wrong ON public.c USING btree (nothing);\n' +
				index('d');
			const body = new Readable({ read() {} }); // whose next statement never comes
			body.push(text);
			const line = text.slice(0, text.indexOf('CREATE INDEX wrong')).split('\n').length;
			await expect(run(body, target)).rejects.toMatchObject({
				code: 'restore-failed',
				message: expect.stringContaining('column "nothing" does not exist'),
				details: { sqlState: '42703', line, byte: text.indexOf('CREATE INDEX wrong'), environment: false },
			});
			expect(body.destroyed).toBe(true);
			await eventually(server.target(), working(0));
			expect(await indexes()).toEqual([]);
		});
	});

	it('ends all sessions when it is stopped', async () => {
		await whileSlow(async () => {
			const controller = new AbortController();
			const running = run(SLOW + TABLES + index('a') + index('b') + index('c') + TRAILER, target, {
				signal: controller.signal,
			});
			running.catch(() => undefined);
			await eventually(server.target(), working(3));
			controller.abort();
			await expect(running).rejects.toMatchObject({ code: 'cancelled' });
			await eventually(server.target(), sessions(1, '%'));
		});
	});

	it('takes a dump without its end for incomplete', async () => {
		await expect(run(TABLES + `CREATE INDEX x ON public.a USING btree (i);`, target)).rejects.toMatchObject({
			code: 'incomplete',
		});
		await eventually(server.target(), sessions(0, '%'));
	});
});
