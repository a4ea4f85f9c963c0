import type { AssertionResult } from '../../../../core/sources/source';
import { runAssertions } from '../../../../core/sources/postgres/drill/assertions';
import type { Query } from '../../../../core/sources/postgres/connection/query';
import { connect, disconnect } from '../../../../core/sources/postgres/connection/connection';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { sharedPostgres, sql } from '../../../support/postgres';

let target: DatabaseTarget;
beforeAll(async () => {
	target = await (await sharedPostgres(15)).createDatabase();
	await sql(target, 'CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 3) i');
}, 120_000);

async function ask(text: string, timeoutMs?: number): Promise<AssertionResult> {
	const client = await connect(target, { signal: new AbortController().signal });
	const query: Query = async <Row extends object>(statement: string, values?: unknown[]) =>
		(await client.query<Row>(statement, values)).rows;
	try {
		const [result] = await runAssertions(query, [{ name: 'question', sql: text }], timeoutMs);
		return result!;
	} finally {
		await disconnect(client);
	}
}

describe('an assertion', () => {
	it.each([
		'SELECT true',
		"SELECT 't'",
		"SELECT 'true'::text",
		'SELECT 1',
		'SELECT count(*) FROM t',
		'SELECT 0.5::numeric',
		'SELECT -1',
		'SELECT 1e-3::float8',
		'SELECT id FROM t ORDER BY id',
		'WITH x AS (SELECT 1 AS i) SELECT i FROM x;',
		'VALUES (true)',
		"(SELECT ';' = ';') -- ; DROP TABLE t",
	])('passes with the answer of %s', async (text) => {
		expect(await ask(text)).toEqual({ name: 'question', ok: true, message: null });
	});

	it.each([
		['SELECT false', 'it answered false'],
		["SELECT 'f'", 'it answered f'],
		['SELECT 0', 'it answered 0'],
		['SELECT 0::bigint', 'it answered 0'],
		["SELECT '0.00'::numeric", 'it answered 0.00'],
		['SELECT NULL::boolean', 'it answered null'],
		["SELECT 'yes, I think'", 'it answered yes, I think'],
		["SELECT 'NaN'::float8", 'it answered null'],
		['SELECT true WHERE false', 'it gave no row'],
		['SELECT FROM t', 'it answered null'],
		['SELECT * FROM not_there', 'relation "not_there" does not exist'],
		['SELECT 1 / (count(*) - 3) FROM t', 'division by zero'],
	])('fails with the answer of %s', async (text, message) => {
		expect(await ask(text)).toEqual({ name: 'question', ok: false, message });
	});

	it.each([
		'SELEC 1',
		'DELETE FROM t',
		'CREATE TABLE x (id int)',
		'COPY t TO PROGRAM $$id$$',
		'DO $$BEGIN RAISE EXCEPTION $x$no$x$; END$$',
		'COMMIT',
		'SELECT true; COMMIT; DROP TABLE t',
		'SELECT true INTO x',
		'WITH gone AS (DELETE FROM t RETURNING 1) SELECT count(*) FROM gone',
		'SELECT no_such_function()',
		"SELECT set_config('transaction_read_only', 'off', false)",
		'',
	])('that says %s is wrong itself, and says nothing of the data', async (text) => {
		await expect(ask(text)).rejects.toMatchObject({
			code: 'invalid-input',
			message: expect.stringContaining('question'),
		});
		expect(await sql(target, 'SELECT count(*)::int AS n FROM t')).toEqual([{ n: 3 }]);
	});

	it('that takes too long says nothing of the data', async () => {
		await expect(ask('SELECT pg_sleep(60)', 200)).rejects.toMatchObject({ code: 'timed-out' });
	});

	it('on a connection that breaks says nothing of the data', async () => {
		await expect(ask('SELECT pg_terminate_backend(pg_backend_pid())')).rejects.toMatchObject({ code: '57P01' });
	});
});
