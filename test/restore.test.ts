import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Client } from 'pg';
import { generateIdentity } from '../core/filters/age-keys';
import { KEEP_ALL } from '../core/postgres/rewrite';
import type { DatabaseTarget } from '../core/postgres/target';
import { type BackupEntry, objectKey, Repository } from '../core/repository';
import { chooseBackup, restoreDatabase, type RestoreRequest } from '../core/restore';
import { MemoryStorage } from '../core/storage/memory';
import type { ReadOptions, Storage } from '../core/storage/storage';
import type { BackupError } from '../core/errors';
import { FaultyStorage } from './support/faulty-storage';
import { type BackupOptions, type MadeBackup, makeBackup } from './support/backups';
import { definitionOf, rowsOf } from './support/by-hand';
import { type PostgresServer, quoteName, sharedPostgres, sql, startPostgres } from './support/postgres';
import { until } from './support/until';

let server: PostgresServer;
let source: DatabaseTarget;
let backup: MadeBackup;
let names = 0;
const made: string[] = [];

/** A name that nobody has yet. */
function freeName(): string {
	const name = `restored ${process.pid}_${++names}`;
	made.push(name);
	return name;
}

function request(change: Partial<RestoreRequest> & Partial<MadeBackup> = {}): RestoreRequest {
	const { repository, group, label } = backup;
	const into = { mode: 'new' as const, database: freeName() };
	const signal = new AbortController().signal;
	return { repository, group, label, keys: null, server: server.target(), into, rules: KEEP_ALL, signal, ...change };
}

const at = (database: string, of = server) => of.target(database);
const databases = async (of = server) =>
	(await sql<{ datname: string }>(of.target(), 'SELECT datname FROM pg_database ORDER BY 1')).map((row) => row.datname);
/** What a restore leaves besides the databases it should: nothing. */
const leftovers = async (of = server) => (await databases(of)).filter((name) => /_(restoring|replaced)_/.test(name));

beforeAll(async () => {
	server = await sharedPostgres(15); // which Debian's own pg_dump can read
	source = await server.createDatabase();
	await sql(
		source,
		`CREATE SCHEMA shop; CREATE TABLE shop.orders (id int PRIMARY KEY, note text);
		INSERT INTO shop.orders SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 5000) i;
		CREATE TABLE public.names (name text); INSERT INTO names VALUES ('Zoë'), (NULL);
		CREATE VIEW shop.notes AS SELECT note FROM shop.orders; SELECT lo_from_bytea(0, 'large')`,
	);
	backup = await makeBackup(source, { contentHash: true });
}, 120_000);
afterAll(async () => {
	for (const name of made) await sql(server.target(), `DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
});

describe('choosing a backup', () => {
	const entry = (label: string): BackupEntry => ({
		group: 'g',
		label,
		type: 'full',
		startedAt: new Date(label),
		storedBytes: 1,
		pinned: false,
		tags: [],
		expiring: false,
		verifications: [],
	});
	const entries = ['2026-01-02', '2026-01-03', '2026-01-01'].map(entry);

	it('takes the newest, a label, or the newest that was started before a time', () => {
		expect(chooseBackup(entries, { kind: 'newest' }).label).toBe('2026-01-03');
		expect(chooseBackup(entries, { kind: 'label', label: '2026-01-01' }).label).toBe('2026-01-01');
		const before = (time: string) => chooseBackup(entries, { kind: 'before', time: new Date(time) }).label;
		expect(before('2026-01-02T12:00:00Z')).toBe('2026-01-02');
		expect(before('2026-01-02T00:00:00Z')).toBe('2026-01-02');
		expect(before('2030-01-01')).toBe('2026-01-03');
	});

	it('says what there is when nothing fits', () => {
		const miss = (choice: Parameters<typeof chooseBackup>[1], from = entries) => {
			try {
				chooseBackup(from, choice);
			} catch (error) {
				return error as BackupError;
			}
			throw new Error('something was chosen');
		};
		expect(miss({ kind: 'newest' }, [])).toMatchObject({ code: 'not-found' });
		expect(miss({ kind: 'label', label: 'x' })).toMatchObject({
			code: 'not-found',
			hint: expect.stringContaining('2026-01-03'),
		});
		expect(miss({ kind: 'before', time: new Date('2025-01-01') }).hint).toContain('2026-01-01T00:00:00.000Z');
	});
});

describe('a restore into a new database', () => {
	it('makes it as it was, compares every table, and says how long it took', async () => {
		const phases = new Set<string>();
		const job = request({ onProgress: ({ phase }) => phases.add(phase) });
		const result = await restoreDatabase(job);
		const restored = at(job.into.database);
		expect(await definitionOf(restored)).toBe(await definitionOf(source));
		expect(await rowsOf(restored)).toEqual(await rowsOf(source));
		expect(result).toMatchObject({
			database: job.into.database,
			mode: 'new',
			rows: 5002,
			comparison: { ok: true, tables: 2, rows: 5002, hashed: 2, largeObjects: 1, differences: [] },
			warnings: [],
		});
		expect(result.seconds).toBeGreaterThan(0);
		expect(result.originalBytes).toBeGreaterThan(3_000_000);
		expect([...phases]).toEqual(['preparing', 'restoring', 'comparing', 'swapping']);
	}, 60_000);

	it('is refused when there is one of that name', async () => {
		const { database } = await server.createDatabase();
		await expect(restoreDatabase(request({ into: { mode: 'new', database } }))).rejects.toMatchObject({
			code: 'already-exists',
		});
	});

	it('is refused under names that cannot be, or that are the server’s own', async () => {
		for (const database of ['', 'a\0b', 'x'.repeat(64), 'template0']) {
			await expect(restoreDatabase(request({ into: { mode: 'new', database } }))).rejects.toMatchObject({
				code: 'invalid-input',
			});
		}
	});

	it('takes names with every awkward character as they are', async () => {
		const database = `o'dd "na=me\\ ; DROP ${process.pid}`;
		made.push(database);
		await restoreDatabase(request({ into: { mode: 'new', database } }));
		expect(await rowsOf(at(database))).toEqual(await rowsOf(source));
	}, 60_000);

	it('only tables that were asked for come, and only they are compared', async () => {
		const job = request({ rules: { ...KEEP_ALL, only: { tables: ['names'] } } });
		expect((await restoreDatabase(job)).comparison).toMatchObject({ ok: true, tables: 1, rows: 2, largeObjects: null });
		expect(await sql(at(job.into.database), "SELECT to_regclass('shop.orders') AS orders")).toEqual([{ orders: null }]);
	}, 60_000);

	it('has the encoding of the original, LATIN1 here', async () => {
		const latin1 = await server.createDatabase(undefined, {
			encoding: "LATIN1' LC_COLLATE 'C' LC_CTYPE 'C",
			load: 'latin1',
		});
		const job = request(await makeBackup(latin1, { contentHash: true }));
		const { comparison } = await restoreDatabase(job);
		expect(comparison).toMatchObject({ ok: true });
		expect(comparison.hashed).toBeGreaterThan(0);
		const encoding = 'SELECT pg_encoding_to_char(encoding) AS name FROM pg_database WHERE datname = current_database()';
		expect(await sql(at(job.into.database), encoding)).toEqual([{ name: 'LATIN1' }]);
		expect(await rowsOf(at(job.into.database))).toEqual(await rowsOf(latin1));
	}, 60_000);

	it('has the server’s own locale, with a warning, where the server does not know the original’s', async () => {
		const strange = await makeBackup(source, {
			changeContents: (contents) => ({ ...contents, collation: 'xx_YY.UTF-8', characterType: 'xx_YY.UTF-8' }),
		});
		const { warnings, comparison } = await restoreDatabase(request(strange));
		expect(comparison.ok).toBe(true);
		expect(warnings).toEqual([
			expect.stringMatching(/does not know the locale xx_YY.UTF-8: the database has the server’s own/),
		]);
	}, 60_000);
});

describe('a restore into an empty database', () => {
	it('fills it', async () => {
		const { database } = await server.createDatabase();
		const { comparison } = await restoreDatabase(request({ into: { mode: 'empty', database } }));
		expect(comparison.ok).toBe(true);
		expect(await rowsOf(at(database))).toEqual(await rowsOf(source));
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
		const target = await server.createDatabase();
		await sql(target, statements);
		await expect(
			restoreDatabase(request({ into: { mode: 'empty', database: target.database } })),
		).rejects.toMatchObject({ code: 'already-exists', message: expect.stringMatching(words) });
	});

	it('says that it is half filled when it failed', async () => {
		const { database } = await server.createDatabase();
		const broken = await damaged(backup);
		await expect(restoreDatabase(request({ ...broken, into: { mode: 'empty', database } }))).rejects.toMatchObject({
			code: 'damaged',
			hint: expect.stringContaining('half filled'),
		});
	}, 60_000);
});

/** The same backup with one byte in the second half of its dump changed. */
async function damaged({ storage, group, label }: MadeBackup): Promise<Partial<MadeBackup>> {
	const copy = new MemoryStorage();
	for await (const { key } of storage.list('')) {
		const chunks: Buffer[] = [];
		for await (const chunk of await storage.read(key)) chunks.push(Buffer.from(chunk as Buffer));
		const bytes = Buffer.concat(chunks);
		if (key === objectKey(group, label, 'dump.sql.zst')) bytes[Math.floor(bytes.length * 0.8)]! ^= 1;
		await copy.write(key, Readable.from([bytes]));
	}
	return { storage: copy, repository: await Repository.open(copy) };
}

describe('a restore over an existing database', () => {
	async function old(properties = ''): Promise<string> {
		const target = await server.createDatabase();
		await sql(target, 'CREATE TABLE precious AS SELECT 42 AS answer');
		for (const statement of properties.split(';').filter((text) => text.trim() !== '')) {
			await sql(server.target(), statement.replaceAll('OLD', quoteName(target.database)));
		}
		return target.database;
	}
	const isUntouched = async (database: string) =>
		expect(await sql(at(database), 'SELECT answer FROM precious')).toEqual([{ answer: 42 }]);
	const replace = (database: string, change: Parameters<typeof request>[0] = {}) =>
		request({ ...change, into: { mode: 'replace', database, confirmation: database } });

	it('puts the backup in its place and leaves nothing else', async () => {
		const database = await old();
		expect(await restoreDatabase(replace(database))).toMatchObject({
			database,
			warnings: [],
			comparison: { ok: true },
		});
		expect(await rowsOf(at(database))).toEqual(await rowsOf(source));
		expect(await leftovers()).toEqual([]);
	}, 60_000);

	it('is refused unless its name is given a second time', async () => {
		const database = await old();
		for (const confirmation of [undefined, '', database.toUpperCase()]) {
			await expect(
				restoreDatabase(request({ into: { mode: 'replace', database, confirmation } })),
			).rejects.toMatchObject({ code: 'invalid-input' });
		}
		await isUntouched(database);
	});

	it.each(['postgres', 'template0', 'template1'])('never replaces %s', async (database) => {
		await expect(
			restoreDatabase(replace(database, { server: at((await server.createDatabase()).database) })),
		).rejects.toMatchObject({ code: 'invalid-input' });
	});

	it('is refused over a connection to itself, and when there is nothing to replace', async () => {
		const database = await old();
		await expect(restoreDatabase(replace(database, { server: at(database) }))).rejects.toMatchObject({
			code: 'invalid-input',
		});
		await expect(restoreDatabase(replace(freeName()))).rejects.toMatchObject({ code: 'database-not-found' });
	});

	it('ends the sessions of those who use it, also of those who come back at once', async () => {
		const database = await old();
		let stop = false;
		let connections = 0;
		const insist = async () => {
			while (!stop) {
				await sql(at(database), 'SELECT pg_sleep(60)').catch(() => undefined);
				connections++;
			}
		};
		const clients = [insist(), insist(), insist()];
		try {
			expect((await restoreDatabase(replace(database))).comparison.ok).toBe(true);
		} finally {
			stop = true;
			await sql(server.target(), 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [
				database,
			]);
			await Promise.all(clients);
		}
		expect(connections).toBeGreaterThan(2);
		expect(await rowsOf(at(database))).toEqual(await rowsOf(source));
		expect(await leftovers()).toEqual([]);
	}, 60_000);

	it('keeps owner, connection limit, settings, rights and comment', async () => {
		const role = `keeper_${process.pid}`;
		await sql(server.target(), `CREATE ROLE ${role}`);
		const database = await old(
			`ALTER DATABASE OLD OWNER TO ${role}; ALTER DATABASE OLD CONNECTION LIMIT 17; COMMENT ON DATABASE OLD IS 'it''s mine';
			REVOKE ALL ON DATABASE OLD FROM PUBLIC; GRANT CONNECT ON DATABASE OLD TO pg_monitor WITH GRANT OPTION;
			ALTER DATABASE OLD SET search_path TO "$user", 'My Schema', public; ALTER DATABASE OLD SET work_mem TO '9MB';
			ALTER DATABASE OLD SET app.level TO 'a=b'; ALTER ROLE ${role} IN DATABASE OLD SET statement_timeout TO '1ms'`,
		);
		const properties = async () => ({
			database: await sql(
				server.target(),
				`SELECT pg_get_userbyid(datdba) AS owner, datconnlimit, datacl::text, shobj_description(oid, 'pg_database') AS comment
				 FROM pg_database WHERE datname = $1`,
				[database],
			),
			settings: await sql(
				server.target(),
				`SELECT setrole::regrole::text AS role, setconfig FROM pg_db_role_setting
				 WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = $1) ORDER BY 1`,
				[database],
			),
		});
		const before = await properties();
		expect(before.settings).toHaveLength(2);
		expect((await restoreDatabase(replace(database))).warnings).toEqual([]);
		expect(await properties()).toEqual(before);
		await sql(server.target(), `DROP DATABASE ${quoteName(database)}`);
		await sql(server.target(), `DROP ROLE ${role}`);
	}, 60_000);

	it('does not replace it with something that differs, and keeps both', async () => {
		const database = await old();
		const wrong = await makeBackup(source, { changeContents: oneRowMore });
		const result = await restoreDatabase(replace(database, wrong));
		made.push(result.database);
		expect(result.database).not.toBe(database);
		expect(result.comparison).toMatchObject({
			ok: false,
			differences: [{ table: 'public.names', expected: '3 rows', found: '2 rows' }],
		});
		expect(result.warnings).toEqual([expect.stringContaining(result.database)]);
		await isUntouched(database);
		expect(await rowsOf(at(result.database))).toEqual(await rowsOf(source));
		await sql(server.target(), `DROP DATABASE ${quoteName(result.database)}`);
	}, 60_000);

	it('leaves it as it was when the backup turns out to be damaged', async () => {
		const database = await old();
		await expect(restoreDatabase(replace(database, await damaged(backup)))).rejects.toMatchObject({ code: 'damaged' });
		await isUntouched(database);
		expect(await leftovers()).toEqual([]);
	}, 60_000);

	it('leaves it as it was when it was given up just before the swap', async () => {
		const database = await old();
		const stop = new AbortController();
		const onProgress: RestoreRequest['onProgress'] = ({ phase }) => phase === 'swapping' && stop.abort();
		await expect(restoreDatabase(replace(database, { signal: stop.signal, onProgress }))).rejects.toMatchObject({
			code: 'cancelled',
		});
		await isUntouched(database);
		expect(await leftovers()).toEqual([]);
	}, 60_000);

	it('ends the swap once it began, whoever gives up', async () => {
		const database = await old();
		const stop = new AbortController();
		// A transaction that changed anything of a database keeps others from renaming it.
		const holder = new Client({ ...server.target(), ssl: false });
		await holder.connect();
		try {
			await holder.query(`BEGIN; COMMENT ON DATABASE ${quoteName(database)} IS 'held'`);
			const restored = restoreDatabase(replace(database, { signal: stop.signal }));
			restored.catch(() => undefined);
			await until('the swap waits for the holder', async () => {
				const renaming = "wait_event_type = 'Lock' AND query LIKE 'ALTER DATABASE%RENAME%' AND strpos(query, $1) > 0";
				return (await sql(server.target(), `SELECT FROM pg_stat_activity WHERE ${renaming}`, [database])).length > 0;
			});
			stop.abort();
			await holder.query('COMMIT');
			expect(await restored).toMatchObject({ database, comparison: { ok: true } });
		} finally {
			await holder.end();
		}
		expect(await rowsOf(at(database))).toEqual(await rowsOf(source));
		expect(await leftovers()).toEqual([]);
	}, 60_000);

	it('leaves it as it was when somebody holds it in a way that cannot be ended', async () => {
		const database = await old();
		// A prepared transaction belongs to no session: the server refuses to rename a database that has one.
		const own = await startPostgres(18, { settings: { max_prepared_transactions: '5' } });
		try {
			const target = await own.createDatabase();
			await sql(target, 'CREATE TABLE precious AS SELECT 42 AS answer');
			for (const text of ['BEGIN', 'CREATE TABLE more ()', "PREPARE TRANSACTION 'held'"].slice(0, 0))
				await sql(target, text);
			await sql(target, "BEGIN; INSERT INTO precious VALUES (43); PREPARE TRANSACTION 'held'");
			await expect(restoreDatabase(replace(target.database, { server: own.target() }))).rejects.toMatchObject({
				code: 'locked',
			});
			expect(await sql(target, 'SELECT answer FROM precious')).toEqual([{ answer: 42 }]);
			expect(await leftovers(own)).toEqual([]);
		} finally {
			await own.stop();
		}
		await isUntouched(database);
	}, 60_000);
});

const oneRowMore: NonNullable<BackupOptions['changeContents']> = (contents) => ({
	...contents,
	tables: contents.tables.map((table) => (table.name === 'names' ? { ...table, rows: table.rows! + 1 } : table)),
});

describe('a restore that fails leaves no database behind', () => {
	it('when a byte of the backup was changed', async () => {
		const job = request(await damaged(backup));
		await expect(restoreDatabase(job)).rejects.toMatchObject({ code: 'damaged' });
		expect(await databases()).not.toContain(job.into.database);
		expect(await leftovers()).toEqual([]);
	}, 60_000);

	it('when it was given up in the middle', async () => {
		const stop = new AbortController();
		const job = request({
			signal: stop.signal,
			onProgress: ({ phase, bytes }) => phase === 'restoring' && bytes > 100_000 && stop.abort(),
		});
		await expect(restoreDatabase(job)).rejects.toMatchObject({ code: 'cancelled' });
		expect(await leftovers()).toEqual([]);
	}, 60_000);

	it('when it took too long', async () => {
		const job = request({ limits: { hardTimeoutMs: 1 } });
		await expect(restoreDatabase(job)).rejects.toMatchObject({ code: 'timed-out' });
		expect(await leftovers()).toEqual([]);
	}, 60_000);

	it.each([
		['the dump', { key: /dump/, nth: 2, after: 1000 }],
		['the contents', { key: /contents/, after: 10 }],
	])(
		'when the storage stops giving bytes of %s',
		async (_, where) => {
			const storage = new FaultyStorage(backup.storage, [{ on: 'read', ...where, then: 'hang' }]);
			const repository = await Repository.open(storage);
			const job = request({ repository, limits: { stallTimeoutMs: 500 } });
			await expect(restoreDatabase(job)).rejects.toMatchObject({ code: 'stalled' });
			expect(await leftovers()).toEqual([]);
		},
		60_000,
	);

	it('when the server refuses a statement', async () => {
		const refused = await server.createDatabase();
		const role = `gone_${process.pid}`;
		await sql(server.target(), `CREATE ROLE ${role}`);
		await sql(refused, `CREATE TABLE a (id int); ALTER TABLE a OWNER TO ${role}`);
		const job = request(
			await makeBackup(refused, { changeContents: (contents) => ({ ...contents, roles: [], owners: [] }) }),
		);
		await sql(server.target(), `DROP DATABASE ${quoteName(refused.database)}`);
		await sql(server.target(), `DROP ROLE ${role}`);
		await expect(restoreDatabase(job)).rejects.toMatchObject({
			code: 'restore-failed',
			message: expect.stringContaining(role),
		});
		expect(await leftovers()).toEqual([]);
	}, 60_000);

	it('when the server crashed in the middle and recovered', async () => {
		const own = await startPostgres(18);
		try {
			const repository = await halfWay(backup, async () => {
				let backend: { pid: number } | undefined;
				while (!backend) {
					[backend] = await sql<{ pid: number }>(
						own.target(),
						"SELECT pid FROM pg_stat_activity WHERE datname ~ '_restoring_' AND application_name <> ''",
					);
				}
				process.kill(backend.pid, 'SIGKILL'); // the server ends all sessions and recovers
			});
			const job = request({ repository, server: own.target() });
			await expect(restoreDatabase(job)).rejects.toMatchObject({
				code: expect.stringMatching(/connection-lost|unreachable/),
			});
			expect(await leftovers(own)).toEqual([]);
			expect(await databases(own)).not.toContain(job.into.database);
		} finally {
			await own.stop();
		}
	}, 120_000);

	it('or says which one, when the server does not come back', async () => {
		const own = await startPostgres(18);
		const repository = await halfWay(backup, async () => await own.kill());
		const job = request({ repository, server: own.target() });
		await expect(restoreDatabase(job)).rejects.toMatchObject({
			code: expect.stringMatching(/connection-lost|unreachable/),
			hint: expect.stringMatching(/database restored.*_restoring_\w{6} could not be dropped/),
		});
	}, 120_000);
});

/** The same backup, from a storage that waits for something when half of the dump was read. */
async function halfWay({ storage, group, label }: MadeBackup, then: () => Promise<void>): Promise<Repository> {
	const key = objectKey(group, label, 'dump.sql.zst');
	const half = (await storage.stat(key))!.size / 2;
	let reads = 0;
	const read = async (wanted: string, options?: ReadOptions) => {
		const body = await storage.read(wanted, options);
		// The first look is at the beginning only.
		if (wanted !== key || ++reads === 1) return body;
		return Readable.from(
			(async function* () {
				const bytes = await buffer(body);
				yield bytes.subarray(0, half);
				await then();
				yield bytes.subarray(half);
			})(),
		);
	};
	const gated = new Proxy(storage, {
		get(target, name: keyof Storage) {
			const member: unknown = Reflect.get(target, name);
			return name === 'read' ? read : typeof member === 'function' ? (member.bind(target) as unknown) : member;
		},
	});
	return await Repository.open(gated);
}

describe('before anything is written', () => {
	it('the wrong identity is found', async () => {
		const [right, wrong] = [await generateIdentity(), await generateIdentity()];
		const secret = await makeBackup(source, { encryption: { recipients: [right.recipient] } });
		const before = await databases();
		for (const keys of [{ identities: [wrong.identity] }, null]) {
			await expect(restoreDatabase(request({ ...secret, keys }))).rejects.toMatchObject({ code: 'wrong-identity' });
		}
		expect(await databases()).toEqual(before);
		const { comparison } = await restoreDatabase(request({ ...secret, keys: { identities: [right.identity] } }));
		expect(comparison.ok).toBe(true);
	}, 60_000);

	it('a missing object is found', async () => {
		const { storage, repository, group, label } = await makeBackup(source);
		await storage.remove(objectKey(group, label, 'dump.sql.zst'));
		await expect(restoreDatabase(request({ repository, group, label }))).rejects.toMatchObject({ code: 'not-found' });
	}, 60_000);

	it('all missing roles and extensions are found at once, with the SQL that creates the roles', async () => {
		const lacking = await makeBackup(source, {
			changeContents: (contents) => ({
				...contents,
				roles: ['"no" such', 'nobody'],
				owners: ['nobody'],
				extensions: [...contents.extensions, { name: 'postgis', version: '3.5' }],
			}),
		});
		const before = await databases();
		await expect(restoreDatabase(request(lacking))).rejects.toMatchObject({
			code: 'missing-requirements',
			message: expect.stringMatching(/"nobody".*"""no"" such".*postgis 3\.5/),
			hint: expect.stringContaining('CREATE ROLE "nobody"; CREATE ROLE """no"" such";'),
		});
		expect(await databases()).toEqual(before);
	}, 60_000);
});

describe('the roles of the original server', () => {
	it('are made before they are needed, and not when anything else is missing', async () => {
		const [from, to] = [await startPostgres(18), await startPostgres(17)];
		try {
			const target = await from.createDatabase();
			await sql(target, 'CREATE ROLE clerk; CREATE TABLE t (id int); ALTER TABLE t OWNER TO clerk');
			const saved = await makeBackup(target, { globals: 'roles' });
			const job = (change: Partial<RestoreRequest>) => request({ ...saved, server: to.target(), ...change });
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
