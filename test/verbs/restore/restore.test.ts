import { generateIdentity } from '../../../core/codecs/age/keys';
import { KEEP_ALL } from '../../../core/sources/postgres/replay/rewrite';
import { objectKey } from '../../../core/records/layout';
import { restoreDatabase } from '../../support/database-verbs';
import type { DatabaseRestoreRequest } from '../../support/database-verbs';
import { makeBackup } from '../../support/backups';
import { definitionOf, rowsOf } from '../../support/by-hand';
import { sql, startPostgres } from '../../support/postgres';
import { damaged, makeShop, type Shop } from '../../support/shop';

let shop: Shop;
beforeAll(async () => {
	shop = await makeShop();
}, 120_000);
afterAll(async () => await shop.remove());

describe('a restore into a new database', () => {
	it('makes it as it was, compares every table, and says how long it took', async () => {
		const phases = new Set<string>();
		const job = shop.request({ onProgress: ({ phase }) => phases.add(phase) });
		const result = await restoreDatabase(job);
		const restored = shop.at(job.into.database);
		expect(await definitionOf(restored)).toBe(await definitionOf(shop.source));
		expect(await rowsOf(restored)).toEqual(await rowsOf(shop.source));
		expect(result).toMatchObject({
			database: job.into.database,
			mode: 'new',
			rows: 5002,
			comparison: { ok: true, figures: { tables: 2, rows: 5002, hashed: 2, largeObjects: 1 }, differences: [] },
			warnings: [],
		});
		expect(result.seconds).toBeGreaterThan(0);
		expect(result.originalBytes).toBeGreaterThan(3_000_000);
		expect([...phases]).toEqual(['preparing', 'restoring', 'comparing', 'swapping']);
	}, 60_000);

	it('is refused when there is one of that name', async () => {
		const { database } = await shop.server.createDatabase();
		await expect(restoreDatabase(shop.request({ into: { mode: 'new', database } }))).rejects.toMatchObject({
			code: 'already-exists',
		});
	});

	it('is refused under names that cannot be, or that are the server’s own', async () => {
		for (const database of ['', 'a\0b', 'x'.repeat(64), 'template0']) {
			await expect(restoreDatabase(shop.request({ into: { mode: 'new', database } }))).rejects.toMatchObject({
				code: 'invalid-input',
			});
		}
	});

	it('takes names with every awkward character as they are', async () => {
		const database = shop.freeName(`o'dd "na=me\\ ; DROP`);
		await restoreDatabase(shop.request({ into: { mode: 'new', database } }));
		expect(await rowsOf(shop.at(database))).toEqual(await rowsOf(shop.source));
	}, 60_000);

	it('only tables that were asked for come, and only they are compared', async () => {
		const job = shop.request({ rules: { ...KEEP_ALL, only: { tables: ['names'] } } });
		expect((await restoreDatabase(job)).comparison).toMatchObject({
			ok: true,
			figures: { tables: 1, rows: 2, hashed: 1 },
		});
		expect(await sql(shop.at(job.into.database), "SELECT to_regclass('shop.orders') AS orders")).toEqual([
			{ orders: null },
		]);
	}, 60_000);

	it('has the encoding of the original, LATIN1 here', async () => {
		const latin1 = await shop.server.createDatabase(undefined, {
			encoding: "LATIN1' LC_COLLATE 'C' LC_CTYPE 'C",
			load: 'latin1',
		});
		const job = shop.request(await makeBackup(latin1, { contentHash: true }));
		const { comparison } = await restoreDatabase(job);
		expect(comparison).toMatchObject({ ok: true });
		expect(comparison.figures.hashed).toBeGreaterThan(0);
		const encoding = 'SELECT pg_encoding_to_char(encoding) AS name FROM pg_database WHERE datname = current_database()';
		expect(await sql(shop.at(job.into.database), encoding)).toEqual([{ name: 'LATIN1' }]);
		expect(await rowsOf(shop.at(job.into.database))).toEqual(await rowsOf(latin1));
	}, 60_000);

	it('has the server’s own locale, with a warning, where the server does not know the original’s', async () => {
		const strange = await makeBackup(shop.source, {
			changeContents: (contents) => ({ ...contents, collation: 'xx_YY.UTF-8', characterType: 'xx_YY.UTF-8' }),
		});
		const { warnings, comparison } = await restoreDatabase(shop.request(strange));
		expect(comparison.ok).toBe(true);
		expect(warnings).toEqual([
			expect.stringMatching(/does not know the locale xx_YY.UTF-8: the database has the server’s own/),
		]);
	}, 60_000);
});

describe('a restore into an empty database', () => {
	it('fills it', async () => {
		const { database } = await shop.server.createDatabase();
		const { comparison } = await restoreDatabase(shop.request({ into: { mode: 'empty', database } }));
		expect(comparison.ok).toBe(true);
		expect(await rowsOf(shop.at(database))).toEqual(await rowsOf(shop.source));
	}, 60_000);

	it.each([
		['a table', 'CREATE TABLE t (id int)', /1 table \(public\.t\)/],
		['a schema', 'CREATE SCHEMA s', /1 schema \(s\)/],
		[
			'functions',
			"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'",
			/2 functions \(public\.f, …\)/,
		],
		['an enum', "CREATE TYPE e AS ENUM ('a')", /1 type \(public\.e\)/],
		['a large object', "SELECT lo_from_bytea(7, 'x')", /1 large object \(7\)/],
	])('is refused when there is %s in it', async (_what, statements, words) => {
		const target = await shop.server.createDatabase();
		await sql(target, statements);
		await expect(
			restoreDatabase(shop.request({ into: { mode: 'empty', database: target.database } })),
		).rejects.toMatchObject({ code: 'already-exists', message: expect.stringMatching(words) });
	});

	it('says that it is half filled when it failed', async () => {
		const { database } = await shop.server.createDatabase();
		const broken = await damaged(shop.backup);
		await expect(restoreDatabase(shop.request({ ...broken, into: { mode: 'empty', database } }))).rejects.toMatchObject(
			{
				code: 'damaged',
				hint: expect.stringContaining('half filled'),
			},
		);
	}, 60_000);
});

describe('before anything is written', () => {
	it('the wrong identity is found', async () => {
		const [right, wrong] = [await generateIdentity(), await generateIdentity()];
		const secret = await makeBackup(shop.source, { encryption: { recipients: [right.recipient] } });
		for (const keys of [{ identities: [wrong.identity] }, null]) {
			const job = shop.request({ ...secret, keys });
			await expect(restoreDatabase(job)).rejects.toMatchObject({
				code: 'wrong-identity',
				// Nobody may have named it: the newest is chosen.
				message: expect.stringContaining(`${secret.group}/${secret.label}`),
			});
			expect(await shop.databases()).not.toContain(job.into.database);
		}
		expect(await shop.leftovers()).toEqual([]);
		const { comparison } = await restoreDatabase(shop.request({ ...secret, keys: { identities: [right.identity] } }));
		expect(comparison.ok).toBe(true);
	}, 60_000);

	it('a missing object is found', async () => {
		const { storage, repository, group, label } = await makeBackup(shop.source);
		await storage.remove(objectKey(group, label, 'dump.sql.zst'));
		await expect(restoreDatabase(shop.request({ repository, group, label }))).rejects.toMatchObject({
			code: 'not-found',
		});
	}, 60_000);

	it('all missing roles and extensions are found at once, with the SQL that creates the roles', async () => {
		const lacking = await makeBackup(shop.source, {
			changeContents: (contents) => ({
				...contents,
				roles: ['"no" such', 'nobody'],
				owners: ['nobody'],
				extensions: [...contents.extensions, { name: 'postgis', version: '3.5' }],
			}),
		});
		const job = shop.request(lacking);
		await expect(restoreDatabase(job)).rejects.toMatchObject({
			code: 'missing-requirements',
			message: expect.stringMatching(/"nobody".*"""no"" such".*postgis 3\.5/),
			hint: expect.stringContaining('CREATE ROLE "nobody"; CREATE ROLE """no"" such";'),
		});
		expect(await shop.databases()).not.toContain(job.into.database);
		expect(await shop.leftovers()).toEqual([]);
	}, 60_000);
});

describe('the roles of the original server', () => {
	it('are made before they are needed, and not when anything else is missing', async () => {
		const [from, to] = [await startPostgres(18), await startPostgres(17)];
		try {
			const target = await from.createDatabase();
			await sql(target, 'CREATE ROLE clerk; CREATE TABLE t (id int); ALTER TABLE t OWNER TO clerk');
			const saved = await makeBackup(target, { globals: 'roles' });
			const job = (change: Partial<DatabaseRestoreRequest>) =>
				shop.request({ ...saved, server: to.target(), ...change });
			await expect(restoreDatabase(job({}))).rejects.toMatchObject({ code: 'missing-requirements' });
			const lacking = await makeBackup(target, {
				globals: 'roles',
				changeContents: (contents) => ({ ...contents, extensions: [{ name: 'postgis', version: '3' }] }),
			});
			await expect(restoreDatabase(job({ ...lacking, globals: true }))).rejects.toMatchObject({
				message: expect.not.stringContaining('clerk'),
			});
			expect(await sql(to.target(), `SELECT FROM pg_roles WHERE rolname = 'clerk'`)).toEqual([]);
			const job2 = job({ globals: true });
			expect((await restoreDatabase(job2)).comparison.ok).toBe(true);
			expect(
				await sql(to.target(job2.into.database), `SELECT tableowner FROM pg_tables WHERE tablename = 't'`),
			).toEqual([{ tableowner: 'clerk' }]);
		} finally {
			await Promise.all([from.stop(), to.stop()]);
		}
	}, 120_000);
});
