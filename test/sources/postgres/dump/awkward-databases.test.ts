/**
 * Databases that are hard to dump, to take apart or to put together again: the replay has to make of their dumps what psql
 * makes of them, and what the original was. Each is a file in test/support/databases; more are in replay.test.ts.
 */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { builtinEngine } from '../../../../core/sources/postgres/dump/engines/builtin/host';
import { replay } from '../../../../core/sources/postgres/replay/replay';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { definitionOf, rowsOf } from '../../../support/by-hand';
import { type CreateOptions, type Major, type PostgresServer, sharedPostgres, sql } from '../../../support/postgres';
import { comparable, forServer, restore } from '../../../support/psql';
import { rounds } from '../../../support/soak';

const engine = builtinEngine();

async function dump(target: DatabaseTarget, schemaOnly = false): Promise<Buffer> {
	const request = { target, format: 'plain', filter: { schemaOnly }, lockTimeoutMs: 10_000 } as const;
	return await buffer((await engine.start(request, { signal: new AbortController().signal })).body);
}

async function replayed(bytes: Buffer, target: DatabaseTarget): Promise<void> {
	await replay(Readable.from(pieces(bytes)), target, { signal: new AbortController().signal });
}

/** Pieces of a size that no border in a dump has a reason to keep to. */
function* pieces(bytes: Buffer): Generator<Buffer> {
	for (let at = 0; at < bytes.length; at += 16_381) yield bytes.subarray(at, at + 16_381);
}

/** All that can be told of a database: its definition, its rows, and whose its large objects are. */
async function factsOf(target: DatabaseTarget, major: Major): Promise<Record<string, unknown>> {
	return {
		// Debian's pg_dump reads servers up to 15.
		definition: major <= 15 ? await definitionOf(target) : comparable((await dump(target, true)).toString('latin1')),
		rows: await rowsOf(target),
		largeObjects: await sql(
			target,
			`SELECT m.oid, m.lomowner::regrole::text AS owner, m.lomacl::text AS rights, d.description AS comment
			 FROM pg_largeobject_metadata m LEFT JOIN pg_description d ON d.objoid = m.oid AND d.classoid = 'pg_largeobject'::regclass
			 ORDER BY m.oid`,
		),
	};
}

const DATABASES: Array<[string, CreateOptions]> = [
	['partitions of all kinds and in all states', { load: 'partitions' }],
	['identities, sequences and generated columns', { load: 'made-columns' }],
	['circles of foreign keys', { load: 'circles' }],
	['event triggers that log, refuse, are off or for replicas', { load: 'event-triggers' }],
	['names of everything made of quotes, newlines, backslashes and semicolons', { load: 'names' }],
	['rows that look like the end of rows', { load: 'copy-data' }],
	['every character of LATIN1', { load: 'latin1-everywhere', encoding: 'LATIN1' }],
	['large objects with owners, rights and comments', { load: 'large-object-rights' }],
];

/** On the newest version; on the oldest as well in `npm run soak`. */
describe.each(rounds<Major[]>([18], [13, 18]))('a database on PostgreSQL %i', (major) => {
	let server: PostgresServer;
	beforeAll(async () => {
		server = await sharedPostgres(major);
	}, 120_000);

	it.each(DATABASES)('with %s is what it was after a replay, and what psql makes of it', async (_, options) => {
		const { encoding } = options;
		const original = await server.createDatabase(undefined, options);
		const byPsql = await server.createDatabase(undefined, { encoding });
		const byReplay = await server.createDatabase(undefined, { encoding });
		const bytes = await dump(original);
		await restore(byPsql, Buffer.from(forServer(major, bytes.toString('latin1')), 'latin1'));
		await replayed(bytes, byReplay);

		const facts = await factsOf(byReplay, major);
		expect(facts).toEqual(await factsOf(byPsql, major));
		expect(facts).toEqual(await factsOf(original, major));
	});
});

describe('a restored database', () => {
	let server: PostgresServer;
	beforeAll(async () => {
		server = await sharedPostgres(18);
	}, 120_000);

	it('goes on counting where the original was, in sequences and identities', async () => {
		const original = await server.createDatabase(undefined, { load: 'made-columns' });
		const restored = await server.createDatabase();
		await replayed(await dump(original), restored);
		const insertions = [
			`INSERT INTO always (name) VALUES ('next') RETURNING id::text`,
			`INSERT INTO small DEFAULT VALUES RETURNING id::text`,
			`INSERT INTO untouched DEFAULT VALUES RETURNING id::text`,
			`INSERT INTO later DEFAULT VALUES RETURNING id::text`,
			`SELECT concat_ws(' ', nextval('fresh'), nextval('called'), nextval('set_only'), nextval('downward')) AS id`,
			`INSERT INTO computed (base, words) VALUES (21, 'x') RETURNING concat_ws(' ', twice, upper) AS id`,
		];
		for (const insertion of insertions) expect(await sql(restored, insertion)).toEqual(await sql(original, insertion));
		const refusals = {
			'INSERT INTO always VALUES (1)': 'cannot insert a non-DEFAULT value',
			'INSERT INTO used_up DEFAULT VALUES': 'reached maximum value',
			"SELECT nextval('tiny')": 'reached maximum value',
		};
		for (const [refused, why] of Object.entries(refusals)) await expect(sql(restored, refused)).rejects.toThrow(why);
	});

	it('obeys its event triggers', async () => {
		const original = await server.createDatabase(undefined, { load: 'event-triggers' });
		const restored = await server.createDatabase();
		await replayed(await dump(original), restored);
		await expect(sql(restored, 'CREATE TABLE more ()')).rejects.toThrow('CREATE TABLE; refused');
		await sql(restored, 'DROP TABLE seen');
		const [last] = await sql(restored, 'SELECT tag, object FROM ddl_log ORDER BY at DESC LIMIT 1');
		expect(last).toMatchObject({ tag: 'DROP TABLE' });
	});
});
