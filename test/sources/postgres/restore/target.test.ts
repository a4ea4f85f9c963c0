import { Client } from 'pg';
import type { DatabaseFacts } from '../../../../core/sources/postgres/dump/contents';
import { moveIntoPlace, swapDatabases } from '../../../../core/sources/postgres/restore/swap';
import {
	createDatabase,
	dropDatabase,
	temporaryDatabase,
	withClient,
} from '../../../../core/sources/postgres/restore/target';
import { openSnapshot } from '../../../../core/sources/postgres/dump/snapshot';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { MAJORS, type PostgresServer, quoteName, sharedPostgres, sql } from '../../../support/postgres';

const signal = new AbortController().signal;
const servers = new Map<number, PostgresServer>();
let names = 0;
const made: Array<[PostgresServer, string]> = [];
const OWN = `target_${process.pid}`;

beforeAll(async () => {
	for (const major of MAJORS) servers.set(major, await sharedPostgres(major));
}, 120_000);
afterAll(async () => {
	for (const [server, name] of made) {
		await sql(server.target(), `DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
	}
});

function freeName(server: PostgresServer): string {
	const name = `target ${process.pid}_${++names}`;
	made.push([server, name]);
	return name;
}

async function facts(target: DatabaseTarget): Promise<DatabaseFacts> {
	const snapshot = await openSnapshot(target, { signal, lockTimeoutMs: 10_000, filter: {} });
	try {
		return (await snapshot.facts()).contents;
	} finally {
		await snapshot.close();
	}
}

async function create(server: PostgresServer, like: DatabaseFacts): Promise<{ name: string; warnings: string[] }> {
	const name = freeName(server);
	const warnings = await withClient(
		server.target(),
		signal,
		async (client) => await createDatabase(client, name, like),
	);
	return { name, warnings };
}

const localeOf = async (target: DatabaseTarget) => {
	const { encoding, collation, characterType, localeProvider, locale } = await facts(target);
	return { encoding, collation, characterType, localeProvider, locale };
};

/** A database with options of CREATE DATABASE. */
async function special(server: PostgresServer, options: string): Promise<DatabaseTarget> {
	const name = freeName(server);
	await sql(server.target(), `CREATE DATABASE ${quoteName(name)} TEMPLATE template0 ${options}`);
	return server.target(name);
}

describe('a database made like the one that was dumped', () => {
	it.each([
		['UTF8 and C', 15, "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"],
		['LATIN1', 15, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"],
		['SQL_ASCII', 13, "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"],
		['a collation of ICU', 15, "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' LC_COLLATE 'C' LC_CTYPE 'C'"],
		[
			'a collation of ICU in 18',
			18,
			"ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' LC_COLLATE 'C' LC_CTYPE 'C'",
		],
		[
			'a collation of its own',
			18,
			"ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'",
		],
	] as const)('has its encoding and its locale: %s', async (_what, major, options) => {
		const server = servers.get(major)!;
		const original = await special(server, options);
		const { name, warnings } = await create(server, await facts(original));
		expect(warnings).toEqual([]);
		expect(await localeOf(server.target(name))).toEqual(await localeOf(original));
	});

	it('has another locale, with a warning, on a server that does not know the provider', async () => {
		const original = await special(
			servers.get(18)!,
			"ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'",
		);
		for (const major of [13, 15] as const) {
			const { name, warnings } = await create(servers.get(major)!, await facts(original));
			expect(warnings).toEqual([
				expect.stringContaining('does not know the locale C.UTF-8 of builtin: the database has C,'),
			]);
			expect(await localeOf(servers.get(major)!.target(name))).toMatchObject({ encoding: 'UTF8', collation: 'C' });
		}
	});

	it('keeps its encoding where the server’s own locale does not go with it', async () => {
		const like = {
			...(await facts(servers.get(15)!.target())),
			encoding: 'LATIN1',
			collation: 'xx_YY',
			characterType: 'xx_YY',
		};
		const { name, warnings } = await create(servers.get(15)!, like);
		expect(warnings).toHaveLength(1);
		expect(await localeOf(servers.get(15)!.target(name))).toMatchObject({ encoding: 'LATIN1' });
	});

	it('is not made when the server refuses for any other reason', async () => {
		const like = await facts(servers.get(15)!.target());
		const { name } = await create(servers.get(15)!, like);
		await expect(
			withClient(servers.get(15)!.target(), signal, async (client) => await createDatabase(client, name, like)),
		).rejects.toMatchObject({ message: expect.stringContaining('already exists') });
	});
});

describe('a name for a while', () => {
	it('says what it is for, differs each time, and is never too long', () => {
		expect(temporaryDatabase('shop', 'restoring')).toMatch(/^shop_restoring_[a-z2-9]{6}$/);
		expect(temporaryDatabase('shop', 'restoring')).not.toBe(temporaryDatabase('shop', 'restoring'));
		const long = temporaryDatabase('ü'.repeat(31), 'replaced');
		expect(Buffer.byteLength(long)).toBeLessThanOrEqual(63);
		expect(long).toMatch(/^ü+_replaced_/);
	});
});

describe('putting a database into its place', () => {
	const existing = async (server: PostgresServer) =>
		new Set(
			(await sql<{ name: string }>(server.target(), 'SELECT datname AS name FROM pg_database')).map(({ name }) => name),
		);
	async function pair(server: PostgresServer): Promise<{ old: string; restored: string }> {
		const [old, restored] = [freeName(server), freeName(server)];
		await server.createDatabase(old);
		await server.createDatabase(restored);
		await sql(server.target(old), 'CREATE TABLE old ()');
		await sql(server.target(restored), 'CREATE TABLE restored ()');
		return { old, restored };
	}
	const tableIn = async (server: PostgresServer, name: string) =>
		(
			await sql<{ name: string }>(
				server.target(name),
				'SELECT tablename AS name FROM pg_tables WHERE schemaname = $1',
				['public'],
			)
		)[0]?.name;

	it.each(MAJORS)('swaps, and drops what was there, on PostgreSQL %i', async (major) => {
		const server = servers.get(major)!;
		const { old, restored } = await pair(server);
		expect(await swapDatabases(server.target(), restored, old)).toEqual([]);
		expect(await tableIn(server, old)).toBe('restored');
		const there = await existing(server);
		expect([...there].filter((name) => name === restored || name.startsWith(`${old}_`))).toEqual([]);
	});

	it('leaves everything as it was when the second rename fails', async () => {
		const server = servers.get(18)!;
		const { old } = await pair(server);
		await expect(swapDatabases(server.target(), 'no such database', old)).rejects.toMatchObject({
			code: 'database-not-found',
		});
		expect(await tableIn(server, old)).toBe('old');
		expect([...(await existing(server))].filter((name) => name.startsWith(`${old}_`))).toEqual([]);
	});

	it('does not take a name that somebody took in the meantime', async () => {
		const server = servers.get(18)!;
		const { old, restored } = await pair(server);
		await expect(moveIntoPlace(server.target(), restored, old, () => Promise.resolve())).rejects.toMatchObject({
			code: 'already-exists',
		});
		expect([await tableIn(server, old), await tableIn(server, restored)]).toEqual(['old', 'restored']);
	});

	it('works for an owner who is no superuser; sessions that he may not end stop it before anything changes', async () => {
		const server = servers.get(15)!;
		const { old, restored } = await pair(server);
		await sql(server.target(), `CREATE ROLE ${OWN} LOGIN CREATEDB PASSWORD 'p'`);
		for (const name of [old, restored]) await sql(server.target(), `ALTER DATABASE ${quoteName(name)} OWNER TO ${OWN}`);
		const limited = { ...server.target(), user: OWN, password: 'p' };
		const target = server.target(old);
		const holder = new Client({ ...target, ssl: false });
		holder.on('error', () => undefined);
		await holder.connect();
		try {
			await expect(swapDatabases(limited, restored, old)).rejects.toMatchObject({ code: 'locked' });
			expect(await tableIn(server, old)).toBe('old');
			await holder.end();
			const own = new Client({ ...target, user: OWN, password: 'p', ssl: false });
			const ended = new Promise((resolve) => own.on('error', () => undefined).once('end', resolve));
			await own.connect();
			expect(await swapDatabases(limited, restored, old)).toEqual([]);
			await ended;
			expect(await tableIn(server, old)).toBe('restored');
		} finally {
			await holder.end();
			await sql(server.target(), `DROP DATABASE ${quoteName(old)} WITH (FORCE)`);
			await sql(server.target(), `DROP DATABASE IF EXISTS ${quoteName(restored)} WITH (FORCE)`);
			await sql(server.target(), `DROP ROLE ${OWN}`);
		}
	}, 60_000);

	it('says where the replaced database is when it cannot be dropped', async () => {
		const server = servers.get(18)!;
		const { old, restored } = await pair(server);
		await sql(server.target(), `ALTER DATABASE ${quoteName(old)} IS_TEMPLATE true`); // which the server refuses to drop
		const warnings = await swapDatabases(server.target(), restored, old);
		const [, aside] = /still there as (.*_replaced_\w{6}):/.exec(warnings.join('\n')) ?? [];
		expect(await tableIn(server, aside!)).toBe('old');
		expect(await tableIn(server, old)).toBe('restored');
		await sql(server.target(), `ALTER DATABASE ${quoteName(aside!)} IS_TEMPLATE false`);
		await dropDatabase(server.target(), aside!);
		expect((await existing(server)).has(aside!)).toBe(false);
	});

	it('lets no setting of the old database become a statement of ours', async () => {
		const server = servers.get(18)!;
		const { old, restored } = await pair(server);
		const evil = `public; DROP TABLE restored; --`;
		await sql(
			server.target(old),
			`SELECT set_config('search_path', '"${evil}"', false); ALTER DATABASE ${quoteName(old)} SET search_path FROM CURRENT`,
		);
		await sql(server.target(), `ALTER DATABASE ${quoteName(old)} SET default_transaction_read_only TO on`);
		expect(await swapDatabases(server.target(), restored, old)).toEqual([]);
		expect(await sql(server.target(old), 'SHOW search_path')).toEqual([{ search_path: `"${evil}"` }]);
		expect(await tableIn(server, old)).toBe('restored');
	});
});
