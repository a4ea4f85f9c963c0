import { NodeOperationError } from 'n8n-workflow';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { createStorage } from '../../core/storage/create';
import { RestoreBackup } from '../../nodes/RestoreBackup/RestoreBackup.node';
import { ACTOR, fakeContext, fakeListContext, type FakeNode } from '../support/fake-node';
import { runsIn } from '../support/runs';
import { type NodeBackups, nodeBackups } from '../support/node-backups';
import { type PostgresServer, sharedPostgres, sql } from '../support/postgres';
import { until } from '../support/until';

const GROUP = 'postgres/shop';
const node = new RestoreBackup();
let server: PostgresServer;
let source: DatabaseTarget;
let backups: NodeBackups;
/** Oldest first; a row was added between the two. */
let labels: [string, string];
let between: Date;
let names = 0;

beforeAll(async () => {
	server = await sharedPostgres(18);
	source = await server.createDatabase();
	await sql(source, `CREATE TABLE t AS SELECT i AS id, 'SECRET-ROW-' || i AS v FROM generate_series(1, 500) i`);
	await sql(source, 'CREATE SCHEMA other; CREATE TABLE other.o AS SELECT 1 AS one');
	backups = await nodeBackups(source);
	const first = await backups.add(GROUP);
	// Labels have seconds.
	between = new Date(Math.ceil(Date.now() / 1000) * 1000);
	await until('the next label has another second', () => Date.now() > between.getTime() + 1000);
	await sql(source, "INSERT INTO t VALUES (501, 'later')");
	labels = [first, await backups.add(GROUP)];
}, 120_000);

afterAll(() => backups?.remove());

/** A name that no database of the server has. */
function newName(): string {
	return `${source.database}_${(names += 1)}`;
}

async function run(parameters: Record<string, unknown>, more: Partial<FakeNode> = {}) {
	const defaults = {
		operation: 'restoreDatabase',
		group: GROUP,
		backup: 'newest',
		encryption: 'age',
		into: 'new',
		options: {},
	};
	const credentials = backups.credentials();
	const fake = fakeContext({ parameters: { ...defaults, ...parameters }, credentials, ...more });
	const [items] = await node.execute.call(fake.context);
	return { items: items!, ...fake };
}

async function rowsIn(database: string): Promise<number> {
	const [row] = await sql<{ n: number }>({ ...source, database }, 'SELECT count(*)::int AS n FROM t');
	return row!.n;
}

async function exists(database: string): Promise<boolean> {
	return (await sql(source, 'SELECT FROM pg_database WHERE datname = $1', [database])).length > 0;
}

/** Everything that must never be seen in items, hints or errors. */
function expectNoSecret(seen: unknown): void {
	const text = JSON.stringify(seen);
	for (const secret of [source.password!, backups.keys.identity, 'SECRET-ROW']) expect(text).not.toContain(secret);
}

describe('Restore Backup', () => {
	it('restores the newest backup into a new database and says that it is what was backed up', async () => {
		const database = newName();
		const { items, hints, messages } = await run({ database });
		expect(items).toEqual([
			{
				pairedItem: { item: 0 },
				json: expect.objectContaining({
					ok: true,
					countsMatch: true,
					differences: [],
					group: GROUP,
					label: labels[1],
					database,
					mode: 'new',
					tablesCompared: 2,
					rowsCompared: 502,
					seconds: expect.any(Number),
					restoredTo: expect.stringContaining(database),
				}),
			},
		]);
		const summary = new RegExp(`^${database}: \\d.* of ${GROUP} restored, compared: 2 tables, 502 rows$`);
		expect(Object.entries(items[0]!.json)[0]).toEqual(['summary', expect.stringMatching(summary)]);
		expect(await rowsIn(database)).toBe(501);
		expectNoSecret([items, hints, messages]);
	});

	it('leaves in the journal which workflow, execution and node it was', async () => {
		await run({ database: newName() });
		const runs = await runsIn(createStorage({ type: 'folder', path: backups.folder }));
		expect(runs).toContainEqual({ verb: 'restore', state: 'ok', actor: ACTOR });
	});

	it('restores the backup that is chosen by its label', async () => {
		const database = newName();
		const { items } = await run({ database, backup: 'label', label: labels[0] });
		expect(items[0]!.json).toMatchObject({ ok: true, label: labels[0] });
		expect(await rowsIn(database)).toBe(500);
	});

	it('restores the newest backup before a time, which without an offset is local time of the workflow', async () => {
		const database = newName();
		// Tokyo is nine hours ahead, all year.
		const time = new Date(between.getTime() + 9 * 3_600_000).toISOString().slice(0, 19);
		const { items } = await run({ database, backup: 'before', time }, { timeZone: 'Asia/Tokyo' });
		expect(items[0]!.json).toMatchObject({ ok: true, label: labels[0] });
		await expect(run({ database: newName(), backup: 'before', time: '1999-12-31T00:00:00Z' })).rejects.toThrow(
			/before 1999-12-31/,
		);
	});

	it('replaces a database only when its name is typed a second time', async () => {
		const database = newName();
		await server.createDatabase(database);
		await sql({ ...source, database }, 'CREATE TABLE made_since ()');
		const place = { into: 'replace', database };
		for (const confirmation of ['', `${database}x`]) {
			await expect(run({ ...place, confirmation })).rejects.toThrow(NodeOperationError);
			expect(await sql({ ...source, database }, 'SELECT FROM made_since')).toEqual([]);
		}
		const { items } = await run({ ...place, confirmation: database });
		expect(items[0]!.json).toMatchObject({ ok: true, mode: 'replace', database });
		expect(await rowsIn(database)).toBe(501);
	});

	it('replaces the database that its own credential names', async () => {
		const database = newName();
		await server.createDatabase(database);
		const credentials = backups.credentials();
		credentials.postgres.database = database;
		const { items } = await run({ into: 'replace', database, confirmation: database }, { credentials });
		expect(items[0]!.json).toMatchObject({ ok: true, mode: 'replace', database });
		expect(await rowsIn(database)).toBe(501);
	});

	it('replaces a database as a user who may only create databases', async () => {
		const database = newName();
		const user = `${database}_owner`;
		await sql(source, `CREATE ROLE ${user} LOGIN CREATEDB PASSWORD 'for-the-test'`);
		await server.createDatabase(database);
		await sql(source, `ALTER DATABASE ${database} OWNER TO ${user}`);
		const credentials = backups.credentials();
		credentials.postgres = { ...credentials.postgres, database, user, password: 'for-the-test' };
		const options = { owners: 'drop', privileges: 'drop' };
		const { items } = await run({ into: 'replace', database, confirmation: database, options }, { credentials });
		expect(items[0]!.json).toMatchObject({ ok: true, mode: 'replace', database });
	});

	it('restores into an existing database only when it is empty', async () => {
		const database = newName();
		await server.createDatabase(database);
		const { items } = await run({ into: 'empty', database });
		expect(items[0]!.json).toMatchObject({ ok: true, mode: 'empty' });
		await expect(run({ into: 'empty', database })).rejects.toThrow(NodeOperationError);
	});

	it('restores only the tables that are named', async () => {
		const database = newName();
		const { items } = await run({ database, options: { tables: 'other.o', owners: 'drop', privileges: 'drop' } });
		expect(items[0]!.json).toMatchObject({ ok: true, tablesCompared: 1, rowsCompared: 1 });
		await expect(rowsIn(database)).rejects.toThrow(/"t" does not exist/);
	});

	it('gives owners another name where roles are mapped', async () => {
		const owner = `${source.database}_owner`;
		await sql(source, `CREATE ROLE ${owner}`);
		const database = newName();
		const roles = { role: [{ from: source.user, to: owner }] };
		expect((await run({ database, options: { roles } })).items[0]!.json).toMatchObject({ ok: true });
		const [table] = await sql(
			{ ...source, database },
			"SELECT relowner::regrole::text AS o FROM pg_class WHERE oid = 't'::regclass",
		);
		expect(table).toEqual({ o: owner });
	});

	it('restores a backup that was made without encryption, with no key', async () => {
		await backups.add('postgres/open', { encrypted: false });
		const { postgres, backupStorageApi } = backups.credentials();
		const database = newName();
		const credentials = { postgres, backupStorageApi };
		const { items } = await run({ group: 'postgres/open', encryption: 'none', database }, { credentials });
		expect(items[0]!.json).toMatchObject({ ok: true });
	});

	it('says where to restore when n8n knows only recipients, before anything starts', async () => {
		const credentials = backups.credentials();
		credentials.backupEncryptionApi.identity = '';
		const database = newName();
		const failure: unknown = await run({ database }, { credentials }).catch((error: unknown) => error);
		expect(failure).toMatchObject({
			message: expect.stringContaining('no identity'),
			description: expect.stringContaining('n8n-backup restore --identity'),
		});
		expect(await exists(database)).toBe(false);
	});

	it.each([
		['a group without backups', { group: 'postgres/shoe' }, /no backup of postgres\/shoe/],
		['no group', { group: '' }, /"Group" is empty/],
		['a label that is not there', { backup: 'label', label: '20200101T000000Z-full-aaaa' }, /no backup 20200101/],
		['an invalid time', { backup: 'before', time: 'yesterday' }, /"Time" is not a valid time: yesterday/],
		['an unknown choice', { backup: 'oldest' }, /invalid value for "Which Backup": oldest/],
		['an unknown place', { into: 'beside' }, /invalid value for "Restore Into": beside/],
		['no database', { database: ' ' }, /"Database" is empty/],
		['something that cannot be allowed', { options: { allow: ['everything'] } }, /"everything" cannot be allowed/],
		['half a connection', { options: { connections: 0.5 } }, /invalid value for "Connections": 0.5/],
		['a role without a name', { options: { roles: { role: [{ from: 'a', to: ' ' }] } } }, /"On This Server" is empty/],
	])('%s is a clear error with a hint', async (_, parameters, message) => {
		const database = newName();
		const failure: unknown = await run({ database, ...parameters }).catch((error: unknown) => error);
		expect(failure).toBeInstanceOf(NodeOperationError);
		expect(failure).toMatchObject({
			message: expect.stringMatching(message),
			description: expect.stringMatching(/\.$/),
		});
		expect(await exists(database)).toBe(false);
	});

	it('fails when what was restored is not what was backed up, and says what differs', async () => {
		const label = await backups.add('postgres/lie', { lie: true });
		const failure: unknown = await run({ group: 'postgres/lie', database: newName() }).catch((error: unknown) => error);
		expect(failure).toBeInstanceOf(NodeOperationError);
		expect(failure).toMatchObject({
			message: expect.stringMatching(/not what was backed up as postgres\/lie\/.*other\.o: 1 .*instead of 2/),
			description: expect.stringContaining('Do not use this database'),
		});

		const database = newName();
		const { items } = await run({ group: 'postgres/lie', database }, { continueOnFail: true });
		const { error, details, ...more } = items[0]!.json;
		// n8n routes by these keys: see toErrorItem.
		expect(more).toEqual({});
		expect(error).toEqual(expect.stringContaining('not what was backed up'));
		expect(details).toMatchObject({
			...{ ok: false, countsMatch: false, code: 'different', group: 'postgres/lie', label, database },
			differences: [{ item: 'other.o', expected: expect.stringContaining('2'), found: expect.stringContaining('1') }],
			seconds: expect.any(Number),
		});
	});

	it('leaves the database that was to be replaced as it is when what was restored differs', async () => {
		const database = newName();
		await server.createDatabase(database);
		await sql({ ...source, database }, 'CREATE TABLE made_since ()');
		const place = { group: 'postgres/lie', into: 'replace', database, confirmation: database };
		await expect(run(place)).rejects.toMatchObject({
			description: expect.stringContaining('The database that was there is untouched'),
		});
		expect(await sql({ ...source, database }, 'SELECT FROM made_since')).toEqual([]);
	});

	it('routes a failed restore to the error output where the node continues on errors', async () => {
		const { items } = await run({ database: source.database }, { continueOnFail: true });
		// n8n routes by these keys: see toErrorItem.
		expect(items).toEqual([
			{
				pairedItem: { item: 0 },
				json: { error: expect.any(String), details: { code: 'already-exists', hint: expect.any(String) } },
			},
		]);
	});

	it('stops when the run is stopped, and leaves no database', async () => {
		const database = newName();
		await expect(run({ database }, { signal: AbortSignal.abort() })).rejects.toThrow(/stopped/);
		expect(await exists(database)).toBe(false);
	});
});

describe('the lists of Restore Backup', () => {
	const { searchGroups, searchBackups } = node.methods.listSearch;

	it('show every group with its newest backup, by any part of its name', async () => {
		const context = fakeListContext({ parameters: {}, credentials: backups.credentials() });
		const { results } = await searchGroups.call(context, 'SHOP');
		expect(results).toEqual([
			{ name: expect.stringMatching(/^postgres\/shop · 2 backups, newest \d{4}-/), value: GROUP },
		]);
		expect((await searchGroups.call(context, 'nothing')).results).toEqual([]);
	});

	it('show the backups of the chosen group, newest first, with time, size and verification', async () => {
		const context = fakeListContext({ parameters: { group: GROUP }, credentials: backups.credentials() });
		const { results } = await searchBackups.call(context);
		expect(results.map(({ value }) => value)).toEqual([...labels].reverse());
		expect(results[0]!.name).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC · \d+\.\d kB · not verified$/);
		expect((await searchBackups.call(context, labels[0])).results).toHaveLength(1);
	});

	it('show no backup before a group is chosen', async () => {
		const context = fakeListContext({ parameters: { group: '' }, credentials: backups.credentials() });
		expect(await searchBackups.call(context)).toEqual({ results: [] });
	});
});
