import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { builtinEngine } from '../../../../core/sources/postgres/dump/engines/builtin/host';
import type { Engine } from '../../../../core/sources/postgres/dump/engines/engine';
import { nativeEngine } from '../../../../core/sources/postgres/dump/engines/native';
import { replay } from '../../../../core/sources/postgres/replay/replay';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { rowsOf } from '../../../support/by-hand';
import { type Major, sharedPostgres, sql } from '../../../support/postgres';
import { comparable, forServer, restore } from '../../../support/psql';
import { rounds } from '../../../support/soak';

const builtin = builtinEngine();
const signal = new AbortController().signal;

async function dump(engine: Engine, target: DatabaseTarget, filter = {}): Promise<Buffer> {
	const running = await engine.start({ target, format: 'plain', filter, lockTimeoutMs: 10_000 }, { signal });
	return await buffer(running.body);
}

async function schemaOf(target: DatabaseTarget): Promise<string> {
	return comparable((await dump(builtin, target, { schemaOnly: true })).toString());
}

/** Without anything that came after PostgreSQL 13, so that older servers can restore it. */
const OLD_FEATURES = `
	CREATE SCHEMA shop;
	CREATE TYPE shop.size AS ENUM ('small', 'large');
	CREATE FUNCTION shop.double(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
	CREATE TABLE shop.customer (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, size shop.size,
		twice int GENERATED ALWAYS AS (length(name) * 2) STORED);
	CREATE TABLE shop.orders (id serial, customer int NOT NULL REFERENCES shop.customer, placed date, PRIMARY KEY (id, placed))
		PARTITION BY RANGE (placed);
	CREATE TABLE shop.orders_all PARTITION OF shop.orders DEFAULT;
	CREATE INDEX ON shop.customer (shop.double(id));
	CREATE VIEW shop.names AS SELECT name FROM shop.customer;
	CREATE MATERIALIZED VIEW shop.counts AS SELECT customer, count(*) FROM shop.orders GROUP BY 1;
	INSERT INTO shop.customer (name, size) SELECT 'customer ' || i, 'large' FROM generate_series(1, 100) i;
	INSERT INTO shop.orders (customer, placed) SELECT 1 + i % 100, DATE '2025-01-01' + i FROM generate_series(1, 500) i;
	REFRESH MATERIALIZED VIEW shop.counts;
	SELECT lo_from_bytea(4711, 'large')`;

type Case = [engine: 'built-in' | 'native', from: Major, to: Major, load: 'many-kinds' | 'old'];

/** What is not of 'many-kinds' has old features only. From one version into the same: see replay.test.ts, too. */
const CASES: Case[] = [
	['built-in', 17, 17, 'many-kinds'],
	['built-in', 13, 18, 'many-kinds'],
	['built-in', 18, 13, 'old'],
	['native', 15, 15, 'many-kinds'],
	['native', 13, 18, 'many-kinds'],
];
const MORE_CASES: Case[] = [
	['built-in', 13, 15, 'many-kinds'],
	['built-in', 15, 17, 'many-kinds'],
	['built-in', 17, 18, 'many-kinds'],
	['built-in', 15, 13, 'old'],
	['built-in', 17, 15, 'old'],
	['built-in', 18, 17, 'old'],
	['native', 13, 13, 'many-kinds'],
	['native', 15, 18, 'many-kinds'],
];

describe('a replay across versions', () => {
	it.each(rounds(CASES, [...CASES, ...MORE_CASES]))(
		'restores what the %s engine dumped of PostgreSQL %i into PostgreSQL %i exactly as psql does',
		async (name, from, to, load) => {
			const [source, server] = await Promise.all([sharedPostgres(from), sharedPostgres(to)]);
			const isOld = load === 'old';
			const original = await source.createDatabase(undefined, isOld ? {} : { load });
			if (isOld) await sql(original, OLD_FEATURES);
			// Roles belong to the server, and the tests' databases bring them along.
			else if (from !== to) await server.createDatabase(undefined, { load });
			const bytes = await dump(name === 'native' ? nativeEngine() : builtin, original);
			const [byPsql, byReplay] = [await server.createDatabase(), await server.createDatabase()];
			await restore(byPsql, forServer(to, bytes.toString()));
			await replay(Readable.from([bytes]), byReplay, { signal, connections: 3 });

			expect(await schemaOf(byReplay)).toBe(await schemaOf(byPsql));
			const rows = await rowsOf(byReplay);
			expect(rows).toEqual(await rowsOf(byPsql));
			expect(rows).toEqual(await rowsOf(original));
		},
		120_000,
	);

	it('says that the server is older when it does not know what the dump holds', async () => {
		const original = await (await sharedPostgres(18)).createDatabase(undefined, { load: 'many-kinds' });
		const server = await sharedPostgres(13);
		await server.createDatabase(undefined, { load: 'many-kinds' });
		const bytes = await dump(builtin, original);
		await expect(replay(Readable.from([bytes]), await server.createDatabase(), { signal })).rejects.toMatchObject({
			code: 'restore-failed',
			hint: expect.stringContaining('older'),
			details: { environment: true },
		});
	}, 60_000);
});
