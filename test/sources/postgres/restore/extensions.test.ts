/** Extensions that a place has already, and those that it cannot have. */
import { Readable } from 'node:stream';
import { connect, disconnect } from '../../../../core/sources/postgres/connection/connection';
import { replay } from '../../../../core/sources/postgres/replay/replay';
import { blameFor } from '../../../../core/sources/postgres/replay/verdict';
import { assertEmpty } from '../../../../core/sources/postgres/restore/target';
import { KEEP_ALL } from '../../../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { type PostgresServer, sharedPostgres, sql } from '../../../support/postgres';

const { signal } = new AbortController();
let server: PostgresServer;
let target: DatabaseTarget;
beforeAll(async () => {
	server = await sharedPostgres(17);
	target = await server.createDatabase();
}, 60_000);

async function assertIsEmpty(): Promise<void> {
	const client = await connect(target, { signal });
	try {
		await assertEmpty(client, target);
	} finally {
		await disconnect(client);
	}
}

it('a database with nothing but extensions is empty, whatever types they bring', async () => {
	// Of the types of tablefunc, three are composite.
	await sql(target, 'CREATE EXTENSION tablefunc; CREATE EXTENSION hstore; CREATE EXTENSION seg');
	await assertIsEmpty();
	await sql(target, 'CREATE TYPE mine AS (a int)');
	await expect(assertIsEmpty()).rejects.toMatchObject({
		code: 'already-exists',
		message: expect.stringContaining('public.mine'),
	});
});

/** What pg_dump writes of a database with pg_cron, whose schema and tables are the extension's. */
const WITH_CRON = `CREATE EXTENSION IF NOT EXISTS pg_cron WITH SCHEMA pg_catalog;
COMMENT ON EXTENSION pg_cron IS 'Job scheduler for PostgreSQL';
CREATE SCHEMA app;
CREATE TABLE app.t (i integer);
COPY app.t (i) FROM stdin;
1
\\.
COPY cron.job (jobid, schedule, command) FROM stdin;
1	* * * * *	VACUUM
\\.
SELECT pg_catalog.setval('cron.jobid_seq', 1, true);
GRANT USAGE ON SCHEMA cron TO PUBLIC;
GRANT ALL ON FUNCTION cron.schedule(schedule text, command text) TO PUBLIC;
GRANT SELECT ON TABLE cron.job TO PUBLIC;
GRANT SELECT ON TABLE app.t TO PUBLIC;

--
-- PostgreSQL database dump complete
--

`;

it('an extension is left out by name with all that the dump has of it, and nothing else is', async () => {
	const run = async (database: DatabaseTarget, withoutExtensions: string[]) =>
		await replay(Readable.from([Buffer.from(WITH_CRON)]), database, {
			signal,
			rules: { ...KEEP_ALL, withoutExtensions },
		});
	await expect(run(await server.createDatabase(), [])).rejects.toMatchObject({ details: { environment: true } });
	const restored = await server.createDatabase();
	expect(await run(restored, ['pg_cron'])).toMatchObject({ leftOut: 7, rows: 1 });
	expect(
		await sql(restored, "SELECT i, has_table_privilege('public', 'app.t', 'SELECT') AS readable FROM app.t"),
	).toEqual([{ i: 1, readable: true }]);
});

it('an extension that refuses its database says what can be done', () => {
	const refusal = {
		sqlState: 'P0001',
		message: 'can only create extension in database postgres',
		statement: 'CREATE EXTENSION IF NOT EXISTS pg_cron WITH SCHEMA pg_catalog;',
		serverAge: 'same',
		isPart: false,
		missing: null,
		differs: [],
	} as const;
	expect(blameFor(refusal)).toMatchObject({ environment: true, hint: expect.stringContaining('--without-extension') });
});
